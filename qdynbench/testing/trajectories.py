"""What tests of a propagator need beside the kit: pose a problem, run a solver over it, compare with the exact answer.

    problem = posed(random_strings(5, 12, seed=0), dt=0.1, steps=20)
    states = product_initial(5, 3, seed=1).states
    assert errors(trajectory(MySolver(), problem, states), exact(problem, states)).max() < 1e-9

The exact answer is made of Kronecker products and scipy's `expm`, for static and for driven models alike; it shares no
code with the solvers. `random_strings` and `product_initial` have no symmetry that could hide a wrong sign, a missing
phase or sites counted from the other end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench.contract.initial import Given, Initial
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block
from qdynbench.physics.drive import Drive
from qdynbench.testing import independent
from qdynbench.testing.exercise import graded_chain, product_initial, random_states, random_strings, uniform_chain

if TYPE_CHECKING:
    from qdynbench.contract.solver import Solver
    from qdynbench.physics.operators import PauliSum

__all__ = [
    "blocks",
    "errors",
    "exact",
    "graded_chain",
    "posed",
    "product_initial",
    "random_states",
    "random_strings",
    "trajectory",
    "uniform_chain",
]


def posed(model: PauliSum | Drive, dt: float, steps: int, batch: int = 3, threads: int = 1) -> Problem:
    """Pose a Hamiltonian or a drive on the grid `0, dt, ..., steps * dt`, for at most `batch` states at a time."""
    return Problem(
        model.size,
        np.linspace(0, dt * steps, steps + 1),
        model,
        batch=batch,
        threads=threads,
    )


def blocks(
    solver: Solver, problem: Problem, initial: Initial, *, contiguous: bool = False, given: Given | None = None
) -> list[Block]:
    """Prepare and solve, and return a copy of each block, taken before the next one is asked for.

    Args:
        solver: built, and not yet prepared.
        problem: what it is told.
        initial: the states to evolve.
        contiguous: whether states have to come as they are sent to the core, which saves a copy.
        given: holds `initial`, for a test that reads the notes of the call.

    Raises:
        AssertionError: the solver refuses the problem, its blocks are not those of the whole grid in order, or it wrote
            to the initial states.
    """
    refusal = solver.supports(problem)
    assert refusal is None, refusal
    solver.prepare(problem)
    given = Given(initial) if given is None else given
    held = [initial.states] if initial.vectors_exist else []
    held += [] if initial.spinors is None else [initial.spinors]
    before, found, reached = [tensor.clone() for tensor in held], [], 0
    for block in solver.solve(given):
        assert block.start == reached, f"a block starts at {block.start} instead of {reached}"
        if contiguous:
            assert block.states is not None
            assert block.states.is_contiguous()
        states = None if block.states is None else block.states.clone()
        observables = {name: values.clone() for name, values in block.observables.items()}
        found.append(Block(block.start, states, observables))
        reached += next(iter(observables.values())).shape[1] if states is None else states.shape[1]
    assert reached == problem.steps + 1, f"{reached} of {problem.steps + 1} times came"
    assert all(map(torch.equal, held, before)), "the initial states were written to"
    return found


def trajectory(
    solver: Solver, problem: Problem, initial: Initial | torch.Tensor, *, contiguous: bool = False
) -> torch.Tensor:
    """Return the states over the whole grid, shape `(B, T+1, 2**N)`, after the checks of `blocks`."""
    initial = initial if isinstance(initial, Initial) else Initial(initial)
    columns = [block.states for block in blocks(solver, problem, initial, contiguous=contiguous)]
    return torch.cat([column for column in columns if column is not None], dim=1)


def exact(problem: Problem, states: torch.Tensor) -> torch.Tensor:
    """Return the trajectory by exponentials of dense matrices, piece by piece; complex128, shape `(B, T+1, 2**N)`."""
    from scipy.linalg import expm

    generators = [-1j * independent.dense(hamiltonian) for hamiltonian in problem.hamiltonians]
    known: dict[tuple[int, float], np.ndarray] = {}
    columns = [states.numpy()]
    for step in range(problem.steps):
        now = columns[-1]
        for piece in problem.pieces(step):
            if piece not in known:
                index, action = piece
                known[piece] = expm(action * generators[index]).T
            now = now @ known[piece]
        columns.append(now)
    return torch.from_numpy(np.stack(columns, axis=1))


def errors(actual: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the 2-norm errors of states `(B, T+1, 2**N)`, shape `(B, T+1)`."""
    norms: torch.Tensor = torch.linalg.vector_norm(actual - wanted, dim=-1)
    return norms
