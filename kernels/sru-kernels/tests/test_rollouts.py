"""Rollouts on a CPU: compiled loops against steps in torch, and what neither may depend on."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch
from sru_kernels import FoldedLocal, FoldedPadded, LocalPropagator, PaddedPropagator, Propagator, use
from sru_kernels._local import steps
from sru_kernels.benchmark.contenders import random_local, random_padded, random_states

Folded = FoldedLocal | FoldedPadded
NETWORKS = {"local": random_local(3, 6, 2, change=0.01), "padded": random_padded(3, 6, 2, change=0.01)}


def propagator(folded: Folded) -> Propagator:
    if isinstance(folded, FoldedLocal):
        return LocalPropagator(folded, "cpu")
    return PaddedPropagator(folded, "cpu")


def rolled_out(folded: Folded, initial: torch.Tensor, lengths: Sequence[int], every: int = 1) -> torch.Tensor:
    """Blocks of these lengths one after the other, as one trajectory."""
    rollout, (batch, dimension) = propagator(folded).start(initial), initial.shape
    blocks = [torch.full((batch, length, dimension), math.nan, dtype=torch.complex128) for length in lengths]
    for block in blocks:
        rollout.advance(block, every)
    return torch.cat(blocks, 1)


def agree(folded: Folded, initial: torch.Tensor) -> None:
    compiled = rolled_out(folded, initial, [1, 3, 5])
    with use("reference"):
        plain = rolled_out(folded, initial, [1, 3, 5])
    assert torch.equal(compiled[:, 0], initial)
    assert float((compiled[:, -1] - initial).abs().max()) > 1e-3 / initial.shape[1]
    torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-7)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("size", "batch"), [(1, 1), (2, 11), (5, 1), (6, 9), (11, 1)])
def test_compiled_and_plain_rollouts_of_local_agree_where_samples_or_threads_share_tiles(
    layers: int, size: int, batch: int
) -> None:
    agree(random_local(size, 6, layers, neighbourhood=2, change=0.01), random_states(batch, size))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("size", "batch"), [(1, 1), (4, 11), (6, 1)])
def test_compiled_and_plain_rollouts_of_padded_agree(layers: int, size: int, batch: int) -> None:
    agree(random_padded(size, 20, layers, change=0.01), random_states(batch, size))


@pytest.mark.parametrize("scan", ["cpu", "reference"])
@pytest.mark.parametrize("network", NETWORKS)
def test_several_steps_between_two_columns(scan: str, network: str) -> None:
    folded, initial = NETWORKS[network], random_states(3, 3)
    with use(scan):
        expected = rolled_out(folded, initial, [10])[:, ::3]
        torch.testing.assert_close(rolled_out(folded, initial, [2, 2], every=3), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_rollout_leaves_the_initial_states_and_other_rollouts_alone(network: str) -> None:
    initial = random_states(3, 3)
    before = initial.clone()
    ready = propagator(NETWORKS[network])
    blocks = [torch.empty(3, 5, 8, dtype=torch.complex128) for _ in range(3)]
    rollouts = [ready.start(initial) for _ in range(2)]
    for block, rollout in zip(blocks, [*rollouts, ready.start(initial)], strict=True):
        rollout.advance(block)
    assert torch.equal(initial, before)
    assert torch.equal(blocks[0], blocks[1])
    assert torch.equal(blocks[0], blocks[2])


def test_tokens_in_portions_are_the_same_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    folded, initial = NETWORKS["local"], random_states(3, 3)
    with use("reference"):
        whole = rolled_out(folded, initial, [11])
        monkeypatch.setitem(steps.TOKENS, "cpu", 9)
        torch.testing.assert_close(rolled_out(folded, initial, [11]), whole, rtol=0, atol=1e-9)


def test_the_flip_sum_of_a_large_state_is_sparse_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = random_local(4, 2, neighbourhood=2)
    dense = steps.coupling(folded.weights, folded.flips)
    assert [float(dense[b, b ^ int(flip)]) for b, flip in ((5, folded.flips[0]), (9, folded.flips[-1]))] == [
        float(folded.weights[0, 5]),
        float(folded.weights[-1, 9]),
    ]
    monkeypatch.setattr(steps, "DENSE_SIZE", 3)
    sparse = steps.coupling(folded.weights, folded.flips)
    assert sparse.layout == torch.sparse_csr
    assert torch.equal(sparse.to_dense(), dense)


def test_it_needs_nothing_of_the_benchmark_that_it_was_written_for() -> None:
    code = "import sys, sru_kernels, sru_kernels.benchmark.report; sys.exit(any('qdynbench' in m for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
