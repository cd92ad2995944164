"""A sum of Pauli strings as layers of commuting gates, and their exponentials as a program for the compiled kernel.

Strings on the same sites (up to three) make one gate, the exponential of their sum; a longer string is a gate by
itself, `exp(-i t c P) = cos(c t) - i sin(c t) P`. Strings of Z alone that share their sites with no other are the
diagonal, one vector of phases. A layer is a set of gates that commute with each other, so that it is exponentiated
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pauli_kernels import _bits
from pauli_kernels._formula.loops import EXCHANGE, ONE, STRING, THREE, TWO
from pauli_kernels._strings import Term, matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

TILE_SITES = 12
"""Sites whose amplitudes are worked on at once: 64 kB in double precision, in the second cache of a core."""

COLUMN_SITES = 4
"""The last sites belong to every tile: 16 neighbouring amplitudes are fetched together."""

LONGEST = 3
"""Largest number of sites of a gate made of several strings."""


@dataclass(frozen=True)
class Gate:
    """Some Pauli strings that are exponentiated together: on the same sites, or one string alone."""

    terms: tuple[Term, ...]

    @property
    def sites(self) -> tuple[int, ...]:
        """Sites in rising order."""
        return tuple(sorted(self.terms[0].sites))

    def commutes(self, other: Gate) -> bool:
        """Whether every string commutes with every one of `other`."""
        return all(_commute(mine, theirs) for mine in self.terms for theirs in other.terms)

    @cached_property
    def _eigensystem(self) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        sites = self.sites
        energies, vectors = np.linalg.eigh(matrix(len(sites), [term.on(sites) for term in self.terms]))
        return energies, vectors.astype(np.complex128)

    def matrix(self, action: float) -> tuple[int, NDArray[np.complex128]]:
        """Return the kind of the gate and `exp(-i action h)` in the upper left corner of an 8x8 matrix.

        Of a string that is too long for a matrix only the cosine and the partner's factor stand there.
        """
        corner = np.zeros((8, 8), np.complex128)
        if len(self.sites) > LONGEST:
            angle = action * self.terms[0].coefficient
            corner[0, 0] = np.cos(angle)
            corner[0, 1] = -1j * np.sin(angle) * (-1j) ** self.terms[0].letters.count("Y")
            return STRING, corner
        energies, vectors = self._eigensystem
        dim = len(energies)
        corner[:dim, :dim] = vectors * np.exp(-1j * action * energies) @ vectors.conj().T
        return {2: ONE, 4: EXCHANGE if self._keeps_magnetization else TWO, 8: THREE}[dim], corner

    @cached_property
    def _keeps_magnetization(self) -> bool:
        energies, vectors = self._eigensystem
        operator = vectors * energies @ vectors.conj().T
        mixed = operator[[0, 0, 0, 1, 2], [1, 2, 3, 3, 3]] if len(energies) == 4 else np.ones(1)
        return bool(np.abs(mixed).max() < 1e-14 * max(1.0, np.abs(energies).max()))


def _commute(one: Term, other: Term) -> bool:
    letters = dict(zip(one.sites, one.letters, strict=True))
    differing = sum(letters.get(s, p) != p for s, p in zip(other.sites, other.letters, strict=True))
    return differing % 2 == 0


def split(terms: Iterable[Term]) -> tuple[list[Term], list[list[Gate]]]:
    """Return the diagonal part of a Hamiltonian and layers of commuting gates; together they are all of it."""
    groups: dict[tuple[int, ...], list[Term]] = {}
    for term in terms:
        groups.setdefault(tuple(sorted(term.sites)), []).append(term)
    diagonal: list[Term] = []
    gates: list[Gate] = []
    for sites, group in groups.items():
        if all(term.is_diagonal for term in group):
            diagonal += group
        elif len(sites) <= LONGEST:
            gates.append(Gate(tuple(group)))
        else:
            diagonal += [term for term in group if term.is_diagonal]
            gates += [Gate((term,)) for term in group if not term.is_diagonal]
    layers: list[list[Gate]] = []
    for gate in sorted(gates, key=lambda gate: (len(gate.sites), gate.sites)):
        for layer in layers:
            if all(gate.commutes(other) for other in layer):
                layer.append(gate)
                break
        else:
            layers.append([gate])
    return diagonal, layers


class Pack(NamedTuple):
    """Gates of one layer whose sites are all among the `sites` of one tile, which are in order."""

    gates: tuple[Gate, ...]
    sites: tuple[int, ...]


def packs(layer: Sequence[Gate], size: int) -> list[Pack]:
    """Distribute the gates of a layer among as few tiles as a greedy choice finds."""
    width = min(size, TILE_SITES)
    always = range(size - COLUMN_SITES, size) if size > COLUMN_SITES else range(size)
    found: list[tuple[list[Gate], set[int]]] = []
    for gate in sorted(layer, key=lambda gate: gate.sites, reverse=True):
        for gates, sites in found:
            if len(sites | set(gate.sites)) <= width:
                gates.append(gate)
                sites.update(gate.sites)
                break
        else:
            found.append(([gate], {*always, *gate.sites}))
    return [Pack(tuple(gates), _tile(sites, size)) for gates, sites in found]


def _tile(sites: Iterable[int], size: int) -> tuple[int, ...]:
    """Return `sites`, made up to a tile by the last others, in order."""
    chosen = dict.fromkeys([*sites, *reversed(range(size))])
    return tuple(sorted(list(chosen)[: min(size, TILE_SITES)]))


class Program(NamedTuple):
    """What the compiled kernel works off, step by step.

    Attributes:
        phase: of each step, the row of `phases` that multiplies a state first, or -1.
        pack: of each step, the pack of gates that follows.
        phases: diagonal factors, shape `(P, 2**N)`.
        pack_start: where the gates of each pack begin in the arrays of gates, and the end.
        tiling: of each pack, the row of `rows` and `bases`.
        rows: offsets of the rows of a tile, shape `(tilings, R)`.
        bases: offsets of the tiles, shape `(tilings, 2**N / tile)`.
        columns: neighbouring amplitudes in a row of a tile.
        kinds: of each gate, one of those in `loops`.
        gates_re: real parts of the matrices, shape `(gates, 8, 8)`.
        gates_im: imaginary parts.
        places: bits of a gate's sites within the tile, or the masks of its string, shape `(gates, 3)`.
    """

    phase: NDArray[np.int64]
    pack: NDArray[np.int64]
    phases: NDArray[np.complexfloating]
    pack_start: NDArray[np.int64]
    tiling: NDArray[np.int64]
    rows: NDArray[np.int64]
    bases: NDArray[np.int64]
    columns: int
    kinds: NDArray[np.int64]
    gates_re: NDArray[np.floating]
    gates_im: NDArray[np.floating]
    places: NDArray[np.int64]


def compile_program(
    size: int,
    energies: NDArray[np.float64] | None,
    layers: Sequence[Sequence[Pack]],
    sequence: Sequence[tuple[int, float]],
    dtype: type[np.complexfloating],
) -> Program:
    """Write a sequence of exponentials as a program.

    Args:
        size: number of spins.
        energies: the diagonal, shape `(2**N,)`, or None.
        layers: the packs of each layer.
        sequence: pairs `(layer, action)` in order; layer -1 is the diagonal.
        dtype: of the states.
    """
    collected = _Collection(size)
    phases: dict[float, int] = {}
    numbers: dict[tuple[int, float], list[int]] = {}
    steps: list[tuple[int, int]] = []  # a row of phases that multiplies the states first, or -1, and a pack
    waiting = -1
    for layer, action in sequence:
        if layer < 0:
            waiting = phases.setdefault(action, len(phases))
        else:
            if (layer, action) not in numbers:
                numbers[layer, action] = [collected.number(pack, action) for pack in layers[layer]]
            for number in numbers[layer, action]:
                steps.append((waiting, number))
                waiting = -1
    if waiting >= 0 or not steps:
        steps.append((waiting, collected.number(Pack((), _tile((), size)), 0.0)))
    rotations = [] if energies is None else [np.exp(-1j * action * energies) for action in phases]
    return collected.program(steps, np.array(rotations, dtype).reshape(-1, _bits.dimension(size)))


class _Collection:
    """The packs of a program, and their tilings, each kept once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._packs: list[tuple[Pack, float]] = []
        self._tilings: dict[tuple[int, ...], int] = {}

    def number(self, pack: Pack, action: float) -> int:
        """Keep the gates of a pack, exponentiated for an action, and return their number."""
        self._tilings.setdefault(pack.sites, len(self._tilings))
        self._packs.append((pack, action))
        return len(self._packs) - 1

    def program(self, steps: Sequence[tuple[int, int]], phases: NDArray[np.complexfloating]) -> Program:
        """Return the arrays."""
        count = sum(len(pack.gates) for pack, _ in self._packs)
        kinds, places = np.zeros(count, np.int64), np.zeros((count, 3), np.int64)
        matrices = np.zeros((count, 8, 8), phases.dtype)
        starts = [0]
        for pack, action in self._packs:
            for number, gate in enumerate(pack.gates, starts[-1]):
                kinds[number], matrices[number] = gate.matrix(action)
                places[number] = _places(gate, pack.sites, string=kinds[number] == STRING)
            starts.append(starts[-1] + len(pack.gates))
        columns = min(self.size, COLUMN_SITES)
        inside = [sites[: len(sites) - columns] for sites in self._tilings]
        outside = [[site for site in range(self.size) if site not in sites] for sites in self._tilings]
        phase, pack_numbers = np.array(steps, np.int64).T
        return Program(
            phase=phase.copy(),
            pack=pack_numbers.copy(),
            phases=phases,
            pack_start=np.array(starts, np.int64),
            tiling=np.array([self._tilings[pack.sites] for pack, _ in self._packs], np.int64),
            rows=np.array([_offsets(sites, self.size) for sites in inside]),
            bases=np.array([_offsets(sites, self.size) for sites in outside]),
            columns=_bits.dimension(columns),
            kinds=kinds,
            gates_re=matrices.real.copy(),
            gates_im=matrices.imag.copy(),
            places=places,
        )


def _offsets(sites: Sequence[int], size: int) -> NDArray[np.int64]:
    """Return the index of every basis state that has spins down on `sites` alone, in rising order."""
    offsets: NDArray[np.int64] = np.zeros(1, np.int64)
    for site in sites:
        offsets = np.add.outer(offsets, np.array([0, _bits.site_mask(site, size)])).reshape(-1)
    return offsets


def _places(gate: Gate, tile: tuple[int, ...], *, string: bool) -> tuple[int, ...]:
    """Return the bits of a gate's sites in a tile's own numbering, three numbers; see `Program.places`."""
    if not string:
        return (*(_bits.site_mask(tile.index(site), len(tile)) for site in gate.sites), 0, 0, 0)[:3]
    [term] = gate.terms
    flips, signed = term.on(tile).masks(len(tile))
    return flips, signed, _bits.highest_bit(flips)
