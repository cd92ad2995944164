"""Data and predictions that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench.solver import Initial, Problem
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, product_initial, uniform_chain

DT = 0.002


def exact_data(sizes=(2, 3, 4), count=60, steps=40, seed=7) -> ExactTrajectories:
    return ExactTrajectories(uniform_chain, sizes, np.arange(steps + 1) * DT, count, seed)


def predicted(solver: SimpleRecurrentUnit, size: int, states: torch.Tensor, steps: int, dt: float = DT) -> torch.Tensor:
    """Return whole trajectories, after checking the order of the blocks."""
    problem = Problem(size=size, times=np.arange(steps + 1) * dt, batch=len(states))
    assert solver.supports(problem) is None
    solver.problem = problem
    solver.prepare(problem)
    blocks, position = [], 0
    for block in solver.solve(Initial(states)):
        assert block.start == position
        position += block.states.shape[1]
        blocks.append(block.states.clone())
    assert position == steps + 1
    return torch.cat(blocks, 1)


def relative_entropy(truth: torch.Tensor, prediction: torch.Tensor) -> float:
    """The paper's eq. 4-7 at one time: normalised magnitudes, natural logarithm, mean over states `(B, 2**N)`."""
    p, q = (states.abs() / states.abs().sum(-1, keepdim=True) for states in (truth, prediction))
    return float((p * (p / q).log()).sum(-1).mean())


@pytest.fixture
def trajectories():
    return exact_data


@pytest.fixture
def predict():
    return predicted


@pytest.fixture
def mre():
    return relative_entropy


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., SimpleRecurrentUnit]:
    """Fit a solver on little data."""

    def fit(data=None, seed=3, folder=None, **parameters) -> SimpleRecurrentUnit:
        solver = SimpleRecurrentUnit(**parameters)
        folder = folder or tmp_path / "work"
        folder.mkdir(exist_ok=True)
        solver.fit(exact_data() if data is None else data, FitRecorder(folder, seed))
        return solver

    return fit


@pytest.fixture(scope="session")
def fresh() -> Callable[[int, int], torch.Tensor]:
    """Random product states that no training has seen."""

    def states(size: int, count: int) -> torch.Tensor:
        return product_initial(size, count, seed=90_000 + size).states

    return states
