"""The symmetries whose sectors `ed` can use, under the names that QuSpin's users know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qdynbench import symmetries

if TYPE_CHECKING:
    from qdynbench import PauliSum, PauliTerm

Symmetry = Literal["magnetization", "momentum", "parity", "inversion"]
"""Total Z, translation by one site, reflection of the chain, and the flip of all spins."""

SYMMETRIES: dict[Symmetry, symmetries.Symmetry] = {
    "magnetization": "total_z",
    "momentum": "translation",
    "parity": "reflection",
    "inversion": "parity_x",
}


def symmetries_of(hamiltonian: PauliSum) -> tuple[Symmetry, ...]:
    """Return all that the Hamiltonian commutes with, exactly."""
    return tuple(symmetry for symmetry in SYMMETRIES if breaking_term(hamiltonian, symmetry) is None)


def breaking_term(hamiltonian: PauliSum, symmetry: Symmetry) -> PauliTerm | None:
    """Return a term that does not commute with the symmetry and that no other term makes up for, or None."""
    return symmetries.breaking_term(hamiltonian, SYMMETRIES[symmetry])
