"""Distributions of initial states."""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from qdynbench.contract.ensemble import Complex, Ensemble, ProductEnsemble
from qdynbench.contract.initial import Initial


class RandomProduct(ProductEnsemble):
    """Every spin drawn from the Haar measure on its Bloch sphere."""

    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised complex Gaussian pairs."""
        return _unit(generator.standard_normal((count, size, 2, 2)).view(np.complex128)[..., 0])


class HaarRandom(Ensemble):
    """States of the whole chain from the Haar measure."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        """Return normalised complex Gaussian vectors."""
        return Initial(_unit(generator.standard_normal((count, 1 << size, 2)).view(np.complex128)[..., 0]))


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
    """The left half (rounded up) of the spins up, the right half down."""

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
