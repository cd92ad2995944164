"""From operations to seconds: a solver's pace on this machine, learned from the sizes that it has just run.

A solver says by how much its work grows from size to size. Its time is taken to be a constant (calls, start of threads)
plus a time for each operation; two sizes give both. Before it has run, and after its first size, the time of an operation
lies between that of this machine's densest arithmetic and what the first size has shown.
"""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass, field

import numpy as np

SIDE = 256
"""Side of the matrices whose product is timed for the fastest pace."""
FIRST = 30.0
"""An operation of a solver that has not run yet is taken for so many of the fastest ones."""


@functools.cache
def fastest_pace() -> float:
    """Return the seconds of one multiplication in a product of complex matrices, the least of a few tries.

    It takes some 20 ms, once a process.
    """
    matrix = np.full((SIDE, SIDE), 0.5 + 0.5j) / SIDE
    tries = []
    for _ in range(4):
        began = time.perf_counter()
        matrix @ matrix  # noqa: B018 - timed, and dropped
        tries.append(time.perf_counter() - began)
    return min(tries) / SIDE**3


@dataclass
class Paces:
    """What each solver has taken in this run: seconds by operations, by the text of the solver."""

    _seen: dict[str, dict[float, float]] = field(default_factory=dict)

    def learn(self, solver: str, operations: float, seconds: float) -> None:
        """Take down what a cell of a solver has taken for `prepare` and one call."""
        if operations > 0 and seconds > 0:
            self._seen.setdefault(solver, {})[operations] = seconds

    def seconds(self, solver: str, operations: float) -> float:
        """Predict the seconds of so many operations of a solver."""
        least = fastest_pace()
        seen = sorted(self._seen.get(solver, {}).items())
        if not seen:
            return FIRST * least * operations
        last, taken = seen[-1]
        most = taken / last
        if len(seen) > 1:
            before, shorter = seen[-2]
            pace = min(max((taken - shorter) / (last - before), least), most)
            return taken + pace * (operations - last)
        # Of one size it is not known how much of its time grows: the middle, by factors, between all of it and the least.
        return math.sqrt((taken + least * max(0.0, operations - last)) * most * operations)
