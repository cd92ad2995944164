"""Rollouts of the `padded` network on a GPU: tiles of a step in Triton, put together in two ways.

`PaddedGpuStep` is one step as L + 3 small kernels, spread over all processors; `_graphed.GraphedRollout` replays it.
`FusedPaddedRollout` is one kernel for a whole block: a program of Triton owns 16 states and takes them through all
layers and steps, with the weights streamed from the L2 cache and barriers instead of launches. `padded_rollout`
chooses.

Products are in float32 or as three products of tf32 with its rounding errors ("tf32x3"); tf32 alone is refused, since
each output is the next input and its error of 1e-3 would grow. The state is carried, summed and normalised in float64:
it is touched three times a step where the weights are streamed through, and this class of GPU computes float64 at half
the rate of float32.
"""

from __future__ import annotations

import torch
import triton

from sru_kernels._graphed import GraphedRollout
from sru_kernels._padded.folded import FoldedPadded
from sru_kernels._padded.tiles import decode_kernel, encode_kernel, layer_kernel, normalise_kernel, rollout_kernel

PRECISIONS = ("tf32x3", "ieee")
TILE = 16
"""States of a program: the least that a tensor core multiplies at a time. The last tile fills up with masked rows."""
FEW = 8
"""Batch up to which every state is a tile of its own: a matrix times a vector is bound by reading the matrix, and the
ordinary units have a shorter chain of dependent sums than tensor cores, which would work on 15 rows of zeros."""
SINGLE = {"TILE_B": 1, "TILE_N": 4, "TILE_K": 256, "num_warps": 4, "num_stages": 2}
SPREAD = {"TILE_B": TILE, "TILE_N": 16, "TILE_K": 32, "num_warps": 2, "num_stages": 5}
"""Kernels of one step: few channels a program, so that the weights are read by many processors at once."""
FUSED = {"TILE_B": TILE, "TILE_N": 64, "TILE_K": 32, "num_warps": 8, "num_stages": 4}
"""The kernel of a block: one processor reads all weights, several tiles ahead of what it multiplies."""

LAUNCH_SECONDS = 2e-6
PHASE_SECONDS = 1e-6
PROCESSOR_BANDWIDTH = 80e9
CACHE_BANDWIDTH = 4e12
PROCESSORS = 132
"""Estimates for an H200: a small dependent kernel inside a graph, the latency of a phase inside a kernel, and bytes a
second from the L2 cache into one processor and into all of them."""


