"""Distributions of initial states, drawn with numpy so that every machine draws the same ones."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Draw:
    """Initial states as numpy arrays.

    Attributes:
        states: normalised, complex128, shape `(B, 2**N)`.
        spinors: the same states as a product, shape `(B, N, 2)`, or None if they are entangled.
    """

    states: Complex
    spinors: Complex | None = None

    def __getitem__(self, part: slice) -> Draw:
        return Draw(self.states[part], None if self.spinors is None else self.spinors[part])


class Ensemble(ABC):
    """Draws initial states of a chain."""

    single: ClassVar[bool] = False
    """Whether the ensemble holds one state only, so that drawing more would only repeat it."""

    @abstractmethod
    def draw(self, size: int, count: int, generator: np.random.Generator) -> Draw:
        """Return `count` states of `size` spins; the first ones must not depend on `count`."""


class ProductEnsemble(Ensemble):
    """An ensemble of product states: define `spinors`."""

    @abstractmethod
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised spinors, shape `(count, size, 2)`."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Draw:
        """Return the Kronecker products of the spinors, site 0 leftmost."""
        spinors = self.spinors(size, count, generator)
        states = spinors[:, 0]
        for site in range(1, size):
            states = (states[:, :, None] * spinors[:, site, None, :]).reshape(count, -1)
        return Draw(states, spinors)


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
