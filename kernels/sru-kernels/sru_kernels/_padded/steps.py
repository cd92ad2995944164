"""The steps of a `padded` rollout in torch, for a GPU and where there is no compiler."""

from __future__ import annotations

import torch

from sru_kernels._padded.folded import FoldedPadded
from sru_kernels._rollout import normalise


class PaddedStep:
    """One step in torch, in place, on buffers that are made once; for a GPU, and where there is no compiler.

    Args:
        folded: the network.
        states: initial states, complex128, shape `(B, 2**N)`.
    """

    def __init__(self, folded: FoldedPadded, states: torch.Tensor) -> None:
        self._folded = folded
        self.psi = torch.empty(*states.shape, 2, dtype=torch.float64, device=states.device)
        batch, width = len(states), len(folded.encoder)
        new = folded.encoder.new_empty
        self._memories = new(len(folded.weights), batch, width)
        self._x, self._scratch = new(batch, width), new(batch, width)
        self._u = new(3, batch, width)
        self.restart(states)

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size."""
        self.psi.copy_(torch.view_as_real(states))
        self._fresh = True

    @torch.no_grad()
    def __call__(self) -> torch.Tensor:
        """Take a step and return the states, float64, shape `(B, 2**N, 2)`; valid until the next."""
        flat, folded, x = self.psi.flatten(1), self._folded, self._x
        torch.mm(flat.to(x.dtype), folded.encoder.T, out=x)
        for number, memory in enumerate(self._memories):
            weight, bias = folded.weights[number].transpose(1, 2), folded.biases[number][:, None]
            torch.baddbmm(bias, x.expand(3, -1, -1), weight, out=self._u)
            candidate, gates = self._u[0], self._u[1:]
            if self._fresh:
                memory.copy_(candidate)
            gates.addcmul_(folded.peepholes[number][:, None], memory).sigmoid_()
            torch.sub(memory, candidate, out=self._scratch)
            torch.addcmul(candidate, gates[0], self._scratch, out=memory)
            torch.sub(memory, x, out=self._scratch)
            x.addcmul_(gates[1], self._scratch)
        flat.add_(x @ folded.decoder.T)
        normalise(flat, dim=(1,))
        self._fresh = False
        return self.psi
