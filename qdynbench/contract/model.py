"""The contract of a model family, which turns parameters into weighted Pauli strings.

A new family is one class and one `register` line. The standard families are in `qdynbench.task.families`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from qdynbench.errors import InputError
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum

MOST_TERMS = 200_000
"""Largest number of Pauli strings of a model, over all sizes of a task; a chain of 600 spins has 180,000 pairs."""

Term = tuple[float, str, tuple[int, ...]]
"""A weighted Pauli string: coefficient, letters, sites."""

Coupling = FiniteFloat | Annotated[list[FiniteFloat], Field(min_length=1)]
"""One number for the whole chain, or a list with one number per site (or bond)."""


class Model(BaseModel, ABC):
    """A family of Hamiltonians; its fields are its parameters, in units with hbar = 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @abstractmethod
    def hamiltonian(self, size: int) -> PauliSum | Drive:
        """Return H on `size` spins; a driven family returns its drive.

        Raises:
            InputError: the parameters do not fit this size.
        """

    def realised(self, size: int, generator: np.random.Generator) -> Self:
        """Return the model of one case. A disordered family draws its couplings here and returns them as lists."""
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the numbers that a solver with `Knowledge.PARAMETERS` may see."""
        return self.model_dump()


def bonds_of(size: int, boundary: Literal["open", "periodic"]) -> list[tuple[int, int]]:
    """Return the pairs of neighbours of a chain; two spins share a single bond."""
    closed = boundary == "periodic" and size > 2
    return [(i, (i + 1) % size) for i in range(size if closed else size - 1)]


def check_terms(count: int) -> None:
    """Refuse a Hamiltonian of more than `MOST_TERMS` strings.

    Raises:
        InputError: there are too many.
    """
    if count > MOST_TERMS:
        raise InputError(f"the Hamiltonians of this task have {count} terms or more, and {MOST_TERMS} are allowed")


def without_zeros(terms: list[Term]) -> list[Term]:
    """Return the terms that do not vanish."""
    return [term for term in terms if term[0] != 0]


def spread(name: str, value: float | list[float], count: int) -> list[float]:
    """Return one value for each of `count` sites or bonds.

    Raises:
        InputError: the list has another length.
    """
    if not isinstance(value, list):
        return [float(value)] * count
    if len(value) != count:
        raise InputError(f"{name} lists {len(value)} values where this size needs {count}")
    return [float(entry) for entry in value]
