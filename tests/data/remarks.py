"""Solvers that have something to say of their results, and one that gives more than states."""

import torch

from qdynbench import Block, Knowledge, Solver, hookimpl


class Remarking(Solver):
    """Nothing moves; says of each call at which step its limit was reached."""

    knowledge = Knowledge.TRAJECTORIES

    def solve(self, given):
        given.note(f"bond dimension reached its limit 8 at step {len(given.notes) + 3}")
        yield Block(0, given.states[:, None].repeat(1, self.problem.steps + 1, 1))


class Truncating(Solver):
    """Nothing moves; reports a discarded weight beside its states."""

    knowledge = Knowledge.TRAJECTORIES

    def solve(self, given):
        for step in range(self.problem.steps + 1):
            weight = torch.full((len(given), 1), 1e-3 * step, dtype=torch.float64)
            yield Block(step, given.states[:, None].clone(), {"truncation": weight})


@hookimpl
def register_solvers(register):
    register("remarking", Remarking, summary="remarks")
    register("truncating", Truncating, summary="reports a truncation")
