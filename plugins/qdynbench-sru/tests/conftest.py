"""Data and predictions that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench.contract.problem import Problem
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, product_initial, uniform_chain
from qdynbench.testing.trajectories import trajectory

DT = 0.002


def exact_data(sizes=(2, 3, 4), count=60, steps=40, seed=7) -> ExactTrajectories:
    return ExactTrajectories(uniform_chain, sizes, np.arange(steps + 1) * DT, count, seed)


def predicted(solver: SimpleRecurrentUnit, size: int, states: torch.Tensor, steps: int, dt: float = DT) -> torch.Tensor:
    """Return whole trajectories of a chain whose Hamiltonian the solver is not told."""
    return trajectory(solver, Problem(size=size, times=np.arange(steps + 1) * dt, batch=len(states)), states)


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


def fit(folder: Path, data=None, seed=3, **parameters) -> SimpleRecurrentUnit:
    """Fit a solver on little data."""
    solver = SimpleRecurrentUnit(**parameters)
    folder.mkdir(exist_ok=True)
    solver.fit(exact_data() if data is None else data, FitRecorder(folder, seed))
    return solver


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., SimpleRecurrentUnit]:
    """Fit a solver on little data, in the test's own folder."""
    return lambda data=None, folder=None, **more: fit(folder or tmp_path / "work", data, **more)


@pytest.fixture(scope="session")
def little(tmp_path_factory) -> SimpleRecurrentUnit:
    """A solver with the padded encoder, trained on 2 spins with room for 3. Not to be trained any further."""
    data = exact_data(sizes=(2,), count=30)
    return fit(tmp_path_factory.mktemp("little"), data, encoder="padded", largest=3, effort=0.2)


@pytest.fixture(scope="session")
def fresh() -> Callable[[int, int], torch.Tensor]:
    """Random product states that no training has seen."""

    def states(size: int, count: int) -> torch.Tensor:
        return product_initial(size, count, seed=90_000 + size).states

    return states
