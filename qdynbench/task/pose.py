"""The full problem of a case: the model with the couplings of the case, as a Hamiltonian or drive."""

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
    """Return the full problem of a case, to be `blinded` before it is sent to the worker of a solver.

    Args:
        task: the task.
        registry: the plugins.
        case: size and seed, which also determines the couplings of a disordered family.
        batch: the largest number of states in one call.
        device: "cpu" or "cuda".
        threads: number of CPU threads.
        times: the time grid; default: that of the task.
        model: the `model` section; default: that of the task.
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
