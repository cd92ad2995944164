"""The contract of an ensemble: initial states, drawn with numpy so that every machine draws the same ones."""

from __future__ import annotations

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
