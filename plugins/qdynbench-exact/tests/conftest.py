"""What the tests of the integrators share: problems, and exact evolution by scipy's `expm`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch

from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.solver import Initial, Problem, Solver
from qdynbench.testing import independent
from qdynbench.testing.exercise import product_initial

Evolve = Callable[..., torch.Tensor]


def strings(size: int, count: int, longest: int = 3, letters: str = "XYZ", seed: int = 0) -> PauliSum:
    """Random Pauli strings on one to `longest` sites in any order; some share their sites."""
    random = np.random.default_rng(seed)
    terms = []
    for length in random.integers(1, min(size, longest) + 1, count):
        sites = random.permutation(size)[:length]
        terms.append((float(random.normal()), "".join(random.choice(list(letters), length)), sites.tolist()))
    return PauliSum.from_terms(size, terms)


def xxz(size: int, *, periodic: bool = False) -> PauliSum:
    """The XXZ chain with anisotropy 0.7."""
    bonds = [(i, (i + 1) % size) for i in range(size if periodic else size - 1)]
    return PauliSum.from_terms(size, [(c, p, b) for b in bonds for c, p in ((1, "XX"), (1, "YY"), (0.7, "ZZ"))])


def kicked(size: int) -> Drive:
    """Strings for 0.3, a kick of strength 0.7, other strings for 0.2, and a kick backwards."""
    parts = [strings(size, 2 * size, seed=seed) for seed in range(1, 5)]
    return Drive(
        (Segment(parts[0], 0.3), Segment(parts[1], 0.0, 0.7), Segment(parts[2], 0.2), Segment(parts[3], 0.0, -0.4))
    )


@pytest.fixture
def posed() -> Callable[..., Problem]:
    """Pose a Hamiltonian or a drive on a grid."""

    def pose(model: PauliSum | Drive, dt: float, steps: int, batch: int = 3, threads: int = 2) -> Problem:
        times = np.linspace(0, dt * steps, steps + 1)
        given = {"drive": model} if isinstance(model, Drive) else {"hamiltonian": model}
        return Problem(size=model.size, times=times, batch=batch, threads=threads, **given)  # type: ignore[arg-type]

    return pose


@pytest.fixture
def evolve() -> Evolve:
    """Return the whole trajectory, after checking the order of the blocks."""

    def run(solver: Solver, problem: Problem, states: torch.Tensor) -> torch.Tensor:
        assert solver.supports(problem) is None
        solver.problem = problem
        solver.prepare(problem)
        given, columns, reached = states.clone(), [], 0
        for block in solver.solve(Initial(states)):
            assert block.states is not None
            assert block.start == reached
            assert block.states.is_contiguous()
            columns.append(block.states.to(torch.complex128, copy=True))
            reached += block.states.shape[1]
        assert reached == problem.steps + 1
        assert torch.equal(states, given)
        return torch.cat(columns, dim=1)

    return run


@pytest.fixture
def exact() -> Callable[[Problem, torch.Tensor], torch.Tensor]:
    """Return the trajectory by the exponentials of all pieces, of matrices made of Kronecker products."""

    def run(problem: Problem, states: torch.Tensor) -> torch.Tensor:
        matrices = [independent.dense(operator) for operator in problem.hamiltonians]
        columns = [states.numpy()]
        for step in range(problem.steps):
            now = columns[-1]
            for index, action in problem.pieces(step):
                now = now @ scipy.linalg.expm(-1j * action * matrices[index]).T
            columns.append(now)
        return torch.from_numpy(np.stack(columns, axis=1))

    return run


@pytest.fixture
def models() -> dict[str, Callable[..., PauliSum | Drive]]:
    """Chains to evolve, by name."""
    return {"strings": strings, "xxz": xxz, "kicked": kicked}


@pytest.fixture
def product() -> Callable[..., torch.Tensor]:
    """Random product states."""
    return lambda size, batch=3: product_initial(size, batch, seed=5).states


@pytest.fixture
def error() -> Callable[[torch.Tensor, torch.Tensor], float]:
    """The largest 2-norm of a difference of states."""
    return lambda actual, wanted: float((actual - wanted).norm(dim=-1).max())
