"""The `local` encoder: every amplitude is a token, and neither the parameters nor their number depend on the size.

For basis state `b` of N sites and amplitude `psi_b`, with `ctx_i` the context of site i (its spin, its neighbours'
spins, and whether a neighbour is missing because the chain ends):

    spin encoding     a(ctx), w(ctx)                         two small networks
    chain encoding    e_b   = C sum_i a(ctx_i)
    flip sum          phi_b = sum_i w(ctx_i) psi_{b with spin i flipped}
    token             x_b   = U [psi_b, phi_b, e_b (x) psi_b]
    simple recurrent units along time, the same weights for every token
    spin decoding     psi_b(t + dt) - psi_b(t) = scale * V h_b

The one thing assumed is that amplitudes couple by single spin flips, with weights that depend on the flipped site and
its neighbours. Which weights, and what the amplitude's own phase does, is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from qdynbench_sru.layer import SRU
from qdynbench_sru.local_propagator import LocalPropagator
from qdynbench_sru.network import Network, size_of
from qdynbench_sru.sites import CONTEXTS, contexts_of, flips_of

CODE = 4
"""Length of the chain code."""
HIDDEN = 16
"""Hidden units of the two networks of the spin encoding."""


def _mlp(outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(CONTEXTS.shape[1], HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))


class LocalNetwork(Network):
    """The equations of this module.

    Args:
        width: channels D of the recurrent units.
        layers: how many of them are stacked.
        dropout: see `SRU`.
    """

    def __init__(self, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.spin = _mlp(CODE)
        self.flip = _mlp(1)
        self.chain = nn.Linear(CODE, CODE, bias=False)
        self.token = nn.Linear(4 + 2 * CODE, width, bias=False)
        self.sru = SRU(width, layers, dropout)
        self.decoder = nn.Linear(width, 2, bias=False)

    def codes(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the chain codes `e`, shape `(2**N, CODE)`, and the weights `w` of the flips, shape `(2**N, N)`."""
        known = CONTEXTS.to(self.token.weight)
        where = contexts_of(size).to(known.device)
        return self.chain(self.spin(known)[where].sum(1)), self.flip(known)[where, 0]

    def changes(self, windows: Sequence[torch.Tensor], generator: torch.Generator | None = None) -> list[torch.Tensor]:
        """Return the predicted changes of several sizes in one pass of the recurrent units."""
        tokens = [self._tokens(window) for window in windows]
        h, _ = self.sru(torch.cat(tokens, 1), generator=generator)
        parts = (self.scale.to(h) * self.decoder(h)).split([x.shape[1] for x in tokens], 1)
        return [part.reshape(window.shape) for part, window in zip(parts, windows, strict=True)]

    def propagator(self, size: int, device: str) -> LocalPropagator:
        """Return the folded network for one size."""
        return LocalPropagator(self, size, device)

    def _tokens(self, psi: torch.Tensor) -> torch.Tensor:
        size = size_of(psi)
        code, weights = self.codes(size)
        coupling = weights.new_zeros(2 * (psi.shape[-2],)).scatter(1, flips_of(size).to(weights.device), weights)
        flipped = torch.matmul(psi.transpose(-1, -2), coupling.T).transpose(-1, -2)
        own = (code[:, :, None] * psi[..., None, :]).flatten(-2)
        features = torch.cat([psi, flipped, own], -1)
        return self.token.forward(features).reshape(len(psi), -1, self.token.out_features)
