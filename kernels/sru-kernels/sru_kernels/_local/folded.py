"""The `local` network folded for one size: everything linear around the recurrent units is multiplied out once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FoldedLocal:
    """A network for one size, float32, on the CPU; `2**N` basis states, D channels, L layers, F flips.

    Attributes:
        first: token, candidate, forget and skip gate of the first layer, shape `(4, D, 5, 2**N)`: coefficients of the
            real and imaginary parts of psi and phi, and the constant.
        flips: which bits each flip turns over, shape `(F,)`, int64.
        weights: of the flips in phi, shape `(F, 2**N)`.
        more_weights: candidate, forget and skip gate of the other layers, shape `(L-1, 3, D, D)`.
        more_biases: the same, shape `(L-1, 3, D)`.
        peepholes: of all layers, shape `(L, 2, D)`.
        decoder: from outputs to the real and imaginary part of the change, shape `(2, D)`.
    """

    first: torch.Tensor
    flips: torch.Tensor
    weights: torch.Tensor
    more_weights: torch.Tensor
    more_biases: torch.Tensor
    peepholes: torch.Tensor
    decoder: torch.Tensor

    @property
    def dimension(self) -> int:
        """Number of amplitudes of a state, `2**N`."""
        return self.first.shape[3]
