"""The Taylor series of the propagator, cut after some terms and applied step by step."""

import math

import torch

from qdynbench import Block, Cost, Knowledge, Solver, hookimpl
from qdynbench.toolkit.rounding import reachable_error
from qdynbench.toolkit.strings import norm_bound


class MySolver(Solver):
    """psi(t + dt) = sum over k <= order of (-i H dt)^k / k! psi(t)."""

    knowledge = Knowledge.HAMILTONIAN
    accuracy = ("order",)
    order: int = 4  # a parameter: "my-solver[order=6]"

    def supports(self, problem):
        return None if problem.device == "cpu" else "it runs on the CPU alone"

    def estimate(self, problem):
        action = norm_bound(problem.hamiltonian) * problem.dt
        cut = problem.steps * action ** (self.order + 1) / math.factorial(self.order + 1)
        entries = problem.amplitudes**2
        return Cost(
            bytes=3 * 16 * entries,
            operations=8 * entries * self.order * problem.steps * problem.batch,
            error=cut + reachable_error(problem, "double"),
        )

    def prepare(self, problem):
        super().prepare(problem)  # keeps it as self.problem
        matrix = torch.as_tensor(problem.hamiltonian.to_dense(), dtype=torch.complex128)
        self.generator = (-1j * problem.dt * matrix).T

    def solve(self, given):
        states = given.states  # (B, 2**N)
        yield Block(0, states[:, None])
        for step in range(1, self.problem.steps + 1):
            term = states
            for k in range(1, self.order + 1):
                term = term @ self.generator / k
                states = states + term
            yield Block(step, states[:, None])


@hookimpl
def register_solvers(register):
    register("my-solver", MySolver, summary="truncated Taylor series, step by step")
