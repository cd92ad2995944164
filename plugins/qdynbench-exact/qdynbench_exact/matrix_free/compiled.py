"""The matrix-free product on the CPU: states as the flat arrays of reals that the compiled loops work on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench.physics import basis
from qdynbench.physics.operators import PauliSum
from qdynbench_exact.matrix_free import cost, cpu, orthogonal
from qdynbench_exact.matrix_free.lanes import REALS
from qdynbench_exact.matrix_free.program import build

if TYPE_CHECKING:
    from numpy.typing import NDArray

THREADS_SECONDS = 6e-5
"""Work that one thread does in less time is done before others have woken up."""

TASKS = 4
"""For each thread: one that was held up leaves the rest to the others."""


@functools.cache
def compile_loops(dtype: torch.dtype) -> None:
    """Compile all loops, or read them from the disk, and wake the threads: once, before any state is known."""
    kernel = CompiledKernel(PauliSum.from_terms(4, [(1.0, "X", (0,))]), dtype, threads=2)
    states = torch.zeros(2, 1, 16, dtype=dtype)
    weights, phases = np.ones((1, 1)), np.ones(1, np.complex128)
    kernel.combine(states, weights, phases, states, False)
    kernel.orthogonalise(states, states[:, 0].clone())
    kernel.orthogonalise(states[:1], states[:1, 0].clone())
    kernel.apply(states[:, 0], states[:, 0], 1.0, 0.0, None, 0.0, False)
    kernel.expand(states[:, 0], weights, phases, states, 1.0, 0.0)
    kernel.threads_seconds = 0.0
    kernel.apply(states[:, 0], states[:, 0], 1.0, 0.0, None, 0.0, False)
    kernel.expand(states[:, 0], weights, phases, states, 1.0, 0.0)


class CompiledKernel:
    """What `MatrixFree` does on a CPU.

    Args:
        hamiltonian: the sum of Pauli strings.
        dtype: of the states.
        threads: number of threads.

    Attributes:
        diagonal: of H, shape `(2**N,)`.
        passes: see `MatrixFree`.
        threads_seconds: what is expected to take less time is left to one thread.
    """

    threads_seconds = THREADS_SECONDS

    def __init__(self, hamiltonian: PauliSum, dtype: torch.dtype, threads: int) -> None:
        self._real = np.float32 if dtype == torch.complex64 else np.float64
        self._complex = np.complex64 if dtype == torch.complex64 else np.complex128
        self._threads = threads
        self._dim = basis.dimension(hamiltonian.size)
        self._program = build(hamiltonian, self._real)
        self.passes = self._program.passes
        self.diagonal = self._program.diagonal[: self._dim]

    def apply(
        self,
        x: torch.Tensor,
        out: torch.Tensor,
        alpha: float,
        shift: float,
        previous: torch.Tensor | None,
        beta: float,
        rotate: bool,
    ) -> None:
        """Write the product; see `MatrixFree.apply`."""
        width = len(self._program.diagonal)
        if self._dim < width:
            # A kernel's run is longer than the state.
            padded, result = torch.zeros(2, len(x), width, dtype=x.dtype)
            padded[:, : self._dim] = x
            if previous is not None:
                result[:, : self._dim] = previous
            self._product(padded, result, alpha, shift, result, beta if previous is not None else 0.0, rotate)
            out.copy_(result[:, : self._dim])
        else:
            self._product(x, out, alpha, shift, previous, beta, rotate)

    def _product(
        self,
        x: torch.Tensor,
        out: torch.Tensor,
        alpha: float,
        shift: float,
        previous: torch.Tensor | None,
        beta: float,
        rotate: bool,
    ) -> None:
        arrays = []
        for array in (x, out if previous is None else previous, out):
            arrays += [self._flat(array), 2 * array.stride(0)]
        beta = 0.0 if previous is None else beta
        arguments = (self._program, len(x), *arrays, float(alpha), float(beta), float(shift), rotate)
        if self._tasks(len(x) * self._dim * self.passes) == 1:
            cpu.product(*arguments)
        else:
            with cpu.pool(self._threads):
                cpu.product_threads(*arguments)

    def combine(
        self,
        vectors: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        add: bool,
    ) -> None:
        """Write or add combinations; see `MatrixFree.combine`."""
        weights = coefficients.astype(self._real)
        turns = self._turns(phases)
        reals = 2 * self._dim
        for mine, result in zip(vectors, out, strict=True):
            with cpu.pool(self._threads):
                cpu.combine_threads(
                    reals // REALS, self._flat(mine), 2 * mine.stride(0), weights, turns,
                    self._flat(result), reals, add,
                )  # fmt: skip

    def orthogonalise(self, before: torch.Tensor, new: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Make vectors orthogonal; see `MatrixFree.orthogonalise`. States have at least one run."""
        batch, count = before.shape[:2]
        components, norms = np.zeros((2, batch))
        runs, step = 2 * self._dim // REALS, 2 * before.stride(1)
        with cpu.pool(self._threads):
            if batch >= self._threads:
                orthogonal.orthogonalise_states(
                    runs, count, self._flat(before), 2 * before.stride(0), step,
                    self._flat(new), 2 * new.stride(0), components, norms,
                )  # fmt: skip
            else:
                for b in range(batch):
                    vectors, one = self._flat(before[b]), self._flat(new[b : b + 1])
                    components[b], norms[b] = orthogonal.orthogonalise_runs(runs, count, vectors, step, one)
        return components, norms

    def expand(
        self,
        states: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        scale: float,
        shift: float,
    ) -> None:
        """Evolve each state by itself; see `MatrixFree.expand`."""
        outputs, terms = coefficients.shape
        tasks = self._tasks(len(states) * self._dim * terms * (self.passes + outputs))
        arguments = (
            self._program,
            len(states),
            2 * self._dim,
            states.numpy().reshape(-1).view(self._real),
            float(scale),
            float(shift),
            coefficients.astype(self._real),
            self._turns(phases),
            out.numpy().reshape(-1).view(self._real),
        )
        if tasks == 1 or len(states) == 1:
            cpu.expand(*arguments)
        else:
            with cpu.pool(self._threads):
                cpu.expand_threads(min(len(states), tasks), *arguments)

    def _tasks(self, work: float) -> int:
        seconds = work * cost.PASS_SECONDS
        return 1 if self._threads == 1 or seconds < self.threads_seconds else TASKS * self._threads

    def _turns(self, phases: NDArray[np.complex128]) -> NDArray[np.floating]:
        turns: NDArray[np.floating] = phases.astype(self._complex).view(self._real)
        return turns.reshape(-1, 2)

    def _flat(self, array: torch.Tensor) -> NDArray[np.floating]:
        """Return all memory from the first real to the last; torch's strides say where the rows are."""
        last = sum((count - 1) * stride for count, stride in zip(array.shape, array.stride(), strict=True))
        length = 2 * (last + 1) if array.numel() else 0
        flat: NDArray[np.floating] = torch.view_as_real(array).as_strided((length,), (1,)).numpy()
        return flat
