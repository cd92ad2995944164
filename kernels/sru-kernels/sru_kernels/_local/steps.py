"""The steps of a `local` rollout in torch, for a GPU and where there is no compiler."""

from __future__ import annotations

import warnings

import torch

from sru_kernels._local.folded import FoldedLocal
from sru_kernels._rollout import normalise

DENSE_SIZE = 9
"""Largest size at which torch sums over flips by a dense matrix product; by a sparse one beyond."""
TOKENS = {"cpu": 1 << 14, "cuda": 1 << 22}
"""Tokens that torch works on at a time: few enough for the cache of a CPU core, many enough for a GPU."""


class TorchTables:
    """The folded network as torch's batched products want it, on any device; layout `(2**N, channels, B)`."""

    def __init__(self, folded: FoldedLocal, device: str) -> None:
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
        """Take some tokens through all layers and write their change; `work` holds x, candidate and the two gates."""
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
