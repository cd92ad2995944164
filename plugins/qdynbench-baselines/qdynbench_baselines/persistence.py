"""Nothing moves: the floor that an error has to be read against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, block_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

LARGEST_VECTOR = 26
"""Spins up to which states are given back, a gigabyte each; beyond, observables are."""


class Persistence(Solver):
    """Predicts `psi(t) = psi(0)`. Of product states beyond 26 spins it says so of the observables."""

    knowledge = Knowledge.TRAJECTORIES

    def estimate(self, problem: Problem) -> Cost:
        """Predict nothing: a block is a view of the initial states."""
        return Cost(bytes=0.0, operations=0.0)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states again and again, as views of shape `(B, k, 2**N)`, or their observables."""
        if given.spinors is not None and self.problem.size > LARGEST_VECTOR:
            yield self._observables(given.spinors)
            return
        times = self.problem.steps + 1
        length = block_length(self.problem, len(given))
        for start in range(0, times, length):
            yield Block(start, given.states[:, None].expand(-1, min(length, times - start), -1))

    def _observables(self, spinors: torch.Tensor) -> Block:
        """Return spins `(B, T+1, N)`, norm and entropy `(B, T+1)` of product states, which have no entanglement."""
        import torch

        from qdynbench import product

        times = self.problem.steps + 1
        spins = product.spins(spinors.cpu().numpy())
        observables = {str(axis): torch.from_numpy(one)[:, None].expand(-1, times, -1) for axis, one in spins.items()}
        entropy = torch.zeros(len(spinors), times, dtype=torch.float64)
        return Block(0, None, {**observables, "norm": torch.ones_like(entropy), "entropy": entropy})
