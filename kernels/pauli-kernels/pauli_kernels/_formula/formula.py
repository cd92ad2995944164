"""Product formulas on batches of states: which gates there are, which of them go together, and how they are applied."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch

from pauli_kernels import _bits
from pauli_kernels._formula.gates import TILE_SITES, compile_program, packs, split
from pauli_kernels._formula.loops import sweep
from pauli_kernels._strings import checked, signs
from pauli_kernels._threads import share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from pauli_kernels._formula.gates import Program
    from pauli_kernels._strings import Triple

THREADS_WORK = 2e5
"""Amplitudes times gates below which one thread is done before others have woken up."""


class Work(NamedTuple):
    """What one application of a formula does to every amplitude of a state."""

    passes: int
    """How often it is fetched and put back."""
    gates: int
    """How many gates work on it."""
    phases: int
    """How many vectors of phases, as long as a state, are kept."""


class ProductFormula:
    """`exp(-i s H)` approximated by a product of exactly exponentiated layers, in place on batches of states; hbar = 1.

    A layer is a set of Pauli strings that commute with each other. Layer -1, where there is one, is the diagonal: the
    strings of Z alone that share their sites with no other string. The formula says in which order the layers follow
    each other, and how long each acts.

    Args:
        size: number of spins N.
        terms: triples `(coefficient, letters, sites)`, such as `(0.5, "XZ", (0, 3))`.
        formula: `formula(layers, s)` returns the factors of `exp(-i s H)` as pairs `(layer, action)`, the one that acts
            first at the beginning.
        dtype: of the states, complex128 or complex64.
        threads: number of CPU threads.

    Attributes:
        size: number of spins.
        layers: the numbers of the layers.

    Raises:
        ValueError: terms that are no Hermitian sum of Pauli strings on `size` spins, or a string with other letters
            than Z on more than `tile_sites` sites.
    """

    tile_sites: ClassVar[int] = TILE_SITES
    """Sites whose amplitudes are worked on at once: a state of no more spins takes all its steps in the cache."""

    def __init__(
        self,
        size: int,
        terms: Iterable[Triple],
        formula: Callable[[Sequence[int], float], Sequence[tuple[int, float]]],
        dtype: torch.dtype = torch.complex128,
        threads: int = 1,
    ) -> None:
        strings = checked(size, terms)
        for term in strings:
            if len(term.sites) > TILE_SITES and not term.is_diagonal:
                raise ValueError(
                    f"a gate reaches over at most {TILE_SITES} sites, {term.letters} has {len(term.sites)}"
                )
        self.size, self.threads = size, threads
        self._formula, self._dtype = formula, np.complex64 if dtype == torch.complex64 else np.complex128
        self._diagonal, gates = split(strings)
        self._layers = [packs(layer, size) for layer in gates]
        self.layers = range(-1 if self._diagonal else 0, len(self._layers))
        self._programs: dict[str, Program] = {}

    def work(self, action: float) -> Work:
        """Return what one application for this action does; nothing is exponentiated or kept."""
        factors = self._formula(self.layers, action)
        packed = [self._layers[layer] for layer, _ in factors if layer >= 0]
        return Work(
            passes=sum(map(len, packed)) + sum(layer < 0 for layer, _ in factors),
            gates=sum(len(pack.gates) for layer in packed for pack in layer),
            phases=len({part for layer, part in factors if layer < 0}),
        )

    def prepare(self, action: float) -> None:
        """Exponentiate the gates for this action, and compile the loops or read them from the disk."""
        compile_loops(self._dtype)
        self._program(action)

    def evolve(self, states: torch.Tensor, action: float, out: torch.Tensor) -> None:
        """Write `U**(j + 1) states[b]` to `out[b, j]`, with U the formula's `exp(-i action H)`.

        Args:
            states: shape `(B, 2**N)`, contiguous, on the CPU.
            action: s, positive or negative.
            out: shape `(B, m, 2**N)`, contiguous, of the dtype of `states`, and no part of them.
        """
        program = self._program(action)
        arrays = states.numpy(), out.numpy()
        columns = out.shape[1]
        if self.size <= TILE_SITES:
            self._sweep(program, arrays, 0, columns, 0, len(program.pack))
            return
        tilings = program.tiling[program.pack]
        ends = [*(np.flatnonzero(np.diff(tilings)) + 1).tolist(), len(tilings)]
        for column in range(columns):
            for first, last in zip([0, *ends], ends, strict=False):
                self._sweep(program, arrays, column, 1, first, last)

    def _sweep(
        self,
        program: Program,
        arrays: tuple[NDArray[Any], NDArray[Any]],
        column: int,
        repeat: int,
        first: int,
        last: int,
    ) -> None:
        units = len(arrays[0]) * program.bases.shape[1]
        work = functools.partial(sweep, program, *arrays, column, repeat, first, last)
        share(self.threads if arrays[0].size * repeat * (last - first) >= THREADS_WORK else 1, units, work)

    def _program(self, action: float) -> Program:
        # Actions that are meant to be alike differ by rounding.
        key = f"{action:.10e}"
        if key not in self._programs:
            factors = self._formula(self.layers, action)
            self._programs[key] = compile_program(self.size, self._energies, self._layers, factors, self._dtype)
        return self._programs[key]

    @functools.cached_property
    def _energies(self) -> NDArray[np.float64] | None:
        """The diagonal, shape `(2**N,)`, or None."""
        if not self._diagonal:
            return None
        indices = np.arange(_bits.dimension(self.size))
        energies = np.zeros(len(indices))
        for term in self._diagonal:
            energies += term.coefficient * signs(indices, term.masks(self.size)[1])
        return energies


@functools.cache
def compile_loops(dtype: type[np.complexfloating]) -> None:
    """Compile all loops, or read them from the disk: once, before any state is known."""
    program = compile_program(1, np.zeros(2), [], [(-1, 0.0)], dtype)
    sweep(program, np.zeros((1, 2), dtype), np.zeros((1, 1, 2), dtype), 0, 1, 0, 1, 0, 1)
