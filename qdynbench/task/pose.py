"""From a case to the problem in full: the model with the case's couplings, and its operator or drive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.problem import Problem
from qdynbench.plugins.registry import Registry
from qdynbench.task.case import Case, Purpose, generator
from qdynbench.task.load import model_of
from qdynbench.task.spec import Task


def pose(
    task: Task,
    registry: Registry,
    case: Case,
    *,
    batch: int,
    device: str,
    threads: int,
    times: NDArray[np.float64] | None = None,
    model: Mapping[str, Any] | None = None,
) -> Problem:
    """Pose a case in full; `Problem.blinded` before it leaves for a solver's worker.

    Args:
        task: the task.
        registry: finds the model family.
        case: size and seed; the couplings of a disordered family are drawn from it.
        batch: the largest number of states that a solver is given at once.
        device: "cpu" or "cuda".
        threads: number of CPU threads.
        times: the time grid, where it is not the task's own.
        model: the `model` section, where it is not the task's own.
    """
    family = model_of(task.model if model is None else model, registry)
    drawn = family.realised(case.size, generator(task, case, Purpose.DISORDER))
    return Problem(
        size=case.size,
        times=task.times.grid() if times is None else times,
        dynamics=drawn.hamiltonian(case.size),
        parameters=drawn.parameters(),
        batch=batch,
        device=device,
        threads=threads,
        entangled=not registry.load("ensembles", task.ensemble).product,
    )
