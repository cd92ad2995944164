"""From operations to seconds: the pace of a solver on this machine, learned from the sizes that it has just run.

A solver predicts how many operations a problem takes. Their time is taken to be `constant + pace * operations`: calls
and starts of threads do not grow with the size. Both come from a fit to what the solver has taken in this run. Where
that says nothing, as before the first size, the pace is a few times that of this machine's dense arithmetic.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field

import numpy as np

SIDE, TRIES = 32, 200
"""Side of the complex matrices whose product is timed (small enough for one thread), and how often."""
FIRST = 4.0
"""First guess of a pace, in units of a dense product's: loops over vectors read more for each operation."""
WEIGHT = 0.02
"""Weight of the first guess in a fit, where a measurement has 1: it decides nothing that two sizes tell."""


@functools.cache
def dense_pace() -> float:
    """Return the seconds of one operation in a product of dense matrices by one thread; measured in a few ms."""
    matrix = np.full((SIDE, SIDE), 0.5 + 0.5j) / SIDE
    tries = []
    for _ in range(TRIES):
        began = time.perf_counter()
        np.matmul(matrix, matrix)
        tries.append(time.perf_counter() - began)
    return min(tries) / (8 * SIDE**3)


def first_guess(operations: float) -> float:
    """Return the seconds that so many operations are taken for where nothing has been measured."""
    return FIRST * dense_pace() * operations


@dataclass
class Paces:
    """What solvers have taken in this run: pairs of operations and seconds, by the text of the solver."""

    _seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def learn(self, solver: str, operations: float, seconds: float) -> None:
        """Take down what a cell of a solver has taken for `prepare` and one call."""
        if operations > 0 and seconds > 0:
            self._seen.setdefault(solver, []).append((operations, seconds))

    def seconds(self, solver: str, operations: float) -> float:
        """Predict the seconds of so many operations of a solver."""
        from scipy.optimize import nnls

        guess = first_guess(1.0)
        counts, taken = np.array(self._seen.get(solver, [])).reshape(-1, 2).T
        # Least squares of relative deviations, of a constant and of a pace in units of the guess; neither is negative.
        rows = np.vstack([np.stack([1 / taken, guess * counts / taken], axis=1), [0.0, WEIGHT]])
        (constant, pace), _ = nnls(rows, np.append(np.ones(len(taken)), WEIGHT))
        return float(constant + pace * guess * operations)
