"""What both encoders have in common: a network predicts the change of a state per step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from sru_kernels import SRU, Propagator
from torch import nn


class Network(nn.Module, ABC):
    """Predicts `psi(t + dt) - psi(t)` from `psi` at all times up to `t`."""

    sru: SRU
    """The recurrent units."""
    scale: torch.Tensor
    """Typical size of a change: outputs are in units of it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    def changes(self, excerpts: Sequence[torch.Tensor], generator: torch.Generator | None = None) -> list[torch.Tensor]:
        """Return the predicted changes, teacher-forced; see `predict`."""
        return self.predict(excerpts, None, generator)[0]

    @abstractmethod
    def predict(
        self,
        excerpts: Sequence[torch.Tensor],
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the predicted changes, each of the shape of its excerpt, and the memories at the end.

        Args:
            excerpts: real and imaginary parts of consecutive states, shape `(T, B, 2**N, 2)`; one size N each.
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


def size_of(excerpt: torch.Tensor) -> int:
    """Return the number of spins N of states of shape `(..., 2**N, 2)`."""
    return int(excerpt.shape[-2]).bit_length() - 1
