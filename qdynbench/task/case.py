"""The cases of a task, each with a size and a seed, and their random streams."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from qdynbench.contract.ensemble import Ensemble
from qdynbench.contract.initial import Initial
from qdynbench.errors import QdynbenchError
from qdynbench.task.spec import Task

ROUNDING = 1e-9
"""Times with a smaller relative difference are equal, and norms are 1 up to as much."""


class Purpose(enum.IntEnum):
    """Purposes of random numbers; each has its own stream, so that no two of them share a state."""

    TEST = 0
    TIMING = 1
    WARM_UP = 2
    TRAINING = 3
    NOISE = 4
    DISORDER = 5


@dataclass(frozen=True, order=True)
class Case:
    """One size and one seed of a task."""

    size: int
    seed: int

    @property
    def key(self) -> str:
        """The case as part of a file name."""
        return f"n{self.size}-s{self.seed}"


def cases(task: Task) -> list[Case]:
    """Return the cases of a task, small sizes first."""
    return [Case(size, seed) for size in task.sizes for seed in task.seeds]


def training_case(size: int) -> Case:
    """Return the case whose random streams the training data of a size has."""
    return Case(size, 0)


def generator(task: Task, case: Case, purpose: Purpose) -> np.random.Generator:
    """Return the stream of random numbers for one purpose of one case, the same on every machine."""
    return np.random.default_rng(np.random.SeedSequence(task.seed, spawn_key=(case.size, case.seed, int(purpose))))


def draw(task: Task, ensemble: Ensemble, case: Case, purpose: Purpose, start: int, stop: int) -> Initial:
    """Return the states `start` to `stop` of a stream; state i does not depend on `start` and `stop`.

    Raises:
        QdynbenchError: the ensemble draws states that are not normalised, of which no error means anything.
    """
    import torch

    drawn = ensemble.draw(case.size, stop, generator(task, case, purpose))[start:]
    norms = torch.linalg.vector_norm(drawn.states if drawn.spinors is None else drawn.spinors, dim=-1)
    odd = norms[~((norms - 1).abs() < ROUNDING)]
    if len(odd):
        name = type(ensemble).__name__
        raise QdynbenchError(f"normalised states expected from the ensemble {name}, one of norm {float(odd[0]):g} came")
    return drawn
