"""The `padded` encoder, the paper's: all sizes share one vector, filled up with zeros to the largest size.

    spin encoding (FF) -> chain encoding (FF) -> two fully connected layers -> simple recurrent units
    -> one fully connected layer -> spin decoding (FF)

The output is the change of the state per step. The layers are linear, as the dynamics is; the paper names no
activation. Where the paper is silent we tell the network the size: a state of 2 spins filled up with zeros is also a
state of 3 spins, and moves differently. Chain encoding and decoding have one learned gain per channel and size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from sru_kernels import SRU, FoldedPadded, PaddedPropagator
from torch import nn

from qdynbench_sru.networks.network import Network, size_of

GAIN_SPREAD = 0.3
"""Standard deviation of the gains at the start, about 1: sizes are told apart from the first update on."""


class PaddedNetwork(Network):
    """The pipeline of this module.

    Args:
        largest: largest size that fits.
        width: channels D of every hidden layer.
        layers: how many recurrent layers are stacked.
        dropout: see `SRU`.
    """

    def __init__(self, largest: int, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        reals = 2 << largest
        self.spin = nn.Linear(reals, width, bias=False)
        self.gains = nn.Parameter(1 + GAIN_SPREAD * torch.randn(largest + 1, width))
        self.chain = nn.Linear(width, width, bias=False)
        self.before = nn.Sequential(nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False))
        self.sru = SRU(width, layers, dropout)
        self.after = nn.Linear(width, width, bias=False)
        self.decoder = nn.Linear(width, reals, bias=False)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Give the weights values that make the network, but for the gains, a multiple of the identity for every size.

        The change to be learned is a rotation by 90 degrees, `-i H dt psi`. From the identity it is reached by turning
        all directions at once. From a product of random matrices it is not: training first undoes what that product
        does, and where all factors have become small in some direction no gradient is left that would restore it. At
        7 spins, which need every one of 256 channels, 18 to 51 directions stayed lost, those of small energy.
        """
        for start in range(0, self.spin.in_features, self.spin.out_features):
            nn.init.orthogonal_(self.spin.weight[:, start : start + self.spin.out_features])
        self.decoder.weight.copy_(self.spin.weight.T)
        for layer in (self.chain, *self.before, self.after):
            nn.init.eye_(cast(nn.Linear, layer).weight)
        for recurrent in self.sru.stack:
            nn.init.eye_(recurrent.weight[0])

    def forward(
        self,
        padded: torch.Tensor,
        gains: torch.Tensor,
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the change and the memories.

        Args:
            padded: states as reals, shape `(T, B, 2 * 2**largest)`.
            gains: of each state's size, shape `(B, D)` or broadcast to it.
            memories: of each layer, from an earlier call.
            generator: for dropout.
        """
        x = self.before(self.chain(self.spin(padded) * gains))
        h, ends = self.sru(x, memories, generator)
        return self.scaled(self.decoder(self.after(h) * gains)), ends

    def pad(self, states: torch.Tensor) -> torch.Tensor:
        """Flatten states of shape `(..., 2**N, 2)` and fill up with zeros."""
        reals = states.flatten(-2)
        return nn.functional.pad(reals, (0, self.spin.in_features - reals.shape[-1]))

    def predict(
        self,
        excerpts: Sequence[torch.Tensor],
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the predicted changes of several sizes in one pass, and the memories."""
        padded = torch.cat([self.pad(excerpt) for excerpt in excerpts], 1)
        counts = [excerpt.shape[1] for excerpt in excerpts]
        gains = torch.cat([self.gains[size_of(excerpt)].expand(excerpt.shape[1], -1) for excerpt in excerpts])
        outputs, ends = self(padded, gains, memories, generator)
        # What is predicted beyond a size's own amplitudes is not part of any state and is cut off.
        changes = [
            part[..., : 2 * excerpt.shape[-2]].reshape(excerpt.shape)
            for part, excerpt in zip(outputs.split(counts, 1), excerpts, strict=True)
        ]
        return changes, ends

    def propagator(self, size: int, device: str) -> PaddedPropagator:
        """Return the folded network for one size."""
        return PaddedPropagator(self.folded(size), device)

    @torch.no_grad()
    def folded(self, size: int) -> FoldedPadded:
        """Multiply out what is linear, in float64, restricted to the size's own amplitudes."""
        first, second = (cast(nn.Linear, layer).weight.double() for layer in self.before)
        own, gains = 2 << size, self.gains[size].double()
        stack = self.sru.stack
        ready = {
            "encoder": second @ first @ self.chain.weight.double() @ (gains[:, None] * self.spin.weight[:, :own]),
            "decoder": self.scale * (self.decoder.weight[:own].double() @ (gains[:, None] * self.after.weight)),
            "weights": torch.stack([layer.weight for layer in stack]),
            "biases": torch.stack([layer.full_bias for layer in stack]),
            "peepholes": torch.stack([layer.peephole for layer in stack]),
        }
        return FoldedPadded(**{name: tensor.detach().cpu().float().contiguous() for name, tensor in ready.items()})
