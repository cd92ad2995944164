"""The `padded` encoder made ready for one size: weights before and after the recurrent units are multiplied out once.

The network runs in float32, which is enough for the small change of a step; the states are summed and normalised in
float64. A step is a handful of small matrix products, so that calls would cost more than arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from qdynbench_sru.graphed import Graphed, Restartable
from qdynbench_sru.network import Rollout, SteppedRollout, normalise
from qdynbench_sru.scan import implementation

if TYPE_CHECKING:
    from qdynbench_sru.padded import PaddedNetwork


@dataclass(frozen=True)
class Folded:
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

    def to(self, device: str) -> Folded:
        """Return it on a device."""
        return Folded(**{name: tensor.to(device) for name, tensor in vars(self).items()})


@torch.no_grad()
def fold(network: PaddedNetwork, size: int) -> Folded:
    """Multiply out what is linear, in float64, restricted to the size's own amplitudes."""
    first, second = (cast(nn.Linear, layer).weight.double() for layer in network.before)
    own, gains = 2 << size, network.gains[size].double()
    stack = network.sru.stack
    ready = {
        "encoder": second @ first @ network.chain.weight.double() @ (gains[:, None] * network.spin.weight[:, :own]),
        "decoder": network.scale * (network.decoder.weight[:own].double() @ (gains[:, None] * network.after.weight)),
        "weights": torch.stack([layer.weight for layer in stack]),
        "biases": torch.stack([layer.full_bias for layer in stack]),
        "peepholes": torch.stack([layer.peephole for layer in stack]),
    }
    return Folded(**{name: tensor.detach().cpu().float().contiguous() for name, tensor in ready.items()})


class PaddedPropagator:
    """Starts rollouts of one size; see `network.Propagator`.

    Args:
        network: its weights are copied.
        size: number of spins N.
        device: "cpu" or "cuda".
    """

    def __init__(self, network: PaddedNetwork, size: int, device: str) -> None:
        self._folded = fold(network, size).to(device)
        self._graphed = Graphed()
        self._compiled = device == "cpu" and implementation("cpu") == "cpu"
        if self._compiled:
            # Compiles, where this machine has not done so before: a cost of getting ready, not of the first states.
            one = torch.zeros(1, 1 << size, dtype=torch.complex128)
            one[0, 0] = 1
            self.start(one).advance(one.new_empty(1, 2, 1 << size))

    def start(self, states: torch.Tensor) -> Rollout:
        """Begin at initial states, complex128, shape `(B, 2**N)`."""
        if self._compiled:
            from qdynbench_sru.padded_cpu import CompiledPaddedRollout

            return CompiledPaddedRollout(self._folded, states)
        if states.is_cuda:
            return self._graphed.start(states, lambda: PaddedStep(self._folded, states), self._fused(states))
        return SteppedRollout(states, PaddedStep(self._folded, states))

    def _fused(self, states: torch.Tensor) -> Callable[[], Restartable] | None:
        """Return what begins a rollout by kernels of our own, where there is a compiler for them."""
        if implementation("cuda") != "gpu":
            return None
        from qdynbench_sru.padded_gpu import padded_rollout

        return lambda: padded_rollout(self._folded, states)


class PaddedStep:
    """One step in torch, in place, on buffers that are made once; for a GPU, and where there is no compiler.

    Args:
        folded: the network.
        states: initial states, complex128, shape `(B, 2**N)`.
    """

    def __init__(self, folded: Folded, states: torch.Tensor) -> None:
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