def padded_rollout(
    folded: FoldedPadded, states: torch.Tensor, method: str | None = None, precision: str = "tf32x3"
) -> FusedPaddedRollout | GraphedRollout:
    """Begin a rollout on the states' GPU. Keep it and `restart` it for other states: graphs take long to record.

    Args:
        folded: the network, on the same device.
        states: initial states, complex128, shape `(B, 2**N)`.
        method: "graph" or "fused"; by default what `method_for` names.
        precision: of the products, "tf32x3" or "ieee".

    Raises:
        ValueError: an unknown method or precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision}: must be one of {', '.join(PRECISIONS)}")
    method = method or method_for(folded, len(states))
    if method == "fused":
        return FusedPaddedRollout(folded, states, precision)
    if method == "graph":
        return GraphedRollout(states, PaddedGpuStep(folded, states, precision))
    raise ValueError(f"method={method}: must be graph or fused")


def method_for(folded: FoldedPadded, batch: int) -> str:
    """Return "graph" or "fused", whichever is estimated to take less time for a step.

    Two layers of 256 channels at 7 spins are 2 MB of weights. One processor needs some 26 microseconds to stream them,
    whatever the batch: that is what a fused step costs up to 16 states for each processor. In a graph a few states cost
    little more than five launches, 10 microseconds, but every tile of 16 states streams the weights again. So small
    batches of large networks go to the graph, large batches and small networks to the fused kernel.
    """
    size = 4 * (folded.encoder.numel() + folded.weights.numel() + folded.decoder.numel())
    phases = len(folded.weights) + 3
    tiles = -(-batch // TILE)
    graph = phases * LAUNCH_SECONDS + tiles * size / CACHE_BANDWIDTH
    fused = -(-tiles // PROCESSORS) * (phases * PHASE_SECONDS + size / PROCESSOR_BANDWIDTH)
    return "graph" if graph <= fused else "fused"


class _Buffers:
    """What a batch of states carries from step to step, and what a step needs in between."""

    def __init__(self, folded: FoldedPadded, states: torch.Tensor, precision: str) -> None:
        self.folded, self.precision = folded, precision
        self.batch, self.reals = len(states), 2 * states.shape[1]
        self.layers, self.width = len(folded.weights), len(folded.encoder)
        self.state = torch.empty(*states.shape, 2, dtype=torch.float64, device=states.device)
        self.raw = torch.empty_like(self.state)
        new = folded.encoder.new_empty
        self.memory = new(self.layers, self.batch, self.width)
        self.work = new(2, self.batch, self.width)
        self.restart(states)

    def restart(self, states: torch.Tensor) -> None:
        self.state.copy_(torch.view_as_real(states))
        self.fresh = True


class PaddedGpuStep:
    """One step as a kernel for each layer and three more, in place on buffers that are made once.

    Args:
        folded: the network, contiguous.
        states: initial states, complex128, shape `(B, 2**N)`.
        precision: of the products.
    """

    def __init__(self, folded: FoldedPadded, states: torch.Tensor, precision: str = "tf32x3") -> None:
        self._buffers = _Buffers(folded, states, precision)

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size."""
        self._buffers.restart(states)

    def __call__(self) -> torch.Tensor:
        """Take a step and return the states, float64, shape `(B, 2**N, 2)`; valid until the next."""
        own, folded = self._buffers, self._buffers.folded
        tile = SINGLE if own.batch <= FEW else SPREAD
        options = {"PRECISION": own.precision, "enable_fp_fusion": True, **tile}
        rows = triton.cdiv(own.batch, tile["TILE_B"])
        over_width = (triton.cdiv(own.width, tile["TILE_N"]), rows)
        over_reals = (triton.cdiv(own.reals, tile["TILE_N"]), rows)
        with torch.cuda.device_of(own.state):  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            encode_kernel[over_width](
                own.state, folded.encoder, own.work[0], own.batch, own.reals, own.width, **options
            )
            for layer in range(self._buffers.layers):
                layer_kernel[over_width](
                    own.work[layer % 2],
                    own.work[1 - layer % 2],
                    own.memory[layer],
                    folded.weights[layer],
                    folded.biases[layer],
                    folded.peepholes[layer],
                    own.batch,
                    own.width,
                    int(own.fresh),
                    **options,
                )
            decode_kernel[over_reals](
                own.work[own.layers % 2], folded.decoder, own.state, own.raw, own.batch, own.reals, own.width, **options
            )
            normalise_kernel[(own.batch,)](
                own.raw, own.state, own.batch, own.reals, TILE_N=256, num_warps=4, enable_fp_fusion=True
            )
        own.fresh = False
        return own.state


class FusedPaddedRollout:
    """A whole block in one kernel; see `Rollout`.

    Args:
        folded: the network, contiguous.
        states: initial states, complex128, shape `(B, 2**N)`.
        precision: of the products.
    """

    def __init__(self, folded: FoldedPadded, states: torch.Tensor, precision: str = "tf32x3") -> None:
        self._initial: torch.Tensor | None = states
        self._buffers = _Buffers(folded, states, precision)

    def restart(self, states: torch.Tensor) -> None:
        """Begin anew at as many states of the same size."""
        self._initial = states
        self._buffers.restart(states)

    def advance(self, block: torch.Tensor, every: int = 1) -> None:
        """Fill a block with the next states; see `Rollout`."""
        own, folded, column = self._buffers, self._buffers.folded, 0
        if self._initial is not None and block.shape[1] > 0:
            block[:, 0], self._initial, column = self._initial, None, 1
        columns = block.shape[1] - column
        if columns == 0:
            return
        out = torch.view_as_real(block)[:, column:]
        with torch.cuda.device_of(own.state):  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            rollout_kernel[(triton.cdiv(own.batch, TILE),)](
                own.state, own.raw, own.memory, own.work, out,
                folded.encoder, folded.weights, folded.biases, folded.peepholes, folded.decoder,
                own.batch, own.reals, own.width, own.layers,
                columns, every, out.stride(0), int(own.fresh),
                PRECISION=own.precision, enable_fp_fusion=True, **FUSED,
            )  # fmt: skip
        own.fresh = False
