"""The contract of an ensemble: it draws initial states with numpy, so that all machines draw the same ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.initial import Initial

Complex = NDArray[np.complex128]


class Ensemble(ABC):
    """Draws initial states of a chain."""

    single: ClassVar[bool] = False
    """Whether the ensemble holds a single state, so that further draws would only repeat it."""
    product: ClassVar[bool] = False
    """Whether all states are drawn as spinors, so that a solver can do without state vectors."""

    @abstractmethod
    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        """Return `count` states of `size` spins; state i must not depend on `count`."""


class ProductEnsemble(Ensemble):
    """An ensemble of product states: define `spinors`."""

    product = True

    @abstractmethod
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised spinors, shape `(count, size, 2)`."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        """Return the states as spinors; their vectors are computed only where they are needed."""
        return Initial(spinors=self.spinors(size, count, generator))
