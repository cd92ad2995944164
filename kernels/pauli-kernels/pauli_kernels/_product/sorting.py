"""A sum of Pauli strings sorted into what the CPU kernel does with it; no matrix is stored.

The index of an amplitude is `b = RUN * R + k`: run R and place k in it, and `R = runs * panel + r`. A string that
flips the mask m and has Z or Y on the bits s maps `psi[b ^ m]` to b with the factor `c (-i)^(number of Y) chi(b & s)`,
where chi is -1 for an odd number of bits. Both masks fall into their parts in the panel, in
r and in k, and strings with the same flips are put together by what their factor depends on:

- *uniform*: constant over a panel (a transverse field; an exchange of two high bits, 0 for half of the panels);
  those between panels that lie far apart are *far*, and get a pass of their own (see `far`);
- *rows*: constant over a run, different from run to run of a panel; only what is not zero is listed for each r;
- *lanes*: all that permutes the places in a run or whose factor changes there or is imaginary: the run's 32 reals are
  permuted by an exclusive or and multiplied by 32 factors.

A factor's sign in the panel is common to a group and looked up once a panel.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pauli_kernels import _bits
from pauli_kernels._product.lanes import CHUNK, REALS, RUN
from pauli_kernels._strings import diagonal, groups_by_flip, signs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pauli_kernels._strings import Signs, Term

PANEL_RUNS = 64
"""Runs of a panel: its 1024 sums of 16 bytes fill half of a first cache of 32 kB."""

FIELD_BITS = 4
"""Bits within a run."""

NEAR_PANELS = 16
"""Panels that lie closer are found in a second cache of 512 kB: 16 of 16 kB, beside what is written."""

SMALLEST_APART = 128
"""Panels of a state from which on a pass over it costs less than flips that miss the second cache."""

FAR_BITS = 8
"""Most bits of one pass: 256 rows of 512 bytes still fit into the second cache."""

Uniform = tuple[int, list[tuple[int, float]]]
"""Flip in runs, and its terms: mask of the signs in the panel index, and the factor."""


class Far(NamedTuple):
    """Uniform flips of some neighbouring bits of the panel index; a row is what one value of these bits selects."""

    rows: int
    """Two to the power of the number of bits."""
    stride: int
    """Panels from one row to the next."""
    flips: NDArray[np.int64]
    """Masks of row bits."""
    flip_start: NDArray[np.int64]
    flip_signs: NDArray[np.int64]
    """Masks of bits of the panel index."""
    flip_factors: NDArray[np.floating]


class Near(NamedTuple):
    """The diagonal and all but far flips, as the kernel reads them.

    Every array more would cost compiled code with each call, so all lists stand in two.
    """

    diagonal: NDArray[np.floating]
    """Shape `(2**N,)`, at least one run."""
    table: NDArray[np.int64]
    numbers: NDArray[np.floating]
    runs: int
    """Runs in a panel."""
    flip_count: int
    """Number of uniform flips."""
    leaving: int
    """How many of them leave the panel: the first ones."""
    sign_count: int
    """Length of the list of panel signs."""
    inside: bool
    """Whether any factor of `field` is not zero."""
    # Where each list begins in `table` or, for factors, in `numbers`; masks of flips are in runs.
    flips: int
    flip_start: int
    """Offsets of the terms of each uniform flip."""
    flip_signs: int
    flip_factors: int
    field: int
    """Four factors, of the flips of one of the four lowest bits that have the same factor everywhere."""
    panel_signs: int
    """Masks of bits of the panel index; `row_sign` and `lane_sign` count in this list."""
    row_start: int
    """Offsets of the entries of each r."""
    row_flips: int
    row_factors: int
    row_sign: int
    lane_start: int
    """Offsets of the entries of each r."""
    lane_flips: int
    lane_chunks: int
    """Exclusive or on the chunks of a run; `lane_kind` is the one on the reals of a chunk, 0 to 3."""
    lane_kind: int
    lane_vector: int
    """Offset of the 32 factors in `vectors`."""
    lane_sign: int
    vectors: int


class Sorted(NamedTuple):
    """A Hamiltonian sorted for the kernels.

    Attributes:
        near: the diagonal and all but far flips.
        far: far flips, by group.
        passes: reads of a run that one run of the product takes on average: the measure of its work in the cache.
    """

    near: Near
    far: list[Far]
    passes: float


def build(size: int, terms: Iterable[Term], real: type[np.floating]) -> Sorted:
    """Sort the strings of H for arrays of reals of the type `real`."""
    groups = groups_by_flip(size, terms)
    dim = max(RUN, _bits.dimension(size))
    runs = min(PANEL_RUNS, dim // RUN)
    split = _Split(runs)
    uniform: list[Uniform] = []
    for mask, group in groups.items():
        if mask:
            split.add(mask, group, uniform)
    far, uniform = _far(uniform, runs, dim // RUN // runs, real)
    uniform.sort(key=lambda flip: flip[0] < runs)
    lanes = [entry for row in split.lanes for entry in row]
    rows = [entry for row in split.rows for entry in row]
    integers = {
        **_flips(uniform),
        "panel_signs": list(split.panel_signs),
        "row_start": _starts(split.rows),
        "row_flips": [flip for flip, _, _ in rows],
        "row_sign": [sign for _, _, sign in rows],
        "lane_start": _starts(split.lanes),
        "lane_flips": [flip for flip, _, _, _ in lanes],
        "lane_chunks": [exchanged // CHUNK for _, exchanged, _, _ in lanes],
        "lane_kind": [exchanged % CHUNK for _, exchanged, _, _ in lanes],
        "lane_vector": [vector * REALS for _, _, vector, _ in lanes],
        "lane_sign": [sign for _, _, _, sign in lanes],
    }
    factors = {
        "flip_factors": _factors(uniform),
        "field": split.field.tolist(),
        "row_factors": [factor for _, factor, _ in rows],
        "vectors": [factor for vector in split.vectors for factor in vector],
    }
    near = Near(
        diagonal=diagonal(groups.get(0, ()), dim).astype(real, copy=False),
        table=np.array([*itertools.chain(*integers.values())], dtype=np.int64),
        numbers=np.array([*itertools.chain(*factors.values())], dtype=real),
        runs=runs,
        flip_count=len(uniform),
        leaving=sum(mask >= runs for mask, _ in uniform),
        sign_count=len(split.panel_signs),
        inside=bool(split.field.any()),
        **_begins(integers),
        **_begins(factors),
    )
    passes = 1 + np.count_nonzero(split.field) / 2 + len(uniform) + sum(len(group.flips) for group in far)
    return Sorted(near, far, passes + (len(rows) + 2 * len(lanes)) / runs)


def _begins(lists: Mapping[str, Sequence[float]]) -> dict[str, int]:
    lengths = [len(values) for values in lists.values()]
    return dict(zip(lists, itertools.accumulate(lengths, initial=0), strict=False))


def _flips(uniform: list[Uniform]) -> dict[str, list[int]]:
    return {
        "flips": [mask for mask, _ in uniform],
        "flip_start": list(itertools.accumulate((len(terms) for _, terms in uniform), initial=0)),
        "flip_signs": [mask for _, terms in uniform for mask, _ in terms],
    }


def _factors(uniform: list[Uniform]) -> list[float]:
    return [factor for _, terms in uniform for _, factor in terms]


def _far(uniform: list[Uniform], runs: int, panels: int, real: type[np.floating]) -> tuple[list[Far], list[Uniform]]:
    """Part uniform flips into those of one group of far bits each, by group, and the others."""
    if panels < SMALLEST_APART:
        return [], uniform
    lowest, highest = NEAR_PANELS.bit_length() - 1, panels.bit_length() - 1
    groups = -(-(highest - lowest) // FAR_BITS)
    ends = [lowest + (highest - lowest) * group // groups for group in range(groups + 1)]
    far = []
    for low, high in itertools.pairwise(ends):
        reach = runs * ((1 << high) - (1 << low))
        mine = [(mask // runs >> low, terms) for mask, terms in uniform if mask & ~reach == 0]
        uniform = [flip for flip in uniform if flip[0] & ~reach]
        if mine:
            lists = {name: np.array(values, dtype=np.int64) for name, values in _flips(mine).items()}
            factors = np.array(_factors(mine), dtype=real)
            far.append(Far(rows=1 << (high - low), stride=1 << low, flip_factors=factors, **lists))
    return far, uniform


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
        self.panel_signs: dict[int, int] = {}
        self.vectors: dict[tuple[float, ...], int] = {}
        self.field = np.zeros(FIELD_BITS)
        self._r = np.arange(runs)
        self._k = np.arange(RUN)

    def add(self, mask: int, group: list[Signs], uniform: list[Uniform]) -> None:
        flip, places = divmod(mask, RUN)
        for imaginary in (False, True):
            chosen = [(s, c.imag if imaginary else c.real) for s, c in group if (c.real == 0) == imaginary]
            if not chosen:
                continue
            if flip == 0 and places.bit_count() == 1 and not imaginary and all(signed == 0 for signed, _ in chosen):
                self.field[places.bit_length() - 1] += sum(c for _, c in chosen)
            elif places or imaginary or any(signed % RUN for signed, _ in chosen):
                self._add_lanes(flip, 2 * places + imaginary, chosen)
            elif any(signed // RUN % self.runs for signed, _ in chosen):
                for sign, part in self._by_panel_sign(chosen):
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
        for sign, part in self._by_panel_sign(terms):
            factors = np.zeros((self.runs, RUN))
            for s, c in part:
                factors += c * np.outer(signs(self._r, s // RUN % self.runs), signs(self._k, s % RUN))
            for r in range(self.runs):
                if factors[r].any():
                    vector = tuple(np.outer(factors[r], parts).reshape(-1).tolist())
                    index = self.vectors.setdefault(vector, len(self.vectors))
                    self.lanes[r].append((flip, exchanged, index, sign))

    def _by_panel_sign(self, terms: list[tuple[int, float]]) -> Iterator[tuple[int, list[tuple[int, float]]]]:
        parts: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for signed, coefficient in terms:
            parts[signed // RUN // self.runs].append((signed, coefficient))
        for mask, part in parts.items():
            yield self.panel_signs.setdefault(mask, len(self.panel_signs)), part


def _starts(rows: Sequence[Sequence[object]]) -> list[int]:
    return list(itertools.accumulate((len(row) for row in rows), initial=0))
