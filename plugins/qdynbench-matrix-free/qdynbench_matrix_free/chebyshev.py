"""Chebyshev expansion of the propagator, matrix-free; hbar = 1.

With the spectrum between c - R and c + R, and z = s R,

    exp(-i s H) psi = exp(-i s c) sum_k (2 - delta_k0) J_k(z) S_k,    S_k = (-i)^k T_k((H - c) / R) psi

(Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967 (1984)). The vectors S_k know nothing of s: one set of them serves all
times of a stretch of the grid, each with its own real coefficients.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from pauli_kernels import Interval, PauliOperator
from scipy.special import jv

from qdynbench import Cost, Problem
from qdynbench.toolkit.rounding import error_per_piece, refused
from qdynbench.toolkit.schedule import total_action
from qdynbench.toolkit.stepping import Evolution, SteppingSolver
from qdynbench.toolkit.strings import entries_per_row, norm_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

BLOCK_BYTES, LARGEST_BLOCK_BYTES = 32e6, 256e6
"""Largest block of states while eight times fit into the first, and beyond."""
VECTOR_BYTES = 16e6
"""Largest memory for the vectors S_k of a state; three of them are always kept."""
LONGEST = 200.0
"""Largest `s R` of one expansion; a quarter of its terms lie beyond `s R`, where they serve the tolerance alone."""
CALL_BYTES = 2e7
"""Bytes of amplitudes, each worked on once, that take as long as one call from Python does."""


class Chebyshev(SteppingSolver):
    """Expands `exp(-i s H)` in Chebyshev polynomials of H, without a matrix, once for a whole stretch of the grid.

    Attributes:
        tolerance: 2-norm error of a state at the last time; every step has an equal share of it.
    """

    accuracy = ("tolerance",)

    tolerance: float = 1e-10

    def supports(self, problem: Problem) -> str | None:
        """Refuse a tolerance below rounding."""
        return refused(problem, self.tolerance, self.precision)

    def estimate(self, problem: Problem) -> Cost:
        """Count the vectors that are held, and the operations of one expansion after the other."""
        dim, itemsize, batch = 2.0 ** min(problem.size, 300), self.dtype.itemsize, problem.batch
        z, share = total_action(problem) / problem.steps, error_per_piece(problem, self.tolerance)
        passes = max(map(entries_per_row, problem.hamiltonians), default=1)
        length = best_stretch(problem, batch, itemsize, passes, z, share)
        terms = count_terms(z * length, share * length)
        rows = rows_of(dim, itemsize, terms)
        vectors = batch * (length + 1) + rows + len(problem.hamiltonians) / 2
        operations = math.ceil(problem.steps / length) * expansion_operations(terms, passes, length, rows)
        return Cost(vectors * dim * itemsize, batch * dim * operations, error=self.tolerance)

    def evolution(self, hamiltonian: PauliSum) -> ChebyshevEvolution:
        """Sort the strings of H and bound its spectrum."""
        problem = self.problem
        operator = PauliOperator(hamiltonian.size, hamiltonian.terms, self.dtype, problem.device, problem.threads)
        # The share of this operator in the evolution is at most all of it.
        longest = total_action(problem) / max(norm_bound(hamiltonian), np.finfo(float).tiny)
        interval, share = operator.spectral_interval(longest), error_per_piece(problem, self.tolerance)
        return ChebyshevEvolution(operator, interval, problem, share)


class ChebyshevEvolution(Evolution):
    """The action of `exp(-i s H)`, by one expansion for all times of a stretch.

    Args:
        operator: H.
        interval: interval that holds the spectrum of H.
        problem: the size, the grid and the largest batch.
        share: truncation error allowed to each step.
    """

    def __init__(self, operator: PauliOperator, interval: Interval, problem: Problem, share: float) -> None:
        self._operator, self._interval, self._problem, self._share = operator, interval, problem, share
        self._stretches: dict[tuple[int, float], int] = {}
        self._coefficients: dict[tuple[int, str], tuple[NDArray[np.float64], NDArray[np.complex128]]] = {}

    def expect(self, action: float) -> None:
        """Compute the coefficients for the stretch of the largest batch."""
        self._expansion(self.stretch(self._problem.batch, action), action / self._series(action))

    def stretch(self, batch: int, action: float) -> int:
        """Return the number of steps with the fewest operations a step, among those whose states fit into a block."""
        if (batch, action) not in self._stretches:
            itemsize, passes = self._operator.dtype.itemsize, self._operator.passes
            z = self._interval.radius * abs(action)
            self._stretches[batch, action] = best_stretch(self._problem, batch, itemsize, passes, z, self._share)
        return self._stretches[batch, action]

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Expand once, or several times where one step is longer than an expansion may be."""
        if self._series(float(actions[-1])) == 1:
            self._expand(states, len(actions), float(actions[0]), out)
            return
        now = states
        for column, step in enumerate(np.diff(actions, prepend=0.0)):
            after, series = torch.empty_like(states)[:, None], self._series(step)
            for _ in range(series):
                self._expand(now, 1, step / series, after)
                now = after[:, 0].clone()
            out[:, column] = now

    def _expand(self, states: torch.Tensor, count: int, action: float, out: torch.Tensor) -> None:
        coefficients, phases = self._expansion(count, action)
        rows = rows_of(self._operator.dimension, self._operator.dtype.itemsize, coefficients.shape[1])
        scale, shift = 1 / self._interval.radius, self._interval.centre
        self._operator.expand(states, coefficients, phases, out, scale=scale, shift=shift, rows=rows)

    def _series(self, action: float) -> int:
        return max(1, math.ceil(self._interval.radius * abs(action) / LONGEST))

    def _expansion(self, count: int, action: float) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """Return the coefficients `(count, K)` and phases `(count,)` of the actions `action * (1, ..., count)`."""
        key = count, f"{action:.14e}"  # pieces of a drive that are meant to be alike differ by rounding
        if key not in self._coefficients:
            actions = action * np.arange(1, count + 1)
            z = self._interval.radius * actions
            coefficients = 2 * jv(np.arange(count_terms(abs(z[-1]), count * self._share)), z[:, None])
            coefficients[:, 0] /= 2
            self._coefficients[key] = coefficients, np.exp(-1j * self._interval.centre * actions)
        return self._coefficients[key]


