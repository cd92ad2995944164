"""The `local` encoder made ready for one size: everything linear is multiplied out once.

Token, candidate and both gates of the first layer are linear in (psi_b, phi_b, 1), with coefficients that depend on the
basis state b alone. The network runs in float32, which is enough for the small change of a step; the states are summed
and normalised in float64.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from qdynbench_sru.graphed import Graphed
from qdynbench_sru.network import Rollout, SteppedRollout, normalise
from qdynbench_sru.scan import implementation

if TYPE_CHECKING:
    from qdynbench_sru.local import LocalNetwork

DENSE_SIZE = 9
"""Largest size at which torch sums over flips by a dense matrix product; by a sparse one beyond."""
TOKENS = {"cpu": 1 << 14, "cuda": 1 << 22}
"""Tokens that torch works on at a time: few enough for the cache of a CPU core, many enough for a GPU."""


@dataclass(frozen=True)
class Folded:
    """A network for one size, float32; `2**N` basis states, D channels, L layers, F flips.

    Attributes:
        first: token, candidate, forget and skip gate of the first layer, shape `(4, D, 5, 2**N)`: coefficients of the
            real and imaginary parts of psi and phi, and the constant.
        flips: which bits each flip turns over, shape `(F,)`, int64.
        weights: of the flips in phi, shape `(F, 2**N)`.
        more_weights: candidate and gates of the other layers, shape `(L-1, 3, D, D)`.
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


@torch.no_grad()
def fold(network: LocalNetwork, size: int) -> Folded:
    """Multiply out what is linear, in float64, for one size."""
    code, weights = (tensor.double().cpu() for tensor in network.codes(size))
    token = network.token.weight.double().cpu()
    width = len(token)
    x = torch.zeros(width, 5, len(code), dtype=torch.float64)
    x[:, :2] = token[:, :2, None] + torch.einsum("nk,dkr->drn", code, token[:, 4:].reshape(width, -1, 2))
    x[:, 2:4] = token[:, 2:4, None]
    stack = network.sru.stack
    gates = torch.einsum("gde,eib->gdib", stack[0].weight.double().cpu(), x)
    gates[:, :, 4] += stack[0].full_bias.double().cpu()[:, :, None]
    more = stack[1:]
    empty = torch.empty(0, 3, width, width)
    ready = {
        "first": torch.cat([x[None], gates]),
        "weights": weights.T,
        "more_weights": torch.stack([layer.weight for layer in more]) if more else empty,
        "more_biases": torch.stack([layer.full_bias for layer in more]) if more else empty[..., 0],
        "peepholes": torch.stack([layer.peephole for layer in stack]),
        "decoder": network.scale.cpu() * network.decoder.weight.double().cpu(),
    }
    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in ready.items()}
    return Folded(flips=network.flips(size), **tensors)


class LocalPropagator:
    """Starts rollouts of one size; see `network.Propagator`.

    Args:
        network: its weights are copied.
        size: number of spins N.
        device: "cpu" or "cuda".
    """

    def __init__(self, network: LocalNetwork, size: int, device: str) -> None:
        self._folded = fold(network, size)
        self._compiled = device == "cpu" and implementation("cpu") == "cpu"
        if self._compiled:
            # Compiles, where this machine has not done so before: a cost of getting ready, not of the first states.
            one = torch.zeros(1, 1 << size, dtype=torch.complex128)
            one[0, 0] = 1
            self.start(one).advance(one.new_empty(1, 2, 1 << size))
        else:
            self._tables = TorchTables(self._folded, device)
            self._graphed = Graphed()

    def start(self, states: torch.Tensor) -> Rollout:
        """Begin at initial states, complex128, shape `(B, 2**N)`."""
        if self._compiled:
            from qdynbench_sru.local_cpu import CompiledLocalRollout

            return CompiledLocalRollout(self._folded, states)
        if states.is_cuda:
            return self._graphed.start(states, lambda: LocalStep(self._tables, states))
        return SteppedRollout(states, LocalStep(self._tables, states))


