"""Pauli strings by what they do to the index of an amplitude: which spins they flip, and which signs they read."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pauli_kernels import _bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

Triple = tuple[float, str, Sequence[int]]
"""A weighted Pauli string as it is given: coefficient, letters and sites, such as `(0.5, "XZ", (0, 3))`."""

Signs = tuple[int, complex]
"""Mask of the bits whose spins' signs multiply, and the coefficient."""


class Term(NamedTuple):
    """One weighted Pauli string."""

    coefficient: float
    letters: str
    sites: tuple[int, ...]

    @property
    def is_diagonal(self) -> bool:
        """Whether all letters are Z."""
        return set(self.letters) == {"Z"}

    @property
    def phase(self) -> complex:
        """The factor `(-i)**(number of Y)` that its entries have beside their signs."""
        return (1, -1j, -1, 1j)[self.letters.count("Y") % 4]

    def masks(self, size: int) -> tuple[int, int]:
        """Return the bits that it flips (those of X and Y) and the bits whose signs it reads (those of Y and Z)."""
        letters = list(zip(self.letters, self.sites, strict=True))
        flipped = _bits.flip_mask((site for letter, site in letters if letter != "Z"), size)
        return flipped, _bits.flip_mask((site for letter, site in letters if letter != "X"), size)

    def on(self, sites: Sequence[int]) -> Term:
        """Return the string with each of its sites replaced by that site's place among `sites`."""
        return Term(self.coefficient, self.letters, tuple(sites.index(site) for site in self.sites))


def checked(size: int, terms: Iterable[Triple]) -> tuple[Term, ...]:
    """Return the terms of a Hermitian sum on `size` spins.

    Raises:
        ValueError: letters other than X, Y and Z, or not one for each site; a site out of range or twice in a string;
            a coefficient that is not a finite real number.
    """
    found = []
    for coefficient, letters, sites in terms:
        term = Term(coefficient, letters, tuple(sites))
        if not letters or set(letters) - set("XYZ") or len(letters) != len(term.sites):
            raise ValueError(f"{term}: one letter X, Y or Z for each site expected")
        if len(set(term.sites)) != len(term.sites) or not all(0 <= site < size for site in term.sites):
            raise ValueError(f"{term}: different sites from 0 to {size - 1} expected")
        if isinstance(coefficient, complex) or not math.isfinite(coefficient):
            raise ValueError(f"{term}: a finite real coefficient expected")
        found.append(term)
    return tuple(found)


def groups_by_flip(size: int, terms: Iterable[Term]) -> dict[int, list[Signs]]:
    """Return the strings by flip mask m, with equal signs added up: `d_m[b] = sum_t coefficient_t chi(b & signs_t)`."""
    sums: dict[int, dict[int, complex]] = defaultdict(lambda: defaultdict(complex))
    for term in terms:
        flipped, signed = term.masks(size)
        sums[flipped][signed] += term.coefficient * term.phase
    return {m: [(s, c) for s, c in group.items() if c != 0] for m, group in sums.items()}


def signs(indices: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    """Return chi: -1 where an odd number of bits of `index & mask` is set, else 1."""
    result = np.ones(len(indices))
    while mask:
        bit = _bits.highest_bit(mask)
        result[(indices & bit) != 0] *= -1
        mask ^= bit
    return result


def diagonal(group: Iterable[Signs], dim: int) -> NDArray[np.float64]:
    """Return `sum_t c_t chi(b & s_t)` for all b, shape `(dim,)`: the Walsh-Hadamard transform of the coefficients."""
    values = np.zeros(dim)
    for signed, coefficient in group:
        values[signed] += coefficient.real
    period = 1
    while period < dim:
        pairs = values.reshape(-1, 2, period)
        upper = pairs[:, 0] - pairs[:, 1]
        pairs[:, 0] += pairs[:, 1]
        pairs[:, 1] = upper
        period *= 2
    return values


def matrix(size: int, terms: Sequence[Term]) -> NDArray[np.float64] | NDArray[np.complex128]:
    """Return the matrix of a few spins, shape `(2**size, 2**size)`, real where every string has an even number of Y."""
    rows = np.arange(_bits.dimension(size))
    real = all(term.letters.count("Y") % 2 == 0 for term in terms)
    total: NDArray[Any] = np.zeros((len(rows), len(rows)), np.float64 if real else np.complex128)
    for term in terms:
        flipped, signed = term.masks(size)
        total[rows, rows ^ flipped] += term.coefficient * term.phase * signs(rows, signed)
    return total
