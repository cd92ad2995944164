"""What both encoders have in common: a network predicts the change of a state per step; a propagator repeats that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn

from qdynbench_sru.layer import SRU


class Rollout(Protocol):
    """Autoregressive prediction for one batch: each output is the next input."""

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block with the next states; the first of all are the initial states themselves.

        Args:
            block: complex128, contiguous, shape `(B, k, 2**N)`.
            every: steps of the network between two columns.
        """


class Propagator(Protocol):
    """A network made ready for one size and device."""

    def start(self, states: torch.Tensor) -> Rollout:
        """Begin at initial states, complex128, normalised, shape `(B, 2**N)`."""


class SteppedRollout:
    """A rollout that calls one step after the other; see `Rollout`.

    Args:
        states: initial states, complex128, shape `(B, 2**N)`.
        step: takes one step in place and returns the states, float64, shape `(B, 2**N, 2)`, valid until the next.
    """

    def __init__(self, states: torch.Tensor, step: Callable[[], torch.Tensor]) -> None:
        self._initial: torch.Tensor | None = states
        self._step = step

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block with the next states."""
        parts = torch.view_as_real(block)
        for column in range(block.shape[1]):
            if self._initial is not None:
                block[:, column], self._initial = self._initial, None
                continue
            for _ in range(every):
                states = self._step()
            parts[:, column] = states


class Network(nn.Module, ABC):
    """Predicts `psi(t + dt) - psi(t)` from `psi` at all times up to `t`."""

    sru: SRU
    """The recurrent units."""
    scale: torch.Tensor
    """Typical size of a change: outputs are in units of it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    def changes(self, windows: Sequence[torch.Tensor], generator: torch.Generator | None = None) -> list[torch.Tensor]:
        """Return the predicted changes, teacher-forced; see `predict`."""
        return self.predict(windows, None, generator)[0]

    @abstractmethod
    def predict(
        self,
        windows: Sequence[torch.Tensor],
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the predicted changes, each of the shape of its window, and the memories at the end.

        Args:
            windows: real and imaginary parts of consecutive states, shape `(T, B, 2**N, 2)`; one size N each.
            memories: where an earlier call on the same trajectories ended; gradients go through them.
            generator: for dropout; without one, nothing is dropped.
        """

    def single(self) -> None:
        """Make the weights float32; the scale stays float64."""
        scale = self.scale
        self.float()
        self.scale = scale

    def scaled(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return outputs in their physical size, in the precision of the weights even under autocast."""
        weight = next(self.parameters())
        return self.scale.to(weight) * outputs.to(weight)

    @abstractmethod
    def propagator(self, size: int, device: str) -> Propagator:
        """Fold the weights into what one size needs, and return it ready on a device."""


def size_of(window: torch.Tensor) -> int:
    """Return the number of spins N of states of shape `(..., 2**N, 2)`."""
    return int(window.shape[-2]).bit_length() - 1


def normalise(states: torch.Tensor, dim: tuple[int, ...]) -> None:
    """Divide by the norm over `dim`, in place: the one invariant that holds for every closed system."""
    states.div_(torch.linalg.vector_norm(states, dim=dim, keepdim=True))
