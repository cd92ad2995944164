"""Exact propagation of a driven model: each Hamiltonian is diagonalised once; hbar = 1.

One step of the grid is `U = prod_k V_k exp(-i s_k E_k) V_k^dagger`. A step that the grid repeats is multiplied out once
and then costs one matrix product; one that it has but a few times goes through the eigenbases of its pieces.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch

from qdynbench import Block, Cost, Problem, block_length

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64] | NDArray[np.complex128]

Step = tuple[tuple[int, float], ...]
"""The pieces of a step of the grid."""

DIGITS = 11
"""Pieces that agree in so many decimals are the same: a grid rarely meets a boundary to the last bit."""

LARGEST_SHARE = 4
"""Unitaries that are kept, at most, for each Hamiltonian of the drive."""


class DrivenPropagator:
    """Evolves batches of states along a drive, exactly but for rounding.

    Args:
        matrices: the Hamiltonians, each of shape `(2**N, 2**N)`, in the order of `problem.hamiltonians`.
        problem: gives the drive, the grid and the device.
        dtype: type of the states; all unitaries are made in double precision.
    """

    def __init__(self, matrices: Sequence[Matrix], problem: Problem, dtype: torch.dtype = torch.complex128) -> None:
        self.problem, self.dtype = problem, dtype
        systems = [torch.linalg.eigh(torch.as_tensor(matrix, device=problem.device)) for matrix in matrices]
        self._systems = [(energies, vectors.to(torch.complex128)) for energies, vectors in systems]
        self._steps = grid_steps(problem)
        eye = torch.eye(problem.dimension, dtype=torch.complex128, device=problem.device)
        self._unitaries = {step: self._apply(step, eye).to(dtype) for step in repeated_steps(problem, self._steps)}

    def _apply(self, step: Step, columns: torch.Tensor) -> torch.Tensor:
        """Return the columns of shape `(2**N, M)` after the pieces of a step."""
        for index, action in step:
            energies, vectors = self._systems[index]
            phases = torch.exp(-1j * action * energies)[:, None]
            columns = vectors @ (phases * (vectors.mH @ columns))
        return columns

    def blocks(self, states: torch.Tensor) -> Iterator[Block]:
        """Yield the trajectories of all states, shape `(B, k, 2**N)`; the first column is `states` itself."""
        batch, dim = states.shape
        length = block_length(self.problem, batch, self.dtype.itemsize)
        now = states.to(self.dtype).T.contiguous()
        for start in range(0, self.problem.steps + 1, length):
            count = min(length, self.problem.steps + 1 - start)
            block = torch.empty(batch, count, dim, dtype=self.dtype, device=states.device)
            for column in range(count):
                if start + column > 0:
                    step = self._steps[start + column - 1]
                    unitary = self._unitaries.get(step)
                    moved = self._apply(step, now.to(torch.complex128)) if unitary is None else unitary @ now
                    now = moved.to(self.dtype)
                block[:, column] = now.T
            yield Block(start, block)


def grid_steps(problem: Problem) -> list[Step]:
    """Return the pieces of every step of the grid, equal where they differ by rounding alone."""
    known: dict[Step, Step] = {}
    steps = (problem.pieces(step) for step in range(problem.steps))
    return [known.setdefault(tuple((k, round(s, DIGITS)) for k, s in step), step) for step in steps]


def repeated_steps(problem: Problem, steps: Sequence[Step]) -> list[Step]:
    """Return the steps that are worth multiplying out, the most frequent first, as many as may be kept.

    To multiply out takes as long as to evolve `2**N` states once.
    """
    common = Counter(steps).most_common(LARGEST_SHARE * len(problem.hamiltonians))
    return [step for step, count in common if step and count * problem.batch >= problem.dimension]


def driven_cost(problem: Problem, *, real: bool, itemsize: int) -> Cost:
    """Predict the cost of `DrivenPropagator`: diagonalisations, and products of matrices with states or unitaries."""
    dim, kept = 2.0 ** min(problem.size, 300), len(problem.hamiltonians)
    steps = grid_steps(problem)
    unitaries = set(repeated_steps(problem, steps))
    products = float(problem.batch) * sum(1 if step in unitaries else 2 * len(step) for step in steps)
    products += dim * sum(2 * len(step) for step in unitaries)
    operations = kept * 9 * dim**3 * (1 if real else 4) + 8 * dim**2 * products
    block_bytes = block_length(problem, problem.batch, itemsize) * problem.batch * dim * itemsize
    return Cost((kept + len(unitaries) + 5) * 16 * dim**2 + 2 * block_bytes, operations)
