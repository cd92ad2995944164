"""Simple recurrent units as torch modules: one layer, and a stack of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from sru_kernels._projection import project
from sru_kernels._scan import sru_scan

GATE_SCALE = 0.01
"""The forget and skip gates start almost independent of the input, at the values that their biases give them."""
FORGET_BIASES = (-1.0, 1.5)
SKIP_BIASES = (-2.0, 2.0)
"""Biases start evenly spread: channels that forget at different rates, as the terms of a multistep rule do. With equal
biases the same training ends at an error ten times as large."""


class SRULayer(nn.Module):
    """One layer of the paper's cell, with peepholes.

    All products are elementwise:

        f_t = sigmoid(W_f x_t + v_f * c_{t-1} + b_f)
        r_t = sigmoid(W_r x_t + v_r * c_{t-1} + b_r)
        c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t)
        h_t = r_t * c_t + (1 - r_t) * x_t

    The paper does not say what `c_0` is. Here `c_0 = W x_1`, the value that a constant input leads to: a memory that
    starts at zero would be a shock that fades only over several steps.

    Args:
        width: number of channels D, of the input as of the output.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        scale = torch.tensor([1.0, GATE_SCALE, GATE_SCALE])[:, None, None] / width**0.5
        spreads = [torch.linspace(*ends, width) for ends in (FORGET_BIASES, SKIP_BIASES)]
        self.weight = nn.Parameter(torch.randn(3, width, width) * scale)
        self.bias = nn.Parameter(torch.stack([spread[torch.randperm(width)] for spread in spreads]))
        self.peephole = nn.Parameter(torch.zeros(2, width))

    @property
    def full_bias(self) -> torch.Tensor:
        """Biases of candidate (which has none: zero), forget gate and skip gate, shape `(3, D)`."""
        return torch.cat([torch.zeros_like(self.bias[:1]), self.bias])

    def forward(self, x: torch.Tensor, memory: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs `(T, M, D)` and last memory `(M, D)`.

        Args:
            x: inputs, shape `(T, M, D)`.
            memory: where an earlier call on the same sequences ended, shape `(M, D)`.
        """
        u = project(x, self.weight, self.bias)
        if memory is None:
            # A product of its own: as a slice of u its gradient would be zeros of the size of u, added to u's.
            memory = nn.functional.linear(x[0], self.weight[0])
        # Under autocast the products come in another precision than the rest.
        return sru_scan(u, x.to(u), self.peephole.to(u), memory.to(u))


class SRU(nn.Module):
    """A stack of layers, each the input of the next.

    Args:
        width: number of channels D.
        layers: number of layers.
        dropout: probability with which a channel of a layer's input is dropped in training; the same channels at all
            times of a sequence, so that the memory is not fed noise.
    """

    def __init__(self, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SRULayer(width) for _ in range(layers))
        self.dropout = dropout

    @property
    def stack(self) -> list[SRULayer]:
        """The layers, the first one first."""
        return [cast(SRULayer, layer) for layer in self.layers]

    def forward(
        self,
        x: torch.Tensor,
        memories: Sequence[torch.Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return outputs `(T, M, D)` and the last memory of each layer, `(M, D)`.

        Args:
            x: inputs, shape `(T, M, D)`.
            memories: of each layer, from an earlier call on the same sequences.
            generator: CPU generator that decides what is dropped; without one, nothing is.
        """
        ends = []
        for number, layer in enumerate(self.stack):
            if generator is not None and self.dropout > 0:
                kept = torch.rand(1, *x.shape[1:], generator=generator) >= self.dropout
                x = x * (kept.to(x) / (1 - self.dropout))
            x, end = layer(x, None if memories is None else memories[number])
            ends.append(end)
        return x, ends
