"""Distributions of initial states, drawn with numpy so that every machine draws the same ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qdynbench.physics import product

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Draw:
    """Initial states as numpy arrays.

    Attributes:
        vectors: normalised, complex128, shape `(B, 2**N)`, or None where `spinors` say it all.
        spinors: the same states as a product, shape `(B, N, 2)`, or None if they are entangled.
    """

    vectors: Complex | None = None
    spinors: Complex | None = None

    @cached_property
    def states(self) -> Complex:
        """The vectors, shape `(B, 2**N)`; those of product states are made when first asked for.

        Raises:
            TypeError: there are neither vectors nor spinors.
        """
        if self.vectors is not None:
            return self.vectors
        if self.spinors is None:
            raise TypeError("states are drawn as vectors, spinors or both")
        return product.vectors(self.spinors)

    def __getitem__(self, part: slice) -> Draw:
        cut = (None if array is None else array[part] for array in (self.vectors, self.spinors))
        return Draw(*cut)


class Ensemble(ABC):
    """Draws initial states of a chain."""

    single: ClassVar[bool] = False
    """Whether the ensemble holds one state only, so that drawing more would only repeat it."""
    product: ClassVar[bool] = False
    """Whether every state is drawn with its spinors, so that a solver may do without the vector."""

    @abstractmethod
    def draw(self, size: int, count: int, generator: np.random.Generator) -> Draw:
        """Return `count` states of `size` spins; the first ones must not depend on `count`."""


class ProductEnsemble(Ensemble):
    """An ensemble of product states: define `spinors`."""

    product = True

    @abstractmethod
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised spinors, shape `(count, size, 2)`."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Draw:
        """Return the states as their spinors: vectors are made of them only where they are needed."""
        return Draw(spinors=self.spinors(size, count, generator))


class RandomProduct(ProductEnsemble):
    """Every spin drawn from the Haar measure on its Bloch sphere."""

    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised complex Gaussian pairs."""
        return _unit(generator.standard_normal((count, size, 2, 2)).view(np.complex128)[..., 0])


class HaarRandom(Ensemble):
    """States of the whole chain from the Haar measure."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Draw:
        """Return normalised complex Gaussian vectors."""
        return Draw(_unit(generator.standard_normal((count, 1 << size, 2)).view(np.complex128)[..., 0]))


class NamedProduct(ProductEnsemble):
    """One product state, given by the spinor of each site."""

    single = True

    @abstractmethod
    def site(self, index: int, size: int) -> tuple[float, float]:
        """Return the (up, down) amplitudes of one site."""

    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return `count` copies."""
        del generator
        chain = np.array([self.site(index, size) for index in range(size)], dtype=np.complex128)
        return np.broadcast_to(chain, (count, size, 2)).copy()


class AllUp(NamedProduct):
    """Every spin up (Z = +1)."""

    def site(self, index: int, size: int) -> tuple[float, float]:
        """Return up."""
        return (1.0, 0.0)


class Neel(NamedProduct):
    """Up, down, up, down, ... from site 0."""

    def site(self, index: int, size: int) -> tuple[float, float]:
        """Return up on even sites."""
        return (1.0, 0.0) if index % 2 == 0 else (0.0, 1.0)


class DomainWall(NamedProduct):
    """The left half (rounded up) up, the rest down."""

    def site(self, index: int, size: int) -> tuple[float, float]:
        """Return up on the left."""
        return (1.0, 0.0) if index < (size + 1) // 2 else (0.0, 1.0)


class AllPlus(NamedProduct):
    """Every spin along +x."""

    def site(self, index: int, size: int) -> tuple[float, float]:
        """Return the equal superposition."""
        return (math.sqrt(0.5), math.sqrt(0.5))


def _unit(vectors: Complex) -> Complex:
    unit: Complex = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
