"""Calls that overlap do not write into each other's blocks."""

from __future__ import annotations

import pytest
import torch

from qdynbench import PauliSum
from qdynbench.testing.trajectories import posed, product_initial
from qdynbench.toolkit.eigenbasis import EigenbasisPropagator


@pytest.mark.parametrize(("size", "batch"), [(2, 3), (6, 64)])
def test_calls_that_overlap_have_memory_of_their_own(size: int, batch: int) -> None:
    field = PauliSum.from_terms(size, [(1.0, "X", (site,)) for site in range(size)])
    propagator = EigenbasisPropagator(field.to_dense(), posed(field, dt=0.01, steps=100, batch=batch))
    first, second = (product_initial(size, batch, seed=seed).states for seed in (1, 2))

    def evolved(states: torch.Tensor) -> list[torch.Tensor]:
        return [torch.from_dlpack(block.states).clone() for block in propagator.blocks(states)]

    alone = [evolved(first), evolved(second)]
    overlapping: list[list[torch.Tensor]] = [[], []]
    for pair in zip(propagator.blocks(first), propagator.blocks(second), strict=True):
        for found, block in zip(overlapping, pair, strict=True):
            found.append(torch.from_dlpack(block.states).clone())
    for expected, found in zip(alone, overlapping, strict=True):
        torch.testing.assert_close(torch.cat(found, 1), torch.cat(expected, 1))
