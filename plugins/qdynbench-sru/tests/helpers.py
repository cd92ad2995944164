"""Data, fits and predictions that several tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qdynbench_sru.solver import SimpleRecurrentUnit

from qdynbench import Problem, TrainingData
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, product_initial, uniform_chain
from qdynbench.testing.trajectories import trajectory

DT = 0.002


def exact_data(sizes: Sequence[int] = (2, 3, 4), count: int = 60, steps: int = 40, seed: int = 7) -> ExactTrajectories:
    """Return exact trajectories of random product states of a mixed-field Ising chain."""
    return ExactTrajectories(uniform_chain, tuple(sizes), np.arange(steps + 1) * DT, count, seed)


def fresh_states(size: int, count: int) -> torch.Tensor:
    """Return random product states that no training has seen."""
    return product_initial(size, count, seed=90_000 + size).states


def fit(folder: Path, data: TrainingData | None = None, seed: int = 3, **parameters: Any) -> SimpleRecurrentUnit:
    """Fit a solver on little data, going on from what an earlier fit left in the folder."""
    solver = SimpleRecurrentUnit(**parameters)
    folder.mkdir(exist_ok=True)
    solver.fit(exact_data() if data is None else data, FitRecorder(folder, seed))
    return solver


def predicted(solver: SimpleRecurrentUnit, size: int, states: torch.Tensor, steps: int, dt: float = DT) -> torch.Tensor:
    """Return whole trajectories of a chain whose Hamiltonian the solver is not told."""
    return trajectory(solver, Problem(size=size, times=np.arange(steps + 1) * dt, batch=len(states)), states)


def relative_entropy(truth: torch.Tensor, prediction: torch.Tensor) -> float:
    """Return the paper's eq. 4-7 at one time: magnitudes normalised, natural logarithm, mean over states."""
    p, q = (states.abs() / states.abs().sum(-1, keepdim=True) for states in (truth, prediction))
    return float((p * (p / q).log()).sum(-1).mean())
