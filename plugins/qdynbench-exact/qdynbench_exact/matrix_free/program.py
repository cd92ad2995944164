"""A sum of Pauli strings sorted into what the CPU kernel does with it; no matrix is stored.

The index of an amplitude is `b = RUN * R + k`: run R and place k in it, and `R = runs * block + r`. A string that
flips the mask m and has Z or Y on the bits s maps `psi[b ^ m]` to b with the factor `c (-i)^(number of Y) chi(b & s)`,
where chi is -1 for an odd number of bits (as in `PauliSum.flips`). Both masks fall into their parts in the block, in
r and in k, and strings with the same flips are put together by what their factor depends on:

- *uniform*: constant over a block (a transverse field; an exchange of two high bits, 0 for half of the blocks);
- *rows*: constant over a run, different from run to run of a block; only what is not zero is listed for each r;
- *lanes*: all that permutes the places in a run or whose factor changes there or is imaginary: the run's 32 reals are
  permuted by an exclusive or and multiplied by 32 factors.

A factor's sign in the block is common to a group and looked up once a block.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qdynbench.physics import basis
from qdynbench_exact.matrix_free.lanes import CHUNK, REALS, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum

BLOCK_RUNS = 64
"""Runs of a block: its 1024 sums of 16 bytes fill half of a first cache of 32 kB."""

FIELD_BITS = 4
"""Bits within a run."""

Term = tuple[int, complex]
"""Mask of the bits whose spins' signs multiply, and the coefficient."""


class Program(NamedTuple):
    """What the kernel reads; masks of flips are in runs, `*_start` are offsets of the lists for each r."""

    diagonal: NDArray[np.floating]
    """Shape `(2**N,)`, at least one run."""
    runs: int
    """Runs in a block."""
    flips: NDArray[np.int64]
    """Masks of the uniform flips, those that leave the block first."""
    leaving: int
    """How many leave the block."""
    flip_start: NDArray[np.int64]
    flip_signs: NDArray[np.int64]
    flip_factors: NDArray[np.floating]
    field: NDArray[np.floating]
    """Of the flips of one of the four lowest bits whose factor is constant everywhere; shape `(4,)`."""
    block_signs: NDArray[np.int64]
    """Masks of bits of the block index; `row_sign` and `lane_sign` count in this list."""
    row_start: NDArray[np.int64]
    row_flips: NDArray[np.int64]
    row_factors: NDArray[np.floating]
    row_sign: NDArray[np.int64]
    lane_start: NDArray[np.int64]
    lane_flips: NDArray[np.int64]
    lane_chunks: NDArray[np.int64]
    """Exclusive or on the chunks of a run; `lane_kind` is the one on the reals of a chunk, 0 to 3."""
    lane_kind: NDArray[np.int64]
    lane_vector: NDArray[np.int64]
    """Offset of the 32 factors in `vectors`."""
    lane_sign: NDArray[np.int64]
    vectors: NDArray[np.floating]

    @property
    def passes(self) -> float:
        """Reads of a run that one run of the product takes on average: the measure of its work in the cache."""
        return (
            1
            + np.count_nonzero(self.field) / 2
            + len(self.flips)
            + (len(self.row_flips) + 2 * len(self.lane_flips)) / self.runs
        )


def groups_by_flip(hamiltonian: PauliSum) -> dict[int, list[Term]]:
    """Return the strings by flip mask m, with equal signs added up: `d_m[b] = sum_t coefficient_t chi(b & signs_t)`."""
    size = hamiltonian.size
    sums: dict[int, dict[int, complex]] = defaultdict(lambda: defaultdict(complex))
    for term in hamiltonian.terms:
        letters = list(zip(term.paulis, term.sites, strict=True))
        flipped = basis.flip_mask((site for pauli, site in letters if pauli != "Z"), size)
        signed = basis.flip_mask((site for pauli, site in letters if pauli != "X"), size)
        sums[flipped][signed] += term.coefficient * (1, -1j, -1, 1j)[term.paulis.count("Y") % 4]
    return {m: [(s, c) for s, c in terms.items() if c != 0] for m, terms in sums.items()}


