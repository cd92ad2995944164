"""What rollouts on a GPU must do; run by `test_gpu`, interpreted on the CPU and compiled on a GPU."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence

import pytest
import torch
from sru_kernels import FoldedPadded, Rollout
from sru_kernels._graphed import Action, GraphedRollout, record
from sru_kernels._local.steps import LocalStep, TorchTables
from sru_kernels._padded import gpu
from sru_kernels._padded.gpu import FusedPaddedRollout, PaddedGpuStep, padded_rollout
from sru_kernels._padded.steps import PaddedStep
from sru_kernels._rollout import Restartable, Step, SteppedRollout
from sru_kernels.benchmark.contenders import random_local, random_padded, random_states

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
ON_GPU = pytest.mark.skipif(INTERPRETED, reason="needs a CUDA device")
SHAPES = [
    ("fused", (1, 1, 1, 1), 1),
    ("fused", (2, 2, 7, 3), 3),
    ("fused", (17, 2, 70, 2), 1),
    ("graph", (1, 1, 1, 1), 3),
    ("graph", (2, 2, 7, 2), 1),
    ("graph", (gpu.FEW + 10, 1, 18, 2), 1),
]
"""Method; batch, spins, channels, layers; steps a column. Odd sizes, and more of each than a tile has."""


def recorder(action: Action) -> Action:
    """Record on a GPU; interpreted, what a recording does is what the action does."""
    return action if INTERPRETED else record(action)


def folded(size: int, width: int, layers: int, change: float = 0.05) -> FoldedPadded:
    return random_padded(size, width, layers, change).to(DEVICE)


def states(batch: int, size: int) -> torch.Tensor:
    return random_states(batch, size, DEVICE)


def blocks(rollout: Rollout, initial: torch.Tensor, lengths: Sequence[int], every: int = 1) -> torch.Tensor:
    """Fill blocks of these lengths, poisoned before, and return them in one."""
    batch, dimension = initial.shape
    parts = [initial.new_full((batch, length, dimension), math.nan) for length in lengths]
    for part in parts:
        rollout.advance(part, every)
    return torch.cat(parts, 1)


def exact(network: FoldedPadded, initial: torch.Tensor, columns: int, every: int = 1) -> torch.Tensor:
    """The same arithmetic in torch, float64 throughout."""
    wide = FoldedPadded(**{name: tensor.double() for name, tensor in vars(network).items()})
    return blocks(SteppedRollout(initial, PaddedStep(wide, initial)), initial, [columns], every)


def rollout(method: str, network: FoldedPadded, initial: torch.Tensor, precision: str = "tf32x3") -> Restartable:
    if method == "fused":
        return FusedPaddedRollout(network, initial, precision)
    return GraphedRollout(initial, PaddedGpuStep(network, initial, precision), recorder)


@pytest.mark.parametrize(("method", "shape", "every"), SHAPES)
def test_padded_follows_its_equations(method: str, shape: tuple[int, int, int, int], every: int) -> None:
    batch, size, width, layers = shape
    network, initial = folded(size, width, layers), states(batch, size)
    before = initial.clone()
    expected = exact(network, initial, 4, every)
    assert float((expected[:, -1] - initial).abs().max()) > 1e-3
    ours = rollout(method, network, initial.flip(1))
    blocks(ours, initial, [1, 1])
    ours.restart(initial)
    result = blocks(ours, initial, [2, 0, 1, 1], every)
    # float32 acts on the changes alone: a few roundings of 5e-2 for each of at most 9 steps.
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)
    norms = torch.linalg.vector_norm(result, dim=2)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-14)
    assert torch.equal(initial, before)


def test_small_batches_of_large_networks_are_spread_and_others_fused() -> None:
    large, small = folded(7, 256, 2), folded(2, 16, 1)
    assert [gpu.method_for(large, batch) for batch in (1, 64, 4096)] == ["graph", "graph", "fused"]
    assert gpu.method_for(small, 1) == "fused"
    assert isinstance(padded_rollout(large, states(1, 7)), GraphedRollout)
    assert isinstance(padded_rollout(small, states(1, 2)), FusedPaddedRollout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"precision": "tf32"}, "must be one of tf32x3, ieee"), ({"method": "eager"}, "must be graph or fused")],
)
def test_what_is_not_offered_is_refused(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        padded_rollout(folded(1, 4, 1), states(1, 1), **arguments)


@pytest.mark.gpu
@ON_GPU
@pytest.mark.parametrize("method", ["fused", "graph"])
@pytest.mark.parametrize("precision", gpu.PRECISIONS)
@pytest.mark.parametrize("shape", [(1, 7, 256, 2), (16, 7, 256, 2), (256, 7, 256, 2), (300, 5, 100, 1)], ids=str)
def test_padded_at_full_size(shape: tuple[int, int, int, int], precision: str, method: str) -> None:
    batch, size, width, layers = shape
    network, initial = folded(size, width, layers, change=0.01), states(batch, size)
    expected = exact(network, initial, 200)
    result = blocks(rollout(method, network, initial, precision), initial, [70, 130])
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-5)


def torch_step(network: str, initial: torch.Tensor) -> Step:
    """Return the step in torch of either network, on random weights."""
    if network == "padded":
        return PaddedStep(random_padded(4, 8, 2, change=0.01).to(DEVICE), initial)
    return LocalStep(TorchTables(random_local(4, 8, 2, change=0.01), DEVICE), initial)


@pytest.mark.gpu
@ON_GPU
@pytest.mark.parametrize("network", ["padded", "local"])
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("batch", [1, 20])
def test_graphs_repeat_the_steps_of_both_networks(network: str, every: int, batch: int) -> None:
    initial = states(batch, 4)
    expected = blocks(SteppedRollout(initial, torch_step(network, initial)), initial, [100, 3, 64], every)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # recording must not have failed
        graphed = GraphedRollout(initial, torch_step(network, initial), recorder)
        result = blocks(graphed, initial, [100, 3, 64], every)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


@pytest.mark.gpu
@ON_GPU
def test_a_step_that_cannot_be_recorded_runs_one_by_one_with_one_line() -> None:
    network, initial = folded(2, 8, 1), states(3, 2)

    class Waiting(PaddedStep):
        def __call__(self) -> torch.Tensor:
            result = super().__call__()
            assert result.sum().item() < 100  # waits for the GPU, which no recording may do
            return result

    graphed = GraphedRollout(initial, Waiting(network, initial))
    with pytest.warns(RuntimeWarning, match="sru: no CUDA graph") as caught:
        result = blocks(graphed, initial, [10, 10])
    assert len([w for w in caught if "no CUDA graph" in str(w.message)]) == 1
    expected = blocks(SteppedRollout(initial, PaddedStep(network, initial)), initial, [20])
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)
