"""Exact diagonalisation block by block, in the symmetry sectors that QuSpin's bases span; hbar = 1.

`psi(t) = sum_b P_b V_b exp(-i E_b t) V_b^dagger P_b^dagger psi(0)`, where the columns of P_b span sector b and
`P_b^dagger H P_b = V_b E_b V_b^dagger`. The sectors together span the whole space, so every state is evolved exactly:
one that lies in a single sector there alone, any other in all those in which it has weight.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
import torch
from quspin.basis import spin_basis_1d

from qdynbench import Block, Cost, Problem, block_length
from qdynbench.toolkit.eigenbasis import LARGEST_BLOCK_BYTES
from qdynbench.toolkit.strings import flips

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from qdynbench import PauliSum
    from qdynbench_exact.ed.symmetry import Symmetry

NEGLIGIBLE = 1e-14
"""Weight of a state in a sector below which it is rounding."""


class SectorPropagator:
    """Evolves batches of states under one Hamiltonian, sector by sector. All sectors are diagonalised when it is made.

    Args:
        matrix: H, shape `(2**N, 2**N)`.
        problem: gives the grid.
        dtype: type of the states; the sectors are diagonalised in double precision.
        symmetries: symmetries of H that commute with each other in every sector.
    """

    def __init__(
        self, matrix: scipy.sparse.csr_array, problem: Problem, dtype: torch.dtype, symmetries: Collection[Symmetry]
    ) -> None:
        self.problem, self.dtype = problem, dtype
        self._sectors = [_Sector(matrix, space, dtype) for space in projectors(problem.size, symmetries)]

    def blocks(self, states: torch.Tensor) -> Iterator[Block]:
        """Yield the trajectories of all states, shape `(B, k, 2**N)`; the first column is `states` itself."""
        batch, dim = states.shape
        columns = np.ascontiguousarray(states.numpy().T)
        found = [(sector, sector.coefficients(columns)) for sector in self._sectors]
        occupied = [(sector, start) for sector, start in found if float(start.norm(dim=0).max()) > NEGLIGIBLE]
        length = block_length(self.problem, batch, self.dtype.itemsize)
        for start in range(0, self.problem.steps + 1, length):
            times = torch.from_numpy(self.problem.times[start : start + length])
            total = sum(sector.at(coefficients, times) for sector, coefficients in occupied)
            block = torch.from_numpy(total).view(dim, batch, len(times)).permute(1, 2, 0).contiguous()
            if start == 0:
                block[:, 0] = states
            yield Block(start, block)


class _Sector:
    """One sector, diagonalised."""

    def __init__(self, matrix: scipy.sparse.csr_array, space: scipy.sparse.csc_array, dtype: torch.dtype) -> None:
        block = torch.from_numpy((space.conj().T @ (matrix @ space)).toarray())
        self._energies, vectors = torch.linalg.eigh(block)
        self._vectors = vectors.to(dtype if vectors.is_complex() else dtype.to_real())
        # scipy converts a matrix of another type at every product.
        self._space = space.tocsr().astype(np.complex128)
        self._adjoint = self._space.conj().T.tocsr()
        self._space = self._space.astype(np.complex64 if dtype == torch.complex64 else np.complex128)

    def coefficients(self, columns: Any) -> torch.Tensor:
        """Return the coefficients of states, shape `(2**N, B)`, in the eigenbasis: complex128, shape `(d, B)`."""
        inside = torch.from_numpy(self._adjoint @ columns)
        return _multiply(self._vectors.mH, inside.to(_complex(self._vectors))).to(torch.complex128)

    def at(self, coefficients: torch.Tensor, times: torch.Tensor) -> Any:
        """Return the states at some times, shape `(2**N, B * k)`, the time running fastest."""
        phases = torch.exp(-1j * torch.outer(self._energies, times))
        turned = (coefficients[:, :, None] * phases[:, None, :]).flatten(1).to(_complex(self._vectors))
        return self._space @ _multiply(self._vectors, turned).numpy()


def _complex(matrix: torch.Tensor) -> torch.dtype:
    return matrix.dtype.to_complex()


def _multiply(matrix: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return `matrix @ columns`; a real matrix multiplies real and imaginary parts alike."""
    if matrix.is_complex():
        return matrix @ columns
    return torch.view_as_complex((matrix @ torch.view_as_real(columns).flatten(1)).view(len(matrix), -1, 2))


def projectors(size: int, symmetries: Collection[Symmetry]) -> Iterator[scipy.sparse.csc_array]:
    """Yield for every sector a matrix with orthonormal columns, shape `(2**N, d)`; all columns together are a basis.

    Momentum and parity do not commute but for k = 0 and pi; QuSpin's semi-momentum states (Sandvik, AIP Conf. Proc.
    1297, 135 (2010), sec. 4.1.4) join k with -k and exist for both parities. The flip of all spins keeps the total
    magnetization where that is zero, and is left out elsewhere.
    """
    momenta = size // 2 + 1 if "parity" in symmetries else size
    for up in range(size + 1) if "magnetization" in symmetries else [None]:
        flips = "inversion" in symmetries and (up is None or 2 * up == size)
        for momentum in range(momenta) if "momentum" in symmetries and size > 1 else [None]:
            for parity in (1, -1) if "parity" in symmetries else [None]:
                for flip in (1, -1) if flips else [None]:
                    chosen = {"Nup": up, "kblock": momentum, "pblock": parity, "zblock": flip}
                    given = {name: value for name, value in chosen.items() if value is not None}
                    sector = spin_basis_1d(size, pauli=1, **given)
                    if sector.Ns:
                        yield sector.get_proj(np.float64 if momentum is None else np.complex128).tocsc()


def sector_cost(problem: Problem, operator: PauliSum, symmetries: Collection[Symmetry], itemsize: int) -> Cost:
    """Predict the cost of `SectorPropagator`: as for the whole matrix, but sector by sector, and the projectors.

    The sectors of one magnetization are taken as equally large, and the states as spread over all sectors.
    """
    size, dim = problem.size, 2.0 ** min(problem.size, 300)
    spaces = [math.comb(size, up) for up in range(size + 1)] if "magnetization" in symmetries else [dim]
    number = (size if "momentum" in symmetries else 1) * (2 if "parity" in symmetries else 1)
    flipped = 2 if "inversion" in symmetries and len(spaces) == 1 else 1
    real = operator.is_real and "momentum" not in symmetries
    cubes = squares = 0.0
    for up, space in enumerate(spaces):
        parts = number * (2 if "inversion" in symmetries and 2 * up == size else flipped)
        block = max(1.0, space / parts)
        cubes += space * block**2
        squares += space * block
    columns = float(problem.batch * (problem.steps + 1))
    entries = dim * (number * flipped + len(flips(operator)))
    operations = 9 * cubes * (1 if real else 4) + columns * (4 * squares * (1 if real else 2) + 8 * dim * number)
    block_bytes = min(LARGEST_BLOCK_BYTES, dim * columns * itemsize)
    largest = max(spaces) / number
    return Cost((squares + 4 * largest**2) * (8 if real else 16) + entries * 40 + 4 * block_bytes, operations)