def signs(indices: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    """Return chi: -1 where an odd number of bits of `index & mask` is set, else 1."""
    result = np.ones(len(indices))
    while mask:
        bit = basis.highest_bit(mask)
        result[(indices & bit) != 0] *= -1
        mask ^= bit
    return result


def diagonal(terms: Iterable[Term], dim: int) -> NDArray[np.float64]:
    """Return `sum_t c_t chi(b & s_t)` for all b, shape `(dim,)`: the Walsh-Hadamard transform of the coefficients."""
    values = np.zeros(dim)
    for signed, coefficient in terms:
        values[signed] += coefficient.real
    period = 1
    while period < dim:
        pairs = values.reshape(-1, 2, period)
        upper = pairs[:, 0] - pairs[:, 1]
        pairs[:, 0] += pairs[:, 1]
        pairs[:, 1] = upper
        period *= 2
    return values


def build(hamiltonian: PauliSum, real: type[np.floating]) -> Program:
    """Sort the strings of `hamiltonian` for arrays of reals of the type `real`."""
    groups = groups_by_flip(hamiltonian)
    dim = max(RUN, basis.dimension(hamiltonian.size))
    runs = min(BLOCK_RUNS, dim // RUN)
    split = _Split(runs)
    uniform: list[tuple[int, list[tuple[int, float]]]] = []
    for mask, terms in groups.items():
        if mask:
            split.add(mask, terms, uniform)
    uniform.sort(key=lambda flip: flip[0] < runs)
    flat = [term for _, terms in uniform for term in terms]
    return Program(
        diagonal=diagonal(groups.get(0, ()), dim).astype(real, copy=False),
        runs=runs,
        flips=_integers(mask for mask, _ in uniform),
        leaving=sum(mask >= runs for mask, _ in uniform),
        flip_start=_integers(np.cumsum([0, *(len(terms) for _, terms in uniform)])),
        flip_signs=_integers(mask for mask, _ in flat),
        flip_factors=np.array([factor for _, factor in flat], dtype=real),
        field=split.field.astype(real),
        block_signs=_integers(split.block_signs),
        row_start=_starts(split.rows),
        row_flips=_integers(entry[0] for row in split.rows for entry in row),
        row_factors=np.array([entry[1] for row in split.rows for entry in row], dtype=real),
        row_sign=_integers(entry[2] for row in split.rows for entry in row),
        lane_start=_starts(split.lanes),
        lane_flips=_integers(entry[0] for row in split.lanes for entry in row),
        lane_chunks=_integers(entry[1] // CHUNK for row in split.lanes for entry in row),
        lane_kind=_integers(entry[1] % CHUNK for row in split.lanes for entry in row),
        lane_vector=_integers(entry[2] * REALS for row in split.lanes for entry in row),
        lane_sign=_integers(entry[3] for row in split.lanes for entry in row),
        vectors=np.array(list(split.vectors), dtype=real).reshape(-1),
    )


class _Split:
    """Sorts groups into uniform flips, rows and lanes.

    Attributes:
        rows: for each r, `(flip, factor, sign)`.
        lanes: for each r, `(flip, exclusive or of reals, index of the factors, sign)`.
    """

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.rows: list[list[tuple[int, float, int]]] = [[] for _ in range(runs)]
        self.lanes: list[list[tuple[int, int, int, int]]] = [[] for _ in range(runs)]
        self.block_signs: dict[int, int] = {}
        self.vectors: dict[tuple[float, ...], int] = {}
        self.field = np.zeros(FIELD_BITS)
        self._r = np.arange(runs)
        self._k = np.arange(RUN)

    def add(self, mask: int, terms: list[Term], uniform: list[tuple[int, list[tuple[int, float]]]]) -> None:
        flip, places = divmod(mask, RUN)
        for imaginary in (False, True):
            chosen = [(s, c.imag if imaginary else c.real) for s, c in terms if (c.real == 0) == imaginary]
            if not chosen:
                continue
            if flip == 0 and places.bit_count() == 1 and not imaginary and all(signed == 0 for signed, _ in chosen):
                self.field[places.bit_length() - 1] += sum(c for _, c in chosen)
            elif places or imaginary or any(signed % RUN for signed, _ in chosen):
                self._add_lanes(flip, 2 * places + imaginary, chosen)
            elif any(signed // RUN % self.runs for signed, _ in chosen):
                for sign, part in self._by_block_sign(chosen):
                    factors = np.zeros(self.runs)
                    for s, c in part:
                        factors += c * signs(self._r, s // RUN % self.runs)
                    for r in np.flatnonzero(factors):
                        self.rows[r].append((flip, float(factors[r]), sign))
            else:
                uniform.append((flip, [(s // RUN // self.runs, c) for s, c in chosen]))

    def _add_lanes(self, flip: int, exchanged: int, terms: list[tuple[int, float]]) -> None:
        # i r (x + i y) = -r y + i r x
        parts = np.array([-1.0, 1.0]) if exchanged % 2 else np.ones(2)
        for sign, part in self._by_block_sign(terms):
            factors = np.zeros((self.runs, RUN))
            for s, c in part:
                factors += c * np.outer(signs(self._r, s // RUN % self.runs), signs(self._k, s % RUN))
            for r in range(self.runs):
                if factors[r].any():
                    vector = tuple(np.outer(factors[r], parts).reshape(-1).tolist())
                    index = self.vectors.setdefault(vector, len(self.vectors))
                    self.lanes[r].append((flip, exchanged, index, sign))

    def _by_block_sign(self, terms: list[tuple[int, float]]) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        parts: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for signed, coefficient in terms:
            parts[signed // RUN // self.runs].append((signed, coefficient))
        for mask, part in parts.items():
            yield self.block_signs.setdefault(mask, len(self.block_signs)), part


def _integers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)


def _starts(rows: list[list[tuple[int, float, int]]] | list[list[tuple[int, int, int, int]]]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