class TorchTables:
    """The folded network as torch's batched products want it, on any device; layout `(2**N, channels, B)`."""

    def __init__(self, folded: Folded, device: str) -> None:
        self.tokens = TOKENS[device]
        self.width, self.dimension = folded.first.shape[1], folded.first.shape[3]
        self.first = folded.first.flatten(0, 1).permute(2, 0, 1).contiguous().to(device)
        self.more = [
            (weight.flatten(0, 1).to(device), bias.flatten()[:, None].to(device))
            for weight, bias in zip(folded.more_weights, folded.more_biases, strict=True)
        ]
        self.peepholes = folded.peepholes[..., None].to(device)
        self.decoder = folded.decoder.to(device)
        self.coupling = coupling(folded.weights, folded.flips).to(device)


class LocalStep:
    """One step in torch, in place, on buffers that are made once; for a GPU, and where there is no compiler.

    Args:
        tables: the network.
        states: initial states, complex128, shape `(B, 2**N)`.
    """

    def __init__(self, tables: TorchTables, states: torch.Tensor) -> None:
        self._tables = tables
        batch, dimension, width = len(states), tables.dimension, tables.width
        self.psi = torch.empty(dimension, 2, batch, dtype=torch.float64, device=states.device)
        new = tables.first.new_empty
        self._inputs = new(dimension, 5, batch).fill_(1)
        self._pairs, self._flipped = new(dimension, 2 * batch), new(dimension, 2 * batch)
        self._change = new(dimension, 2, batch)
        self._memories = new(len(tables.peepholes), dimension, width, batch)
        rows = min(dimension, max(1, tables.tokens // batch))
        self._rows = rows
        self._work, self._scratch = new(rows, 4 * width, batch), new(rows, width, batch)
        self.restart(states)

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size."""
        self.psi.copy_(torch.view_as_real(states).permute(1, 2, 0))
        self._fresh = True

    @torch.no_grad()
    def __call__(self) -> torch.Tensor:
        """Take a step and return the states, float64, shape `(B, 2**N, 2)`; valid until the next."""
        batch, dimension = self.psi.shape[2], len(self.psi)
        self._inputs[:, :2] = self.psi
        self._pairs.view(dimension, 2, batch).copy_(self.psi)
        torch.matmul(self._tables.coupling, self._pairs, out=self._flipped)
        self._inputs[:, 2:4] = self._flipped.view(dimension, 2, batch)
        for start in range(0, dimension, self._rows):
            self._cells(slice(start, min(start + self._rows, dimension)))
        self.psi.add_(self._change)
        normalise(self.psi, dim=(0, 1))
        self._fresh = False
        return self.psi.permute(2, 0, 1)

    def _cells(self, part: slice) -> None:
        """Take some tokens through all layers and write their change; `work` holds x, candidate and both gates."""
        tables, width, count = self._tables, self._tables.width, part.stop - part.start
        work, scratch = self._work[:count], self._scratch[:count]
        x, candidate, gates = work[:, :width], work[:, width : 2 * width], work[:, 2 * width :]
        both = gates.view(count, 2, width, -1)
        torch.bmm(tables.first[part], self._inputs[part], out=work)
        for number, peephole in enumerate(tables.peepholes):
            memory = self._memories[number, part]
            if number > 0:
                weight, bias = tables.more[number - 1]
                torch.bmm(weight.expand(count, -1, -1), x.contiguous(), out=work[:, width:]).add_(bias)
            if self._fresh:
                memory.copy_(candidate)
            both.addcmul_(peephole, memory[:, None]).sigmoid_()
            torch.sub(memory, candidate, out=scratch)
            torch.addcmul(candidate, both[:, 0], scratch, out=memory)
            torch.sub(memory, x, out=scratch)
            x.addcmul_(both[:, 1], scratch)
        torch.bmm(tables.decoder.expand(count, -1, -1), x, out=self._change[part])


def coupling(weights: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """Return the matrix of the flip sum, shape `(2**N, 2**N)`, from weights `(F, 2**N)` and the bits of each flip."""
    count, dimension = weights.shape
    columns, order = (torch.arange(dimension)[:, None] ^ flips).sort(1)
    values = weights.T.gather(1, order)
    if dimension <= 1 << DENSE_SIZE:
        return weights.new_zeros(dimension, dimension).scatter(1, columns, values)
    rows = torch.arange(dimension + 1) * count
    with warnings.catch_warnings():
        # CSR times dense is all that is used of it, and the tests hold that against the exact evolution.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        shape = 2 * (dimension,)
        return torch.sparse_csr_tensor(rows, columns.flatten(), values.flatten(), shape, check_invariants=True)
