"""The matrix-free product on the CPU: states as the flat arrays of reals that the compiled loops work on."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch

from pauli_kernels import _bits
from pauli_kernels._product import cpu, far, orthogonal
from pauli_kernels._product.lanes import REALS, RUN
from pauli_kernels._product.sorting import Far, build
from pauli_kernels._strings import Term
from pauli_kernels._threads import share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

THREADS_WORK = 2e-4 / 6e-11
"""Amplitudes times passes over them, 60 ps each, that one thread has done before others have woken up, in 0.2 ms."""


@functools.cache
def compile_loops(dtype: torch.dtype) -> None:
    """Compile all loops, or read them from the disk: once, before any state is known."""
    kernel = CompiledKernel(4, [Term(1.0, "X", (0,))], dtype, threads=2)
    states = torch.zeros(2, 1, 16, dtype=dtype)
    weights, phases = np.ones((1, 1)), np.ones(1, np.complex128)
    kernel.combine(states, weights, phases, states, False)
    kernel.orthogonalise(states, states[:, 0].clone())
    kernel.orthogonalise_one(1, states[0], states[:1, 0].clone())
    kernel.apply(states[:, 0], states[:, 0], 1.0, 0.0, None, 0.0, False)
    kernel.expand(states[:, 0], weights, phases, states, 1.0, 0.0)
    flip = np.ones(1, np.int64)
    group = Far(2, 1, flip, np.arange(2), flip - 1, np.ones(1, kernel.real))
    flat = np.zeros(2 * REALS, kernel.real)
    far.add_far(group, 1, 1, 1, flat, 0, flat, 0, flat, 0, 1.0, 0.0, False, 0, 1)


class CompiledKernel:
    """What `PauliOperator` does on a CPU.

    Args:
        size: number of spins.
        terms: the Pauli strings.
        dtype: of the states.
        threads: number of threads.

    Attributes:
        diagonal: of H, shape `(2**N,)`.
        passes: see `PauliOperator`.
        real: type of the parts of an amplitude.
    """

    def __init__(self, size: int, terms: Iterable[Term], dtype: torch.dtype, threads: int) -> None:
        self.real = np.float32 if dtype == torch.complex64 else np.float64
        self._complex = np.complex64 if dtype == torch.complex64 else np.complex128
        self._threads = threads
        self._dim = _bits.dimension(size)
        self._near, self._far, self.passes = build(size, terms, self.real)
        self.diagonal = self._near.diagonal[: self._dim]
        self._panels = len(self._near.diagonal) // (RUN * self._near.runs)  # of a state

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
        """Write the product; see `PauliOperator.apply`."""
        width = len(self._near.diagonal)
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
        threads = self._busy(len(x) * self._dim * self.passes)
        for group in self._far:
            width = far.width_of(group)
            tiles = self._panels * self._near.runs // (group.rows * width)
            add_far = functools.partial(
                far.add_far, group, width, self._near.runs, tiles, *arrays, float(alpha), float(beta), rotate
            )
            share(threads, len(x) * tiles, add_far)
            arrays[2:4], beta = arrays[4:6], 1.0  # the rest is added to what has been written
        product = functools.partial(cpu.product, self._near, *arrays, float(alpha), float(beta), float(shift), rotate)
        share(threads, len(x) * self._panels, product)

    def combine(
        self,
        vectors: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        add: bool,
    ) -> None:
        """Write or add combinations; see `PauliOperator.combine`."""
        weights = coefficients.astype(self.real)
        turns = self._turns(phases)
        reals = 2 * self._dim
        threads = self._busy(self._dim * weights.size)
        for mine, result in zip(vectors, out, strict=True):
            combine = functools.partial(
                cpu.combine, self._flat(mine), 2 * mine.stride(0), weights, turns, self._flat(result), 0, reals, add
            )
            share(threads, reals // REALS, combine)

    def orthogonalise(self, before: torch.Tensor, new: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Make vectors orthogonal; see `PauliOperator.orthogonalise`. States have at least one run."""
        batch, count = before.shape[:2]
        components, norms = np.zeros((2, batch))
        runs, step = 2 * self._dim // REALS, 2 * before.stride(1)
        threads = self._busy(4 * batch * count * self._dim)
        if batch >= threads:
            orthogonalise = functools.partial(
                orthogonal.orthogonalise, runs, count, self._flat(before), 2 * before.stride(0), step,
                self._flat(new), 2 * new.stride(0), components, norms,
            )  # fmt: skip
            share(threads, batch, orthogonalise)
        else:
            for b in range(batch):
                components[b], norms[b] = self.orthogonalise_one(threads, before[b], new[b : b + 1])
        return components, norms

    def orthogonalise_one(self, threads: int, before: torch.Tensor, new: torch.Tensor) -> tuple[float, float]:
        """Make one vector, shape `(1, 2**N)`, orthogonal to those before it, `(K, 2**N)`, by all threads."""
        count, runs, step = len(before), 2 * self._dim // REALS, 2 * before.stride(0)
        vectors, one = self._flat(before), self._flat(new)
        chunks = -(-runs // orthogonal.CHUNK_RUNS)
        component, parts, squares = 0.0, np.empty((chunks, count, 2)), np.empty(chunks)
        for _ in range(2):
            share(threads, chunks, functools.partial(orthogonal.overlaps_of, runs, count, vectors, step, one, parts))
            overlaps = parts.sum(axis=0)
            subtract = functools.partial(orthogonal.subtract_from, runs, overlaps, vectors, step, one, squares)
            share(threads, chunks, subtract)
            component += float(overlaps[-1, 0])
            if (overlaps**2).sum() <= squares.sum():
                break
        return component, float(np.sqrt(squares.sum()))

    def expand(
        self,
        states: torch.Tensor,
        coefficients: NDArray[np.float64],
        phases: NDArray[np.complex128],
        out: torch.Tensor,
        scale: float,
        shift: float,
    ) -> None:
        """Evolve each state by itself; see `PauliOperator.expand`."""
        outputs, terms = coefficients.shape
        expand = functools.partial(
            cpu.expand,
            self._near,
            2 * self._dim,
            states.numpy().reshape(-1).view(self.real),
            float(scale),
            float(shift),
            coefficients.astype(self.real),
            self._turns(phases),
            out.numpy().reshape(-1).view(self.real),
        )
        share(self._busy(len(states) * self._dim * terms * (self.passes + outputs)), len(states), expand)

    def _busy(self, work: float) -> int:
        """Return how many threads are worth waking for so many amplitudes, each times the passes over it."""
        return self._threads if work > THREADS_WORK else 1

    def _turns(self, phases: NDArray[np.complex128]) -> NDArray[np.floating]:
        turns: NDArray[np.floating] = phases.astype(self._complex).view(self.real)
        return turns.reshape(-1, 2)

    def _flat(self, array: torch.Tensor) -> NDArray[np.floating]:
        """Return all memory from the first real to the last; torch's strides say where the rows are."""
        last = sum((count - 1) * stride for count, stride in zip(array.shape, array.stride(), strict=True))
        length = 2 * (last + 1) if array.numel() else 0
        flat: NDArray[np.floating] = torch.view_as_real(array).as_strided((length,), (1,)).numpy()
        return flat
