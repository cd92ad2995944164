"""The `local` encoder: every amplitude is a token, and neither the parameters nor their number depend on the size.

For basis state `b` of N sites and amplitude `psi_b`, with `ctx_i` the context of site i (its spin, its neighbours'
spins, and whether a neighbour is missing because the chain ends):

    spin encoding     a(ctx), w(ctx)                         two small networks
    chain encoding    e_b   = C sum_i a(ctx_i)
    flip sum          phi_b = sum_i w(ctx_i) psi_{b with spin i flipped}
                              [+ sum_i w'(ctx_i,i+1) psi_{b with spins i and i+1 flipped}]
    token             x_b   = U [psi_b, phi_b, e_b (x) psi_b]
    simple recurrent units along time, the same weights for every token
    spin decoding     psi_b(t + dt) - psi_b(t) = scale * V h_b

The one thing assumed is the neighbourhood: that amplitudes couple by single spin flips, or by these and flips of two
neighbouring spins (the sum in brackets), with real weights that depend on the flipped sites and their neighbours. Which
weights, and what the amplitude's own phase does, is learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sru_kernels import SRU, FoldedLocal, LocalPropagator
from torch import nn

from qdynbench_sru.networks.network import Network, size_of
from qdynbench_sru.networks.sites import BOND_CONTEXTS, CONTEXTS, bond_contexts_of, contexts_of, flips_of

CODE = 4
"""Length of the chain code."""
HIDDEN = 16
"""Hidden units of the two networks of the spin encoding."""


def _mlp(contexts: torch.Tensor, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(contexts.shape[1], HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, outputs))


class LocalNetwork(Network):
    """The equations of this module.

    Args:
        width: channels D of the recurrent units.
        layers: how many of them are stacked.
        dropout: see `SRU`.
        neighbourhood: 1 for flips of single spins, 2 for those of neighbouring pairs as well.
    """

    def __init__(self, width: int, layers: int = 1, dropout: float = 0.0, neighbourhood: int = 1) -> None:
        super().__init__()
        self.neighbourhood = neighbourhood
        self.spin = _mlp(CONTEXTS, CODE)
        self.flip = _mlp(CONTEXTS, 1)
        self.chain = nn.Linear(CODE, CODE, bias=False)
        self.token = nn.Linear(4 + 2 * CODE, width, bias=False)
        self.sru = SRU(width, layers, dropout)
        self.decoder = nn.Linear(width, 2, bias=False)
        if neighbourhood == 2:
            self.bond_flip = _mlp(BOND_CONTEXTS, 1)

    def flips(self, size: int) -> torch.Tensor:
        """Return the bits that each of the F flips turns over, shape `(F,)`, int64."""
        return flips_of(size, self.neighbourhood)

    def codes(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the chain codes `e`, shape `(2**N, CODE)`, and the weights of the flips, shape `(2**N, F)`."""
        known = CONTEXTS.to(self.token.weight)
        where = contexts_of(size).to(known.device)
        code, weights = self.chain(self.spin(known)[where].sum(1)), self.flip(known)[where, 0]
        if self.neighbourhood == 2:
            bonds = self.bond_flip(BOND_CONTEXTS.to(known))[bond_contexts_of(size).to(known.device), 0]
            weights = torch.cat([weights, bonds], 1)
        return code, weights

    def predict(
        self,
        excerpts: Sequence[torch.Tensor],
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the predicted changes of several sizes in one pass of the recurrent units, and the memories."""
        tokens = [self._tokens(excerpt) for excerpt in excerpts]
        h, ends = self.sru(torch.cat(tokens, 1), memories, generator)
        parts = torch.split(self.scaled(self.decoder(h)), [x.shape[1] for x in tokens], 1)
        return [part.reshape(excerpt.shape) for part, excerpt in zip(parts, excerpts, strict=True)], ends

    def propagator(self, size: int, device: str) -> LocalPropagator:
        """Return the folded network for one size."""
        return LocalPropagator(self.folded(size), device)

    @torch.no_grad()
    def folded(self, size: int) -> FoldedLocal:
        """Multiply out what is linear, in float64, for one size.

        Token, candidate, forget and skip gate of the first layer are linear in (psi_b, phi_b, 1), with coefficients
        that depend on the basis state b alone.
        """
        code, weights = (tensor.double().cpu() for tensor in self.codes(size))
        token = self.token.weight.double().cpu()
        width = len(token)
        x = torch.zeros(width, 5, len(code), dtype=torch.float64)
        x[:, :2] = token[:, :2, None] + torch.einsum("nk,dkr->drn", code, token[:, 4:].reshape(width, -1, 2))
        x[:, 2:4] = token[:, 2:4, None]
        stack = self.sru.stack
        products = torch.einsum("gde,eib->gdib", stack[0].weight.double().cpu(), x)
        products[:, :, 4] += stack[0].full_bias.double().cpu()[:, :, None]
        more = stack[1:]
        empty = torch.empty(0, 3, width, width)
        ready = {
            "first": torch.cat([x[None], products]),
            "weights": weights.T,
            "more_weights": torch.stack([layer.weight for layer in more]) if more else empty,
            "more_biases": torch.stack([layer.full_bias for layer in more]) if more else empty[..., 0],
            "peepholes": torch.stack([layer.peephole for layer in stack]),
            "decoder": self.scale.cpu() * self.decoder.weight.double().cpu(),
        }
        tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in ready.items()}
        return FoldedLocal(flips=self.flips(size), **tensors)

    def _tokens(self, psi: torch.Tensor) -> torch.Tensor:
        size = size_of(psi)
        code, weights = self.codes(size)
        others = torch.arange(len(weights))[:, None] ^ self.flips(size)
        coupling = weights.new_zeros(2 * (psi.shape[-2],)).scatter(1, others.to(weights.device), weights)
        flipped = torch.matmul(psi.transpose(-1, -2), coupling.T).transpose(-1, -2)
        own = (code[:, :, None] * psi[..., None, :]).flatten(-2)
        features = torch.cat([psi, flipped, own], -1)
        return self.token.forward(features).reshape(len(psi), -1, self.token.out_features)
