"""Scaled and truncated Taylor series by QuSpin's `ExpmMultiplyParallel`, on a stored matrix; hbar = 1.

The method is that of Al-Mohy and Higham, SIAM J. Sci. Comput. 33, 488 (2011).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from quspin.tools.evolution import ExpmMultiplyParallel

from qdynbench import Cost, Problem, block_length
from qdynbench.toolkit.rounding import refused
from qdynbench.toolkit.schedule import piece_count, total_action
from qdynbench.toolkit.stepping import Evolution, SteppingSolver
from qdynbench.toolkit.strings import flips, norm_bound
from qdynbench_exact.hamiltonian import quspin_hamiltonian

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

LONGEST_SINGLE = 4.0
"""Largest `|| s H ||` of one call in single precision."""

LONGEST_SERIES = 9.9
"""Largest `|| s H ||` of one series, theta_55 of Al-Mohy and Higham's table 3.1 for double precision."""


class Taylor(SteppingSolver):
    """Sums the Taylor series of `exp(-i dt H)` on all states together, one call of QuSpin for each time step.

    Attributes:
        tolerance: 2-norm error of a state at the last time. QuSpin cuts a series when its last two terms fall below
            `tol` times the largest amplitude; `tol` is the tolerance divided by the number of series of the grid.
            How finely QuSpin divides a step into series follows from double precision whatever the tolerance.
    """

    accuracy = ("tolerance",)

    tolerance: float = 1e-10

    def supports(self, problem: Problem) -> str | None:
        """Refuse a GPU, and a tolerance below rounding."""
        if problem.device != "cpu":
            return "QuSpin's ExpmMultiplyParallel runs on the CPU"
        return refused(problem, self.tolerance, self.precision)

    def estimate(self, problem: Problem) -> Cost:
        """Count the stored entries of the matrices, and the products with them that the series take."""
        dim, itemsize = 2.0 ** min(problem.size, 300), self.dtype.itemsize
        entries = dim * sum(len(flips(hamiltonian)) for hamiltonian in problem.hamiltonians)
        entry_bytes = 4 + itemsize // (2 if all(operator.is_real for operator in problem.hamiltonians) else 1)
        # About as many terms of the series as the action of a step, and some for the digits of the tolerance.
        action = total_action(problem) / problem.steps
        products = problem.steps * (0.6 * action + 4 - 0.5 * math.log10(self.tolerance))
        block = block_length(problem, problem.batch, itemsize) * problem.batch * dim * itemsize
        # QuSpin sorts and adds the entries of the matrix as it builds it, which takes twice the matrix for a while.
        size = 2 * entries * entry_bytes + block + 5 * problem.batch * dim * itemsize
        return Cost(size, operations=8 * entries * problem.batch * products, error=self.tolerance)

    def prepare(self, problem: Problem) -> None:
        """Build the sparse matrices and divide every piece of the grid into series."""
        self._cut = self.tolerance / (piece_count(problem) + total_action(problem) / LONGEST_SERIES)
        super().prepare(problem)

    def evolution(self, hamiltonian: PauliSum) -> TaylorEvolution:
        """Build the sparse matrix with QuSpin."""
        return TaylorEvolution(hamiltonian, self.problem, self.dtype, self._cut)


class TaylorEvolution(Evolution):
    """The action of `exp(-i s H)` by `ExpmMultiplyParallel`, which keeps a state to a column.

    Args:
        hamiltonian: H.
        problem: the size and the grid.
        dtype: type of the states.
        cut: `tol` of every series.
    """

    def __init__(self, hamiltonian: PauliSum, problem: Problem, dtype: torch.dtype, cut: float) -> None:
        real = {torch.complex128: np.float64, torch.complex64: np.float32}[dtype]
        self._dtype = np.result_type(real, np.complex64)
        matrix = quspin_hamiltonian(hamiltonian).tocsr()
        self._matrix = matrix.astype(real if hamiltonian.is_real else self._dtype, copy=False)
        self._problem = problem
        self._cut = cut
        # QuSpin cuts a step to suit double precision. In single the first terms of such a series, which are larger than
        # their sum, would leave an error of 3e-5 where the step is long.
        self._longest = np.inf if dtype == torch.complex128 else LONGEST_SINGLE
        self._norm = norm_bound(hamiltonian)
        self._series: dict[str, tuple[ExpmMultiplyParallel, int]] = {}
        self._work = np.empty(0, self._dtype)

    def expect(self, action: float) -> None:
        """Divide a step into series."""
        self._series_of(action)

    def _series_of(self, action: float) -> tuple[ExpmMultiplyParallel, int]:
        """Return what multiplies by `exp(-i action H / count)`, and the count."""
        # Pieces of a drive that are meant to be alike differ by rounding.
        key = f"{action:.10e}"
        if key not in self._series:
            count = max(1, math.ceil(self._norm * abs(action) / self._longest))
            self._series[key] = ExpmMultiplyParallel(self._matrix, a=-1j * action / count, dtype=self._dtype), count
        return self._series[key]

    def stretch(self, batch: int, action: float) -> int:
        """Return a block: between its steps the states stay in columns."""
        return block_length(self._problem, batch, self._dtype.itemsize)

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Take the steps one after the other."""
        if self._work.size != 2 * states.numel():
            self._work = np.empty(2 * states.numel(), self._dtype)
        if len(states) == 1:
            # A vector goes through QuSpin's faster product, and in place.
            before, [trajectory] = states[0], out
            for now in trajectory:
                now.copy_(before)
                self._step(now, float(actions[0]))
                before = now
            return
        columns = states.T.contiguous()
        for column in range(len(actions)):
            self._step(columns, float(actions[0]))
            out[:, column] = columns.T

    def _step(self, columns: torch.Tensor, action: float) -> None:
        series, count = self._series_of(action)
        for _ in range(count):
            series.dot(columns.numpy(), work_array=self._work, overwrite_v=True, tol=self._cut)
