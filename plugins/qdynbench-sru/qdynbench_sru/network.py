"""What both encoders have in common: a network predicts the change of a state per step; a propagator repeats that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import nn


class Propagator(Protocol):
    """Autoregressive prediction for one size: each output is the next input."""

    def steps(self, states: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the states after 1, 2, 3, ... steps, without end.

        Args:
            states: complex128, shape `(B, 2**N)`, normalised.

        Yields:
            Real and imaginary parts, float64, shape `(B, 2**N, 2)`; valid until the next is asked for.
        """


class Network(nn.Module, ABC):
    """Predicts `psi(t + dt) - psi(t)` from `psi` at all times up to `t`."""

    scale: torch.Tensor
    """Typical size of a change: outputs are in units of it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    @abstractmethod
    def changes(self, windows: Sequence[torch.Tensor], generator: torch.Generator | None = None) -> list[torch.Tensor]:
        """Return the predicted changes, teacher-forced, each of the shape of its window.

        Args:
            windows: real and imaginary parts of consecutive states, shape `(T, B, 2**N, 2)`; one size N each.
            generator: for dropout; without one, nothing is dropped.
        """

    @abstractmethod
    def propagator(self, size: int, device: str) -> Propagator:
        """Fold the weights into what one size needs, and return it ready on a device."""


def size_of(window: torch.Tensor) -> int:
    """Return the number of spins N of states of shape `(..., 2**N, 2)`."""
    return int(window.shape[-2]).bit_length() - 1


def normalise(states: torch.Tensor, dim: tuple[int, ...]) -> None:
    """Divide by the norm over `dim`, in place: the one invariant that holds for every closed system."""
    states.div_(torch.linalg.vector_norm(states, dim=dim, keepdim=True))
