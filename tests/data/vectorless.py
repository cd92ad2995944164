"""Solvers that read spinors, vectors, or both."""

import torch

from qdynbench import Block, Knowledge, Solver, hookimpl, product


class Resting(Solver):
    """Nothing moves, told by the spins of product states."""

    knowledge = Knowledge.TRAJECTORIES

    def solve(self, given):
        assert not given.initial.vectors_exist
        spins = product.spins(given.spinors.numpy())
        times = self.problem.steps + 1
        yield Block(0, None, {axis: torch.from_numpy(one)[:, None].repeat(1, times, 1) for axis, one in spins.items()})


class Grasping(Resting):
    """Predicts nothing, and reads vectors whatever the size."""

    def solve(self, given):
        yield Block(0, given.states[:, None].repeat(1, self.problem.steps + 1, 1))


class Elsewhere(Resting):
    """Begins with other spins than it was given."""

    def solve(self, given):
        for block in super().solve(given):
            yield Block(0, None, {axis: -spins for axis, spins in block.observables.items()})


@hookimpl
def register_solvers(register):
    for kind in (Resting, Grasping, Elsewhere):
        register(kind.__name__.lower(), kind, summary=kind.__doc__)
