"""What is measured: the scan, the layer and the rollouts, and the implementations that they stand beside."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from sru_kernels._layer import SRULayer
from sru_kernels._local.folded import FoldedLocal
from sru_kernels._local.propagator import LocalPropagator
from sru_kernels._padded.folded import FoldedPadded
from sru_kernels._padded.propagator import PaddedPropagator
from sru_kernels._propagator import Propagator

Scan = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
Work = Callable[[], object]

SCALARS_FORWARD, SCALARS_BACKWARD = 6, 10
"""Numbers that have to be read or written for each element and step; see `sru_kernels._scan`."""


@dataclass(frozen=True)
class Shape:
    """T times, M sequences, D channels."""

    times: int
    sequences: int
    channels: int

    def __str__(self) -> str:
        return f"T={self.times}, B={self.sequences}, D={self.channels}"

    @property
    def elements(self) -> int:
        """Elements of one trajectory of memories."""
        return self.times * self.sequences * self.channels


def plain_loop(
    u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `sru_scan` returns, by the paper's equations as they stand, one step after the other."""
    c, outputs = c0, []
    for t in range(len(x)):
        forget = torch.sigmoid(u[1, t] + v[0] * c)
        skip = torch.sigmoid(u[2, t] + v[1] * c)
        c = forget * c + (1 - forget) * u[0, t]
        outputs.append(skip * c + (1 - skip) * x[t])
    return torch.stack(outputs), c


def tensors(shape: Shape, device: str, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Return random `u, x, v, c0`, each asking for its gradient."""
    generator = torch.Generator().manual_seed(0)
    t, m, d = shape.times, shape.sequences, shape.channels
    made = [torch.randn(size, generator=generator) for size in ((3, t, m, d), (t, m, d), (2, d), (m, d))]
    return [tensor.to(device, dtype).requires_grad_() for tensor in made]


class ScanCase:
    """Forward and backward of one scan, together and each by itself.

    Args:
        scan: `sru_scan` or another form of it.
        inputs: `u, x, v, c0`.
    """

    def __init__(self, scan: Scan, inputs: list[torch.Tensor]) -> None:
        self._scan, self._inputs = scan, inputs
        self._h, _ = scan(*inputs)
        self._gradient = torch.randn_like(self._h)

    def both(self) -> None:
        """Run forward, then backward for a given gradient of the output."""
        h, _ = self._scan(*self._inputs)
        torch.autograd.grad(h, self._inputs, self._gradient)

    @torch.no_grad()
    def forward(self) -> None:
        """Run forward alone."""
        self._scan(*self._inputs)

    def backward(self) -> None:
        """Run backward alone, again on what an earlier forward kept."""
        torch.autograd.grad(self._h, self._inputs, self._gradient, retain_graph=True)


def layers(width: int, device: str) -> dict[str, nn.Module]:
    """Return our layer and torch's recurrent layers of the same width, inputs `(T, M, D)`."""
    torch.manual_seed(0)
    return {
        "SRU layer": SRULayer(width).to(device),
        "nn.LSTM": nn.LSTM(width, width).to(device),
        "nn.GRU": nn.GRU(width, width).to(device),
    }


def layer_step(layer: nn.Module, shape: Shape, device: str) -> Work:
    """Return one forward and backward of a whole layer, gradients of input and weights."""
    x = torch.randn(shape.times, shape.sequences, shape.channels, device=device, requires_grad=True)
    gradient = torch.randn_like(x)
    wanted = [x, *layer.parameters()]

    def run() -> None:
        torch.autograd.grad(layer(x)[0], wanted, gradient)

    return run


def authors_layer(width: int, device: str) -> nn.Module | None:
    """Return the layer of the SRU authors' package, with its CUDA kernel, where it is installed; else None."""
    if not device.startswith("cuda") or importlib.util.find_spec("sru") is None:
        return None
    module = importlib.import_module("sru")
    layer: nn.Module = module.SRU(width, width, num_layers=1).to(device)
    return layer


def random_local(
    size: int, width: int, layers: int = 1, neighbourhood: int = 1, change: float = 0.05, seed: int = 1
) -> FoldedLocal:
    """Return a `local` network of random weights; a step changes a state by about `change`.

    Args:
        size: number of spins N.
        width: channels D.
        layers: recurrent layers L.
        neighbourhood: 1 for flips of single spins, 2 for those of neighbouring pairs as well.
        change: norm of what a step adds to a state of norm 1.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    dimension = 1 << size
    sites = [1 << site for site in range(size)]
    bonds = [low | high for low, high in itertools.pairwise(sites)] if neighbourhood == 2 else []
    flips = torch.tensor(sites + bonds)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    return FoldedLocal(
        first=random(4, width, 5, dimension),
        flips=flips,
        weights=random(len(flips), dimension) / len(flips) ** 0.5,
        more_weights=random(layers - 1, 3, width, width) / width**0.5,
        more_biases=random(layers - 1, 3, width),
        peepholes=random(layers, 2, width),
        decoder=change * random(2, width) / (2 * width * dimension) ** 0.5,
    )


def random_padded(size: int, width: int, layers: int = 1, change: float = 0.05, seed: int = 1) -> FoldedPadded:
    """Return a `padded` network of random weights of the scale that training leaves; see `random_local`."""
    generator = torch.Generator().manual_seed(seed)
    reals = 2 << size

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    return FoldedPadded(
        encoder=random(width, reals),
        weights=random(layers, 3, width, width) / width**0.5,
        biases=random(layers, 3, width),
        peepholes=random(layers, 2, width),
        decoder=change * random(reals, width) / (reals * width) ** 0.5,
    )


def random_states(batch: int, size: int, device: str = "cpu", seed: int = 2) -> torch.Tensor:
    """Return normalised random states, complex128, shape `(batch, 2**size)`."""
    psi = torch.randn(batch, 1 << size, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128)
    psi /= torch.linalg.vector_norm(psi, dim=1, keepdim=True)
    return psi.to(device)


def rollout(network: str, batch: int, device: str, *, size: int = 7, steps: int = 500) -> Work:
    """Return the prediction of `steps` steps of `size` spins, blocks and all, by a network of random weights.

    `padded` has two layers of 256 channels, one more than the weights that ship with the plugin; `local` has one of 8.
    Values cost the same time whether they are trained or not.
    """
    propagator: Propagator
    if network == "local":
        propagator = LocalPropagator(random_local(size, 8, change=0.01), device)
    else:
        propagator = PaddedPropagator(random_padded(size, 256, 2, change=0.01), device)
    states = random_states(batch, size, device)
    per_time = states.numel() * 16
    length = int(max(1, min(steps + 1, 32e6 // per_time)))
    block = states.new_empty(batch, length, 1 << size)

    def run() -> None:
        started = propagator.start(states)
        for start in range(0, steps + 1, length):
            count = min(length, steps + 1 - start)
            started.advance(block.view(-1)[: batch * count << size].view(batch, count, -1))

    return run
