"""Nothing moves: the floor that an error has to be read against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench.solver import Block, Cost, Initial, Knowledge, Problem, Solver, block_length

if TYPE_CHECKING:
    from collections.abc import Iterator


class Persistence(Solver):
    """Predicts `psi(t) = psi(0)`."""

    knowledge = Knowledge.TRAJECTORIES

    def estimate(self, problem: Problem) -> Cost:
        """Predict next to nothing: a block is a view of the initial states."""
        return Cost(bytes=0.0, seconds=1e-4)

    def solve(self, initial: Initial) -> Iterator[Block]:
        """Yield the initial states again and again, as views of shape `(B, k, 2**N)`."""
        times = self.problem.steps + 1
        length = block_length(self.problem, len(initial.states))
        for start in range(0, times, length):
            yield Block(start, initial.states[:, None].expand(-1, min(length, times - start), -1))
