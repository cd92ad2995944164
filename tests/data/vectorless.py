"""Solvers that are given spinors alone: one that lives up to it, and one that does not."""

import torch

from qdynbench import Block, Knowledge, Solver, hookimpl
from qdynbench.physics import product


class Resting(Solver):
    """Nothing moves, told by the spins of product states."""

    knowledge = Knowledge.TRAJECTORIES

    def needs_states(self, problem):
        return False

    def solve(self, given):
        assert initial.vectors is None
        spins = product.spins(initial.spinors.numpy())
        times = self.problem.steps + 1
        yield Block(0, None, {axis: torch.from_numpy(one)[:, None].repeat(1, times, 1) for axis, one in spins.items()})


class Grasping(Resting):
    """Says that it needs no vectors, and reads them."""

    def solve(self, given):
        yield Block(0, initial.states[:, None].repeat(1, self.problem.steps + 1, 1))


class Elsewhere(Resting):
    """Begins with other spins than it was given."""

    def solve(self, given):
        for block in super().solve(initial):
            yield Block(0, None, {axis: -spins for axis, spins in block.observables.items()})


@hookimpl
def register_solvers(register):
    for kind in (Resting, Grasping, Elsewhere):
        register(kind.__name__.lower(), kind, summary=kind.__doc__)
