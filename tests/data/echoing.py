"""Solvers whose way back tells something, or fails."""

import time

import torch

from qdynbench import Block, Knowledge, Solver, hookimpl, observables


class Euler(Solver):
    """Explicit Euler steps, normalised after each: its norm says nothing."""

    knowledge = Knowledge.HAMILTONIAN

    def prepare(self, problem):
        super().prepare(problem)
        self.generator = -1j * problem.dt * torch.as_tensor(problem.hamiltonian.to_dense(), dtype=torch.complex128)

    def solve(self, given):
        psi = given.states
        yield Block(0, psi[:, None])
        for step in range(1, self.problem.steps + 1):
            psi = psi + psi @ self.generator.T
            psi = psi / torch.linalg.vector_norm(psi, dim=-1, keepdim=True)
            yield Block(step, psi[:, None])


class Sulking(Euler):
    """Does not go back."""

    def prepare(self, problem):
        if problem.hamiltonian.terms[0].coefficient < 0:
            raise ValueError("not under this Hamiltonian")
        super().prepare(problem)


class Dawdling(Euler):
    """Takes for ever to go back, with two spins."""

    def prepare(self, problem):
        if problem.size == 2 and problem.hamiltonian.terms[0].coefficient < 0:
            time.sleep(1000)
        super().prepare(problem)


class Observing(Euler):
    """Gives spins alone."""

    def solve(self, given):
        for block in super().solve(given):
            yield Block(block.start, None, dict(observables.magnetization(block.states)))


@hookimpl
def register_solvers(register):
    for kind in (Euler, Sulking, Dawdling, Observing):
        register(kind.__name__.lower(), kind, summary=kind.__doc__)
