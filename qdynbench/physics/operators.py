"""Hamiltonians as sums of weighted Pauli strings, and their matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qdynbench.errors import InputError
from qdynbench.physics import basis

if TYPE_CHECKING:
    from collections.abc import Iterable

    import scipy.sparse
    from numpy.typing import NDArray


_LETTERS = frozenset("XYZ")


class PauliTerm(NamedTuple):
    """One weighted Pauli string, such as `PauliTerm(-1.05, "X", (3,))` or `PauliTerm(1.0, "ZZ", (0, 1))`."""

    coefficient: float
    paulis: str
    sites: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.coefficient:g} {self.paulis} {list(self.sites)}"

    @property
    def flipped(self) -> tuple[int, ...]:
        """Sites whose spins the string flips (those of X and Y), in order."""
        return tuple(sorted(site for pauli, site in zip(self.paulis, self.sites, strict=True) if pauli != "Z"))

    @property
    def signed(self) -> tuple[int, ...]:
        """Sites whose Z enters the sign (those of Y and Z), in order."""
        return tuple(sorted(site for pauli, site in zip(self.paulis, self.sites, strict=True) if pauli != "X"))


@dataclass(frozen=True)
class PauliSum:
    """A Hermitian operator `sum_k coefficient_k * string_k` on `size` spins (Pauli, not spin halves; hbar = 1).

    Raises:
        InputError: a letter other than X, Y, Z; a site out of range or twice in one string; a coefficient that is
            not a finite real number (the operator would not be Hermitian).
    """

    size: int
    terms: tuple[PauliTerm, ...]

    def __post_init__(self) -> None:
        for term in self.terms:
            if wrong := self._wrong(*term):
                raise InputError(f"Pauli term {term.coefficient} {term.paulis} {list(term.sites)}: {wrong}")

    def _wrong(self, coefficient: float, paulis: str, sites: tuple[int, ...]) -> str | None:
        if not paulis or set(paulis) - _LETTERS:
            return "the string must be made of the letters X, Y and Z"
        if len(paulis) != len(sites):
            return f"{len(paulis)} letters but {len(sites)} sites"
        if len(set(sites)) != len(sites):
            return "a site appears twice"
        if min(sites) < 0 or max(sites) >= self.size:
            return f"sites of a chain of {self.size} run from 0 to {self.size - 1}"
        if isinstance(coefficient, complex) or not math.isfinite(coefficient):
            return "a Hermitian sum needs finite real coefficients"
        return None

    @classmethod
    def from_terms(cls, size: int, terms: Iterable[tuple[float, str, Iterable[int]]]) -> PauliSum:
        """Build the sum from `(coefficient, letters, sites)` triples."""
        return cls(size, tuple(PauliTerm(c, paulis, tuple(sites)) for c, paulis, sites in terms))

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return {"size": self.size, "terms": [[t.coefficient, t.paulis, list(t.sites)] for t in self.terms]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PauliSum:
        """Read what `to_json` wrote."""
        return cls.from_terms(data["size"], data["terms"])

    def __neg__(self) -> PauliSum:
        return PauliSum(self.size, tuple(PauliTerm(-t.coefficient, t.paulis, t.sites) for t in self.terms))

    @property
    def is_real(self) -> bool:
        """Whether the matrix is real (every string has an even number of Y)."""
        return all(term.paulis.count("Y") % 2 == 0 for term in self.terms)

    @cached_property
    def flips(self) -> dict[int, NDArray[np.float64] | NDArray[np.complex128]]:
        """The sum as `(H psi)[b] = sum_m d_m[b] psi[b ^ m]`: a vector `d_m` of shape `(2**size,)` for each flip mask m.

        The vectors are real where the matrix is. From `X[b, b^1] = 1`, `Y[b, b^1] = -i z(b)`, `Z[b, b] = z(b)`.
        """
        z = basis.spins(self.size)
        kind = np.float64 if self.is_real else np.complex128
        groups: dict[int, NDArray[Any]] = {}
        for term in self.terms:
            mask = basis.flip_mask(term.flipped, self.size)
            vector = groups.setdefault(mask, np.zeros(basis.dimension(self.size), dtype=kind))
            phase = (1, -1j, -1, 1j)[term.paulis.count("Y") % 4]
            vector += term.coefficient * phase * z[:, term.signed].prod(axis=1, dtype=np.int8)
        return groups

    def to_sparse(self) -> scipy.sparse.csr_array:
        """Return the `(2**size, 2**size)` matrix, real where it can be."""
        import scipy.sparse

        dim, count = basis.dimension(self.size), len(self.flips)
        rows = basis.indices(self.size)
        columns = np.empty((dim, count), dtype=np.int32 if dim * count < 2**31 else np.int64)
        values = np.empty((dim, count), dtype=np.float64 if self.is_real else np.complex128)
        for place, (mask, vector) in enumerate(self.flips.items()):
            columns[:, place] = rows ^ mask
            values[:, place] = vector
        starts = np.arange(dim + 1, dtype=columns.dtype) * count
        matrix = scipy.sparse.csr_array((values.ravel(), columns.ravel(), starts), shape=(dim, dim))
        matrix.eliminate_zeros()
        return matrix

    def to_dense(self) -> NDArray[np.float64] | NDArray[np.complex128]:
        """Return the `(2**size, 2**size)` matrix, real where it can be."""
        rows = basis.indices(self.size)
        matrix: NDArray[Any] = np.zeros((len(rows), len(rows)), dtype=np.float64 if self.is_real else np.complex128)
        for mask, vector in self.flips.items():
            matrix[rows, rows ^ mask] = vector
        return matrix