@functools.lru_cache(maxsize=4096)
def count_terms(z: float, tolerance: float) -> int:
    """Return the smallest K >= 1 with `2 sum_{k >= K} |J_k(z)| <= tolerance`: no S_k is longer than the state."""
    most = int(z + 12 * max(z, 1) ** (1 / 3) + 40)
    tails = 2 * np.cumsum(np.abs(jv(np.arange(most), z))[::-1])[::-1]
    return max(1, int(np.count_nonzero(tails > tolerance)))


def rows_of(dimension: float, itemsize: int, terms: int) -> int:
    """Return how many of the vectors S_k of one state are kept at a time."""
    return int(min(terms, max(3, VECTOR_BYTES // (dimension * itemsize))))


def expansion_operations(terms: int, passes: float, length: int, rows: int) -> float:
    """Return the operations on each amplitude: a product makes every term, which is added to the state of each time.

    A pass multiplies by a real coefficient and adds: four. A product's diagonal and recursion count as five passes,
    adding to a time as one and a half, and fetching the states of all times for every group of `rows` terms as three.
    """
    return 4 * terms * (5 + passes + (1.5 + 3 / rows) * length)


def best_stretch(problem: Problem, batch: int, itemsize: int, passes: float, z: float, share: float) -> int:
    """Return over how many steps of `s R = z` an expansion takes the fewest operations for each of its steps.

    A longer stretch shares its products among more times, but each time then combines more vectors. Under a drive every
    step is a stretch of its own.
    """
    if problem.drive is not None:
        return 1
    dim = 2.0 ** min(problem.size, 300)
    per_time = batch * dim * itemsize
    budget = BLOCK_BYTES if 8 * per_time <= BLOCK_BYTES else LARGEST_BLOCK_BYTES
    most = int(max(1, min(problem.steps, budget // per_time, LONGEST // max(z, 1e-9))))

    def operations_a_step(length: int) -> float:
        terms = count_terms(z * length, share * length)
        operations = expansion_operations(terms, passes, length, rows_of(dim, itemsize, terms))
        return (per_time * operations / problem.threads + CALL_BYTES) / length

    candidates = {min(most, round(1.4**power)) for power in range(20)} | {most}
    return min(sorted(candidates), key=operations_a_step)
