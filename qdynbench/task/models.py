"""The contract of a model family, and the families that any Hamiltonian can be written in.

Parameters in, weighted Pauli strings out: a new family is one class and one `register` line. Those of the field stand
in `qdynbench.task.families`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from qdynbench.errors import InputError
from qdynbench.physics.operators import PauliSum

if TYPE_CHECKING:
    import numpy as np

    from qdynbench.physics.drive import Drive

Term = tuple[float, str, tuple[int, ...]]
"""A weighted Pauli string: coefficient, letters, sites."""

Coupling = FiniteFloat | Annotated[list[FiniteFloat], Field(min_length=1)]
"""One number for the whole chain, or a list with one number per site (or bond)."""


class Model(BaseModel, ABC):
    """A family of Hamiltonians; its fields are its parameters, in units with hbar = 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @abstractmethod
    def hamiltonian(self, size: int) -> PauliSum | Drive:
        """Return H on `size` spins; a driven family returns its Hamiltonians in turn.

        Raises:
            InputError: the parameters do not fit this size.
        """

    def realised(self, size: int, generator: np.random.Generator) -> Self:
        """Return the model of one case: a disordered family draws its couplings here and holds them as lists."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the numbers that a solver with `Knowledge.PARAMETERS` may see."""
        return self.model_dump()


class MixedFieldIsing(Model):
    """H = J sum_i Z_i Z_{i+1} + g sum_i X_i + h sum_i Z_i (paper eq. 1), Pauli matrices, open or periodic chain.

    A list gives one value per bond (J) or site (g, h).
    """

    J: Coupling = 1.0
    g: Coupling
    h: Coupling = 0.0
    boundary: Literal["open", "periodic"] = "open"

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H; a periodic chain has `size` bonds from three spins on, two spins share a single bond."""
        return PauliSum.from_terms(size, ising_terms(size, self.boundary, self.J, self.g, self.h))


class WeightedPauliStrings(Model):
    """H = sum_k c_k P_k from explicit terms `[coefficient, letters, sites]`, such as `[-1.05, X, [3]]`.

    The number of spins is that of the task's case; every site has to exist there.
    """

    terms: list[tuple[FiniteFloat, str, list[int]]] = Field(min_length=1)

    def hamiltonian(self, size: int) -> PauliSum:
        """Return H on `size` spins."""
        return PauliSum.from_terms(size, self.terms)


def bonds_of(size: int, boundary: Literal["open", "periodic"]) -> list[tuple[int, int]]:
    """Return the pairs of neighbours of a chain; two spins share a single bond."""
    closed = boundary == "periodic" and size > 2
    return [(i, (i + 1) % size) for i in range(size if closed else size - 1)]


def ising_terms(
    size: int, boundary: Literal["open", "periodic"], coupling: Coupling, transverse: Coupling, longitudinal: Coupling
) -> list[Term]:
    """Return the terms of `coupling sum Z Z + transverse sum X + longitudinal sum Z`, without those that vanish."""
    bonds = bonds_of(size, boundary)
    terms: list[Term] = [
        *((J, "ZZ", bond) for J, bond in zip(spread("J", coupling, len(bonds)), bonds, strict=True)),
        *((g, "X", (site,)) for site, g in enumerate(spread("g", transverse, size))),
        *((h, "Z", (site,)) for site, h in enumerate(spread("h", longitudinal, size))),
    ]
    return without_zeros(terms)


def without_zeros(terms: list[Term]) -> list[Term]:
    """Return the terms that do not vanish."""
    return [term for term in terms if term[0] != 0]


def spread(name: str, value: float | list[float], count: int) -> list[float]:
    """Return one value for each of `count` sites or bonds.

    Raises:
        InputError: a list of another length.
    """
    if not isinstance(value, list):
        return [float(value)] * count
    if len(value) != count:
        raise InputError(f"{name} lists {len(value)} values where this size needs {count}")
    return [float(entry) for entry in value]
