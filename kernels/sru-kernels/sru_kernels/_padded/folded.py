"""The `padded` network folded for one size: what is linear around the recurrent units is multiplied out once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FoldedPadded:
    """A network for one size, float32; R = 2 * 2**N reals of a state, D channels, L layers.

    Attributes:
        encoder: from a state to the input of the first layer, shape `(D, R)`.
        weights: candidate, forget and skip gate of every layer, shape `(L, 3, D, D)`.
        biases: the same, shape `(L, 3, D)`.
        peepholes: of every layer, shape `(L, 2, D)`.
        decoder: from the output of the last layer to the change of the state, shape `(R, D)`.
    """

    encoder: torch.Tensor
    weights: torch.Tensor
    biases: torch.Tensor
    peepholes: torch.Tensor
    decoder: torch.Tensor

    def to(self, device: str) -> FoldedPadded:
        """Return it on a device."""
        return FoldedPadded(**{name: tensor.to(device) for name, tensor in vars(self).items()})

    @property
    def dimension(self) -> int:
        """Number of amplitudes of a state, `2**N`."""
        return self.encoder.shape[1] // 2
