"""Exact propagation in the eigenbasis of a Hermitian matrix: psi(t) = V exp(-i E t) V^dagger psi(0) (paper eq. 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block, Cost, block_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

CACHE_BYTES = 8e6
"""A block of this size still lies in the cache when it is multiplied and read. At 7 spins 4 and 8 MB are
the best of 1 to 32 MB on idle cores; on busy ones the longer block loses less, since its threads meet less often."""

LARGEST_BLOCK_BYTES = 64e6
"""Largest block on the CPU."""

PADDING = 4
"""Amplitudes between the rows of a buffer: rows a power of two apart would all fall into the same few cache lines, and
the transposition from the basis axis first to last takes three times as long."""

ROWS_DIMENSION, ROWS_WORK = 16, 1e6
"""Largest dimension, and largest `D**2 B (T+1)` at any dimension, at which a grid that is one block is multiplied as
rows by a complex matrix on the CPU: states come out as they are yielded, and a call is two products and no more.
Beyond, a real matrix saves more."""

DEVICE_BLOCK_BYTES = 256e6
"""A block of this size hides the launch of its kernels on a GPU."""


Buffers = dict[str, torch.Tensor]
"""Memory of a call by what it is for."""


class EigenbasisPropagator:
    """Evolves batches of states under one Hermitian matrix over one time grid; hbar = 1.

    The matrix is diagonalised in double precision when the propagator is made. A real symmetric one has real
    eigenvectors, which multiply the real and imaginary parts of all states and times as one real matrix product,
    at half the cost of a complex one.

    Args:
        matrix: real symmetric or complex Hermitian, shape `(2**N, 2**N)`, in units of energy.
        problem: gives the time grid (equally spaced, from 0) and the device.
        dtype: type of the evolved states, `torch.complex128` or `torch.complex64`. Phases are double in both.
    """

    def __init__(
        self,
        matrix: NDArray[np.float64] | NDArray[np.complex128],
        problem: Problem,
        dtype: torch.dtype = torch.complex128,
    ) -> None:
        self.problem = problem
        self.dtype = dtype
        self.energies, vectors = torch.linalg.eigh(torch.as_tensor(matrix, device=problem.device))
        self._vectors = vectors.to(dtype if vectors.is_complex() else dtype.to_real()).contiguous()
        if problem.device == "cpu":
            # Where the eigenvectors themselves outgrow the cache, a longer block reads them less often.
            self._budget = min(max(CACHE_BYTES, self._vectors.nbytes), LARGEST_BLOCK_BYTES)
        else:
            self._budget = DEVICE_BLOCK_BYTES
        times = torch.as_tensor(problem.times[: self._block_length(batch=1)], device=problem.device)
        self._phases = torch.exp(-1j * torch.outer(self.energies, times)).to(dtype)
        self._buffers: Buffers = {}
        self._rows: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        if self._multiplies_rows(batch=1):
            complete = self._vectors.to(dtype)
            # Without resolving it a conjugate would be taken again in every call.
            self._rows = complete.conj().resolve_conj(), self._phases.T.contiguous(), complete.T.contiguous()

    def blocks(self, states: torch.Tensor) -> Iterator[Block]:
        """Yield the trajectories of all states, in time order; the first column is `states` itself.

        Args:
            states: shape `(B, 2**N)`, complex, on the problem's device.

        Yields:
            Contiguous blocks of shape `(B, k, 2**N)`, each valid until the next is asked for, the last one until the
            next call.
        """
        buffers, self._buffers = self._buffers, {}  # a call that begins before this one has ended has its own
        if self._rows is not None and self._multiplies_rows(len(states)):
            yield Block(0, self._multiplied_rows(states, buffers, *self._rows))
        else:
            yield from self._column_blocks(states, buffers)
        self._buffers = buffers

    def _multiplies_rows(self, batch: int) -> bool:
        dim, times = len(self.energies), self.problem.steps + 1
        small = dim <= ROWS_DIMENSION or float(dim) ** 2 * batch * times <= ROWS_WORK
        return small and self.problem.device == "cpu" and self._block_length(batch) == times

    def _multiplied_rows(
        self,
        states: torch.Tensor,
        buffers: Buffers,
        conjugate: torch.Tensor,
        phases: torch.Tensor,
        transposed: torch.Tensor,
    ) -> torch.Tensor:
        """Return `((psi V*) exp(-i E t)) V^T` at all times, with `phases` of shape `(T+1, D)`."""
        shape = (len(states), len(phases), len(transposed))
        turned, trajectory = self._room(buffers, "turned", *shape), self._room(buffers, "trajectory", *shape)
        torch.mul((states.to(self.dtype) @ conjugate).unsqueeze(1), phases, out=turned)
        torch.matmul(turned, transposed, out=trajectory)
        trajectory.select(1, 0).copy_(states)
        return trajectory

    def _column_blocks(self, states: torch.Tensor, buffers: Buffers) -> Iterator[Block]:
        batch, dim = states.shape
        length = self._block_length(batch)
        coefficients = self._room(buffers, "coefficients", dim, batch)
        _multiply(self._vectors.mH, states.to(self.dtype).T.contiguous(), out=coefficients)

        eigenbasis, sites = self._room(buffers, "columns", 2, dim, batch * length + PADDING)
        for start in range(0, self.problem.steps + 1, length):
            count = min(length, self.problem.steps + 1 - start)
            shape = (dim, batch, count)
            turned, evolved = eigenbasis[:, : batch * count], sites[:, : batch * count]
            # exp(-iE t) = exp(-iE t_start) exp(-iE (t - t_start)): the second factor is the same in every block, and
            # both come from the exponential itself, so that no rounding error builds up along the grid.
            here = coefficients * self._phases_at(start)[:, None] if start else coefficients
            torch.mul(here[:, :, None], self._phases[:, None, :count], out=turned.view(shape))
            _multiply(self._vectors, turned, out=evolved)
            # The states go to the front of the buffer that the product has been read from.
            trajectory = eigenbasis.view(-1)[: dim * batch * count].view(batch, count, dim)
            trajectory.copy_(evolved.view(shape).permute(1, 2, 0))
            if start == 0:
                trajectory[:, 0] = states
            yield Block(start, trajectory)

    def _room(self, buffers: Buffers, name: str, *shape: int) -> torch.Tensor:
        """Return room for numbers, that of the last call where it fits: new memory would be paid for in each call."""
        found = buffers.get(name)
        if found is None or found.shape != shape:
            found = buffers[name] = torch.empty(shape, dtype=self.dtype, device=self.problem.device)
        return found

    def _block_length(self, batch: int) -> int:
        return block_length(self.problem, batch, self.dtype.itemsize, self._budget)

    def _phases_at(self, index: int) -> torch.Tensor:
        return torch.exp(-1j * self.energies * float(self.problem.times[index])).to(self.dtype)


def _multiply(matrix: torch.Tensor, columns: torch.Tensor, out: torch.Tensor) -> None:
    """Write `matrix @ columns` to `out`; complex `columns` and `out` of shape `(D, M)`, rows without gaps inside."""
    if not matrix.is_complex():
        columns, out = torch.view_as_real(columns).flatten(1), torch.view_as_real(out).flatten(1)
    torch.mm(matrix, columns, out=out)


def dense_cost(problem: Problem, *, real: bool = True, itemsize: int = 16) -> Cost:
    """Predict the cost of `EigenbasisPropagator` for `problem`, of any size; no error is promised.

    The memory is that of 5 matrices (the operator, the eigenvectors and the workspace of LAPACK's divide and conquer)
    and 3 blocks. The diagonalisation takes `9 D**3` operations, each state and time `4 D**2`; where the matrix is
    complex, four times and twice as many.

    Args:
        problem: the size, time grid and largest batch.
        real: whether the matrix is real symmetric.
        itemsize: bytes of one amplitude of the evolved states.
    """
    dim = 2.0 ** min(problem.size, 300)
    columns = float(problem.batch * (problem.steps + 1))
    matrix_bytes = dim**2 * (8 if real else 16)
    block_bytes = min(LARGEST_BLOCK_BYTES, dim * columns * itemsize)
    operations = 9 * dim**3 * (1 if real else 4) + 4 * dim**2 * columns * (1 if real else 2)
    return Cost(5 * matrix_bytes + 3 * block_bytes, operations)
