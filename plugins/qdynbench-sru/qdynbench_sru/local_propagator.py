"""Fast prediction with the `local` encoder: everything linear is multiplied out once, nothing is allocated per step."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from qdynbench_sru.network import normalise
from qdynbench_sru.sites import flips_of

if TYPE_CHECKING:
    from qdynbench_sru.local import LocalNetwork

DENSE_SIZE = 9
"""Largest size at which the flip sum is a dense matrix product; a sparse one beyond."""
TOKENS = {"cpu": 1 << 14, "cuda": 1 << 22}
"""Tokens worked on at a time: few enough for the cache of a CPU core, many enough for a GPU."""


class LocalPropagator:
    """Steps a batch of states of one size, token by token.

    Token, candidate and both gates of the first layer are linear in (psi_b, phi_b, 1), with coefficients that depend
    on the basis state alone: one matrix of shape `(4 D, 5)` for each b. The layout is `(2**N, channels, B)`, so that
    every gate is one contiguous stretch. The network runs in float32, which is enough for the small change of a step;
    the states are summed and normalised in float64.

    Args:
        network: its weights are copied.
        size: number of spins N.
        device: "cpu" or "cuda".
    """

    @torch.no_grad()
    def __init__(self, network: LocalNetwork, size: int, device: str) -> None:
        self._dimension, self._tokens = 1 << size, TOKENS[device]
        code, weights = (tensor.double().cpu() for tensor in network.codes(size))
        token = network.token.weight.double().cpu()
        self._width = len(token)
        own = token[:, 4:].reshape(self._width, -1, 2)
        x = torch.empty(self._dimension, self._width, 5, dtype=torch.float64)
        x[..., :2] = token[:, :2] + torch.einsum("nk,dkr->ndr", code, own)
        x[..., 2:4] = token[:, 2:4]
        x[..., 4] = 0
        layers = [
            (layer.weight.double().cpu().flatten(0, 1), layer.full_bias.double().cpu().flatten(), layer.peephole)
            for layer in network.sru.stack
        ]
        gates = torch.matmul(layers[0][0], x)
        gates[..., 4] += layers[0][1]

        def ready(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(device, torch.float32).contiguous()

        self._first = ready(torch.cat([x, gates], 1))
        self._more = [(ready(weight), ready(bias[:, None])) for weight, bias, _ in layers[1:]]
        self._peepholes = [ready(peephole[..., None]) for _, _, peephole in layers]
        self._decoder = ready(network.scale.cpu() * network.decoder.weight.double().cpu())
        self._coupling = ready_coupling(weights, flips_of(size)).to(device, torch.float32)

    @torch.no_grad()
    def steps(self, states: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the states after 1, 2, 3, ... steps, float64, shape `(B, 2**N, 2)`; see `Propagator`."""
        batch, width = len(states), self._width
        # A copy even where the layout would already fit: the caller's states are not ours to write to.
        psi = torch.view_as_real(states).permute(1, 2, 0).clone(memory_format=torch.contiguous_format)
        inputs = self._first.new_ones(self._dimension, 5, batch)
        columns = inputs.view(self._dimension, 5 * batch)
        change = self._first.new_empty(self._dimension, 2, batch)
        memories = self._first.new_empty(len(self._peepholes), self._dimension, width, batch)
        rows = min(self._dimension, max(1, self._tokens // batch))
        work = self._first.new_empty(rows, 4 * width, batch)
        scratch = self._first.new_empty(rows, width, batch)
        fresh = True
        while True:
            inputs[:, :2] = psi
            columns[:, 2 * batch : 4 * batch] = self._coupling @ columns[:, : 2 * batch].contiguous()
            for start in range(0, self._dimension, rows):
                part = slice(start, min(start + rows, self._dimension))
                count = part.stop - start
                self._cells(
                    inputs[part],
                    self._first[part],
                    memories[:, part],
                    work[:count],
                    scratch[:count],
                    change[part],
                    fresh,
                )
            psi.add_(change)
            normalise(psi, dim=(0, 1))
            fresh = False
            yield psi.permute(2, 0, 1)

    def _cells(
        self,
        inputs: torch.Tensor,
        first: torch.Tensor,
        memories: torch.Tensor,
        work: torch.Tensor,
        scratch: torch.Tensor,
        change: torch.Tensor,
        fresh: bool,
    ) -> None:
        """Take some tokens through all layers and write their change; `work` holds x, candidate and both gates."""
        width, count = self._width, len(inputs)
        x, candidate, gates = work[:, :width], work[:, width : 2 * width], work[:, 2 * width :]
        both = gates.view(count, 2, width, -1)
        torch.bmm(first, inputs, out=work)
        for number, (memory, peephole) in enumerate(zip(memories, self._peepholes, strict=True)):
            if number > 0:
                weight, bias = self._more[number - 1]
                torch.bmm(weight.expand(count, -1, -1), x.contiguous(), out=work[:, width:]).add_(bias)
            if fresh:
                memory.copy_(candidate)
            both.addcmul_(peephole, memory[:, None]).sigmoid_()
            torch.sub(memory, candidate, out=scratch)
            torch.addcmul(candidate, both[:, 0], scratch, out=memory)
            torch.sub(memory, x, out=scratch)
            x.addcmul_(both[:, 1], scratch)
        torch.bmm(self._decoder.expand(count, -1, -1), x, out=change)


def ready_coupling(weights: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Return the matrix of the flip sum from weights and flipped basis states of shape `(2**N, N)`."""
    dimension, size = weights.shape
    if size <= DENSE_SIZE:
        return weights.new_zeros(dimension, dimension).scatter(1, flips, weights)
    columns, order = flips.sort(1)
    rows = torch.arange(dimension + 1) * size
    with warnings.catch_warnings():
        # CSR times dense is all that is used of it, and the tests hold that against the exact evolution.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        values = weights.gather(1, order).flatten()
        return torch.sparse_csr_tensor(rows, columns.flatten(), values, 2 * (dimension,), check_invariants=True)
