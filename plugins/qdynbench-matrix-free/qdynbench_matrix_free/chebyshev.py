"""Chebyshev expansion of the propagator, matrix-free; hbar = 1.

With the spectrum between c - R and c + R, and z = s R,

    exp(-i s H) psi = exp(-i s c) sum_k (2 - delta_k0) J_k(z) S_k,    S_k = (-i)^k T_k((H - c) / R) psi

(Tal-Ezer and Kosloff, J. Chem. Phys. 81, 3967 (1984)). The vectors S_k know nothing of s: one set of them serves all
times of a window, each with its own real coefficients.
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
from qdynbench.toolkit.rounding import refused
from qdynbench.toolkit.schedule import piece_count, total_action
from qdynbench.toolkit.stepping import Evolution, SteppingSolver
from qdynbench.toolkit.strings import norm_bound
from qdynbench_matrix_free import cost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

BLOCK_BYTES = 32e6
"""Of the states that a window yields: most of them still lie in the third cache when they are read."""

LARGEST_BLOCK_BYTES = 256e6
"""Of a window whose states would not fit into the cache anyway."""

VECTOR_BYTES = 16e6
"""Of the vectors S_k that are kept of a state, although never fewer than three of them."""

LONGEST = 200.0
"""Largest `s R` of one expansion; a quarter of its terms lie beyond `s R`, where they only serve the tolerance."""

ROUNDING_SHARE = 0.5
"""Of the tolerance: `supports` sees to it that rounding needs no more."""


class Chebyshev(SteppingSolver):
    """Expands `exp(-i s H)` in Chebyshev polynomials of H, without a matrix, one expansion for a window of times.

    Attributes:
        tolerance: 2-norm error of a state at the last time; every step has an equal share of it.
    """

    accuracy = ("tolerance",)

    tolerance: float = 1e-10

    def promised_error(self) -> float:
        """Return the tolerance."""
        return self.tolerance

    def supports(self, problem: Problem) -> str | None:
        """Say no to a tolerance below rounding."""
        return refused(problem, self.tolerance, self.precision)

    def estimate(self, problem: Problem) -> Cost:
        """Predict memory from the window that `solve` will take, and time from the products and combinations in it."""
        dim, itemsize, batch = 2.0 ** min(problem.size, 300), self.dtype.itemsize, problem.batch
        share = (1 - ROUNDING_SHARE) * self.tolerance / piece_count(problem)
        action = total_action(problem) / problem.steps
        passes = max((cost.passes_of(operator) for operator in problem.hamiltonians), default=1)
        window = 1 if problem.drive is not None else best_window(problem, batch, itemsize, passes, action, share)
        terms = count_terms(action * window, share * window)
        rows = rows_of(dim, itemsize, terms)
        block = batch * dim * itemsize * window
        size = dim * (len(problem.hamiltonians) * itemsize / 2 + rows * itemsize) + block + batch * dim * itemsize
        per_state = terms * cost.product_seconds(dim, passes, itemsize)
        per_state += cost.combine_seconds(dim, terms, window, rows, itemsize)
        windows = math.ceil(problem.steps / window)
        threads = min(2, problem.threads)
        seconds = cost.PREPARE_SECONDS + windows * (batch * per_state / threads + cost.CALL_SECONDS)
        return Cost(bytes=size, seconds=seconds)

    def prepare(self, problem: Problem) -> None:
        """Find the bounds of the spectra, the windows and their coefficients."""
        self._share = (1 - ROUNDING_SHARE) * self.tolerance / piece_count(problem)
        super().prepare(problem)

    def evolution(self, hamiltonian: PauliSum) -> ChebyshevEvolution:
        """Sort the strings of H and bound its spectrum."""
        problem = self.problem
        operator = PauliOperator(hamiltonian.size, hamiltonian.terms, self.dtype, problem.device, problem.threads)
        # The share of this operator in the evolution is at most all of it.
        longest = total_action(problem) / max(norm_bound(hamiltonian), np.finfo(float).tiny)
        return ChebyshevEvolution(operator, operator.spectral_interval(longest), problem, self._share)


class ChebyshevEvolution(Evolution):
    """The action of `exp(-i s H)` by one expansion for all times of a window.

    Args:
        operator: H.
        interval: that holds its spectrum.
        problem: the size, the grid and the largest batch.
        share: truncation error allowed to each step.
    """

    def __init__(self, operator: PauliOperator, interval: Interval, problem: Problem, share: float) -> None:
        self._operator, self._interval, self._problem, self._share = operator, interval, problem, share
        self._windows: dict[tuple[int, float], int] = {}
        self._coefficients: dict[tuple[int, str], tuple[NDArray[np.float64], NDArray[np.complex128]]] = {}

    def expect(self, action: float) -> None:
        """Choose the window of the largest batch and compute its coefficients."""
        window = 1 if self._problem.drive is not None else self.window(self._problem.batch, action)
        self._expansion(window, action / self._series(action))

    def window(self, batch: int, action: float) -> int:
        """Return the window that costs least for each of its steps, of those whose states fit into a block."""
        key = batch, action
        if key not in self._windows:
            itemsize, passes = self._operator.dtype.itemsize, self._operator.passes
            z = self._interval.radius * abs(action)
            self._windows[key] = best_window(self._problem, batch, itemsize, passes, z, self._share)
        return self._windows[key]

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Expand once, or several times where one step is longer than an expansion."""
        series = self._series(float(actions[-1]))
        if series == 1:
            self._expand(states, len(actions), float(actions[0]), out)
            return
        now = states
        for column, step in enumerate(np.diff(actions, prepend=0.0)):
            after = torch.empty_like(states)[:, None]
            for _ in range(self._series(step)):
                self._expand(now, 1, step / self._series(step), after)
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
        """Return the coefficients and phases of the actions `action * (1, ..., count)`."""
        # Pieces of a drive that are meant to be alike differ by rounding.
        key = count, f"{action:.14e}"
        if key not in self._coefficients:
            actions = action * np.arange(1, count + 1)
            z = self._interval.radius * actions
            terms = count_terms(abs(z[-1]), count * self._share)
            coefficients = 2 * jv(np.arange(terms), z[:, None])
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


def best_window(problem: Problem, batch: int, itemsize: int, passes: float, z: float, share: float) -> int:
    """Return over how many steps of `s R = z` an expansion costs least a step.

    A longer window shares its products among more times, but each time then combines more vectors.
    """
    dim = 2.0 ** min(problem.size, 300)
    per_time = batch * dim * itemsize
    budget = BLOCK_BYTES if 8 * per_time <= BLOCK_BYTES else LARGEST_BLOCK_BYTES
    most = int(max(1, min(problem.steps, budget // per_time, LONGEST // max(z, 1e-9))))

    def seconds_a_step(window: int) -> float:
        terms = count_terms(z * window, share * window)
        rows = rows_of(dim, itemsize, terms)
        state = terms * cost.product_seconds(dim, passes, itemsize)
        state += cost.combine_seconds(dim, terms, window, rows, itemsize)
        return (batch * state / problem.threads + cost.CALL_SECONDS) / window

    candidates = {min(most, round(1.4**power)) for power in range(20)} | {most}
    return min(sorted(candidates), key=seconds_a_step)
