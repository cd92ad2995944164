"""The full problem of a case, with the couplings drawn for it, and how far it lies from the training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.model import Model
from qdynbench.contract.problem import Problem
from qdynbench.plugins.registry import Registry
from qdynbench.task.case import ROUNDING, Case, Purpose, generator, training_case
from qdynbench.task.load import model_of
from qdynbench.task.spec import Task, Training


def drawn_model(task: Task, registry: Registry, case: Case, model: Mapping[str, Any] | None = None) -> Model:
    """Return the model of a case, with the fields that a disordered family draws for its size and seed.

    Args:
        task: the task.
        registry: the plugins.
        case: size and seed.
        model: the `model` section; default: that of the task.
    """
    family = model_of(task.model if model is None else model, registry)
    return family.realised(case.size, generator(task, case, Purpose.DISORDER))


def track(task: Task, registry: Registry, case: Case) -> str:
    """Return how a case differs from the training data, joined by "+", or "in-distribution"."""
    training = task.training
    if training is None:
        return "no-training"
    differs = []
    if case.size not in training.sizes:
        differs.append("larger-chain" if case.size > max(training.sizes) else "other-size")
    dt = training.dt or task.times.dt
    if task.times.steps * task.times.dt > training.steps * dt * (1 + ROUNDING):
        differs.append("longer-time")
    if abs(dt - task.times.dt) > ROUNDING * dt:
        differs.append("other-step")
    if drawn_model(task, registry, case) != _trained_model(task, registry, case.size, training):
        differs.append("other-fields")
    if training.ensemble != task.ensemble:
        differs.append("other-states")
    return "+".join(differs) or "in-distribution"


def _trained_model(task: Task, registry: Registry, size: int, training: Training) -> Model:
    """Return the model of the training data of a size; of another size nothing was drawn."""
    if size in training.sizes:
        return drawn_model(task, registry, training_case(size), training.model)
    return model_of(training.model or task.model, registry)


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
    drawn = drawn_model(task, registry, case, model)
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
