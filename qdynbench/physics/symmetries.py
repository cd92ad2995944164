"""Symmetries of a Hamiltonian, found from its Pauli strings without any matrix, at any size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from qdynbench.physics.operators import PauliSum, PauliTerm

Symmetry = Literal["total_z", "parity_x", "parity_z", "translation", "reflection"]
"""`sum_i Z_i`, `prod_i X_i` (the flip of all spins), `prod_i Z_i`, translation by one site, reflection of the chain."""

String = tuple[tuple[int, str], ...]
"""The sites of a Pauli string with their letters, sorted by site."""

_ANTICOMMUTING = {"parity_x": "YZ", "parity_z": "XY"}
"""Letters that anticommute with the factors of the product of all X, or of all Z."""


def breaking_term(hamiltonian: PauliSum, symmetry: Symmetry, rounding: float = 0.0) -> PauliTerm | None:
    """Return a term that breaks the symmetry, so that no other term compensates it, or None.

    Args:
        hamiltonian: H; coefficients of equal strings are added.
        symmetry: the symmetry that H may have.
        rounding: coefficients count as cancelled up to this fraction of the largest one; by default only exactly.
    """
    terms = [(tuple(sorted(zip(t.sites, t.paulis, strict=True))), t.coefficient) for t in hamiltonian.terms]
    total = _sum(terms)
    negligible = rounding * max(map(abs, total.values()), default=0.0)
    present = {string: weight for string, weight in total.items() if abs(weight) > negligible}
    if symmetry == "total_z":
        commutator = _sum(part for string, weight in terms for part in _with_total_z(string, weight))
        left = {string for string, weight in commutator.items() if abs(weight) > negligible}
        culprits = [s for s, weight in present.items() if any(part in left for part, _ in _with_total_z(s, weight))]
    elif symmetry in _ANTICOMMUTING:
        culprits = [s for s in present if sum(letter in _ANTICOMMUTING[symmetry] for _, letter in s) % 2]
    else:
        sites = list(range(hamiltonian.size))
        places = [*sites[1:], *sites[:1]] if symmetry == "translation" else sites[::-1]
        moved = {string: tuple(sorted((places[site], letter) for site, letter in string)) for string in present}
        culprits = [s for s, weight in present.items() if abs(total.get(moved[s], 0.0) - weight) > negligible]
    if not culprits:
        return None
    letters = "".join(letter for _, letter in culprits[0])
    return PauliTerm(total[culprits[0]], letters, tuple(site for site, _ in culprits[0]))


def _sum(terms: Iterable[tuple[String, float]]) -> dict[String, float]:
    """Return the sum of the coefficients of each string, by `fsum`, so that exact cancellation leaves 0."""
    parts: dict[String, list[float]] = {}
    for string, coefficient in terms:
        parts.setdefault(string, []).append(coefficient)
    return {string: math.fsum(coefficients) for string, coefficients in parts.items()}


def _with_total_z(string: String, coefficient: float) -> Iterable[tuple[String, float]]:
    """Yield `[sum Z, string] / 2i`, from `[Z, X] = 2i Y` and `[Z, Y] = -2i X`."""
    for place, (site, letter) in enumerate(string):
        if letter != "Z":
            other, sign = ("Y", 1) if letter == "X" else ("X", -1)
            yield (*string[:place], (site, other), *string[place + 1 :]), sign * coefficient
