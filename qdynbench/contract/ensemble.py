"""The contract of an ensemble: initial states, drawn with numpy so that every machine draws the same ones."""

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
    """Whether the ensemble holds one state only, so that drawing more would only repeat it."""
    product: ClassVar[bool] = False
    """Whether every state is drawn with its spinors, so that a solver may do without the vector."""

    @abstractmethod
    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        """Return `count` states of `size` spins; the first ones must not depend on `count`."""


class ProductEnsemble(Ensemble):
    """An ensemble of product states: define `spinors`."""

    product = True

    @abstractmethod
    def spinors(self, size: int, count: int, generator: np.random.Generator) -> Complex:
        """Return normalised spinors, shape `(count, size, 2)`."""

    def draw(self, size: int, count: int, generator: np.random.Generator) -> Initial:
        """Return the states as their spinors: vectors are made of them only where they are needed."""
        return Initial(spinors=self.spinors(size, count, generator))
