"""The Ising chain of the paper, and weighted Pauli strings, in which any Hamiltonian can be written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, FiniteFloat

from qdynbench.contract.model import Coupling, Model, Term, bonds_of, spread, without_zeros
from qdynbench.physics.operators import PauliSum


class MixedFieldIsing(Model):
    """H = J sum_i Z_i Z_{i+1} + g sum_i X_i + h sum_i Z_i (paper eq. 1), Pauli matrices, open or periodic chain.

    A list gives one value per bond (J) or site (g, h).
    """

    J: Coupling = 1.0
    g: Coupling
    h: Coupling = 0.0
    boundary: Literal["open", "periodic"] = "open"

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H; a periodic chain of three or more spins has `size` bonds, two spins have a single bond."""
        return PauliSum.from_terms(size, ising_terms(size, self.boundary, self.J, self.g, self.h))


class WeightedPauliStrings(Model):
    """H = sum_k c_k P_k from explicit terms `[coefficient, letters, sites]`, such as `[-1.05, X, [3]]`.

    The number of spins is that of the case; every site has to exist.
    """

    terms: list[tuple[FiniteFloat, str, list[int]]] = Field(min_length=1)

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` spins."""
        return PauliSum.from_terms(size, self.terms)


def ising_terms(
    size: int, boundary: Literal["open", "periodic"], coupling: Coupling, transverse: Coupling, longitudinal: Coupling
) -> list[Term]:
    """Return the non-zero terms of `coupling sum Z Z + transverse sum X + longitudinal sum Z`."""
    bonds = bonds_of(size, boundary)
    terms: list[Term] = [
        *((J, "ZZ", bond) for J, bond in zip(spread("J", coupling, len(bonds)), bonds, strict=True)),
        *((g, "X", (site,)) for site, g in enumerate(spread("g", transverse, size))),
        *((h, "Z", (site,)) for site, h in enumerate(spread("h", longitudinal, size))),
    ]
    return without_zeros(terms)
