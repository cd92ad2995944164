"""Which symmetries a sum of Pauli strings has, decided on the strings themselves: exactly, and without any matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qdynbench.physics.operators import PauliSum

Symmetry = Literal["magnetization", "momentum", "parity", "inversion"]
"""Total Z, translation by one site, reflection of the chain, and the flip of all spins."""

SYMMETRIES: tuple[Symmetry, ...] = get_args(Symmetry)

String = tuple[tuple[int, str], ...]
"""Sites with their letters, in the order of sites."""


def symmetries_of(hamiltonian: PauliSum) -> tuple[Symmetry, ...]:
    """Return all that the Hamiltonian commutes with."""
    return tuple(symmetry for symmetry in SYMMETRIES if breaking_term(hamiltonian, symmetry) is None)


def breaking_term(hamiltonian: PauliSum, symmetry: Symmetry) -> str | None:
    """Return a term that does not commute with the symmetry and that no other term makes up for, or None."""
    terms = [
        (tuple(sorted(zip(t.sites, t.paulis, strict=True))), t.coefficient) for t in hamiltonian.terms if t.coefficient
    ]
    total = _sum(terms)
    if symmetry == "magnetization":
        commutator = _sum(part for string, c in terms for part in _with_total_z(string, c))
        culprits = [s for s, c in total.items() if c and any(commutator[part] for part, _ in _with_total_z(s, c))]
    elif symmetry == "inversion":
        # X^N turns Y into -Y and Z into -Z.
        culprits = [s for s, c in total.items() if c and sum(letter != "X" for _, letter in s) % 2]
    else:
        sites = list(range(hamiltonian.size))
        places = [*sites[1:], *sites[:1]] if symmetry == "momentum" else sites[::-1]
        moved = {string: tuple(sorted((places[site], letter) for site, letter in string)) for string in total}
        culprits = [string for string, c in total.items() if total.get(moved[string], 0.0) != c]
    if not culprits:
        return None
    letters = "".join(letter for _, letter in culprits[0])
    return f"{total[culprits[0]]:g} {letters} {[site for site, _ in culprits[0]]}"


def _sum(terms: Iterable[tuple[String, float]]) -> dict[String, float]:
    """Add what stands on the same string; `fsum`, so that what cancels leaves nothing."""
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
