"""A task as plain data: all keys of a task file with their meaning, unit and default."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Kind, Registry

_Entry = TypeVar("_Entry", int, str)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _range(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*\.\.\s*(\d+)\s*", value)):
        return list(range(int(match[1]), int(match[2]) + 1))
    return value


def _different(values: list[_Entry]) -> list[_Entry]:
    if len(set(values)) != len(values):
        raise ValueError("an entry appears twice")
    return values


def _distinct(values: list[int]) -> list[int]:
    return sorted(_different(values))


def _solver(value: str) -> str:
    try:
        return str(SolverSpec.parse(value))
    except InputError as error:
        raise ValueError(str(error)) from error  # so that the error is reported with its line


Integers = Annotated[list[PositiveInt], Field(min_length=1), BeforeValidator(_range), AfterValidator(_distinct)]
"""A list of positive integers, or a range written `2..8`."""

NO_REFERENCE = "none"
"""Stands for no reference: accuracy is not measured, only the drift of what exact evolution conserves."""

SolverText = Annotated[str, AfterValidator(_solver)]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A name that is also the name of files and folders."""


def grid(dt: float, steps: int) -> NDArray[np.float64]:
    """Return the times `0, dt, ..., steps * dt`, shape `(steps + 1,)`."""
    return np.arange(steps + 1, dtype=np.float64) * dt


class Times(_Section):
    """The time grid: `steps` steps of `dt`, hbar = 1."""

    dt: Annotated[PositiveFloat, Field(allow_inf_nan=False)]
    steps: PositiveInt

    def grid(self) -> NDArray[np.float64]:
        """Return the times, shape `(steps + 1,)`, the first 0."""
        return grid(self.dt, self.steps)


class Training(_Section):
    """The training data of learned solvers: full states of small chains.

    Attributes:
        sizes: numbers of spins.
        trajectories: number of trajectories for each size.
        steps: number of time steps of each trajectory.
        dt: time step of the trajectories; default: that of the task.
        ensemble: ensemble of their initial states.
        noise: 2-norm of the complex Gaussian noise added to every snapshot (states have norm 1).
        model: model of the training data; default: that of the task.
    """

    sizes: Integers
    trajectories: PositiveInt = 1000
    steps: PositiveInt = 100
    dt: Annotated[PositiveFloat, Field(allow_inf_nan=False)] | None = None
    ensemble: str = "random_product"
    noise: Annotated[NonNegativeFloat, Field(allow_inf_nan=False)] = 0.0
    model: dict[str, Any] | None = None


class Timing(_Section):
    """How the solve phase is timed.

    Attributes:
        batch_sizes: numbers of states in one call.
        launches: number of worker processes of each solver, one after the other, that times rest on. A trial comes
            first, whose times do not count; with one launch alone that is all there is.
        rounds: number of timing rounds of a launch at each batch size; the rounds of all solvers alternate.
        seconds: what all rounds of one solver at one batch size may take. A slow solver has fewer rounds and launches,
            at least 3 launches; only one if a launch alone takes more than ten times as long.
        subset: numbers of states, by solver, on which larger batches are timed; the extrapolated times are marked.
    """

    batch_sizes: Integers = [1]
    launches: PositiveInt = 10
    rounds: PositiveInt = 3
    seconds: PositiveFloat = 5.0
    subset: dict[SolverText, PositiveInt] = {}


class Limits(_Section):
    """The limits of one cell, above which it is stopped.

    Attributes:
        seconds: wall-clock time of every phase of a cell.
        fit_seconds: wall-clock time of a fit.
        memory: resident memory of a worker process, such as `8 GB`; default: 80 % of the memory of the machine.
    """

    seconds: PositiveFloat = 300.0
    fit_seconds: PositiveFloat = 3600.0
    memory: ByteSize | None = None


class Report(_Section):
    """The contents of the report.

    Attributes:
        steps: time steps that the table shows; default: the last one.
    """

    steps: Integers | None = None


class Keep(_Section):
    """What is kept of a cell besides its curves.

    Attributes:
        trajectories: number of test states whose trajectories of prediction and reference are kept, complex64.
    """

    trajectories: NonNegativeInt = 0


class Task(_Section):
    """Model x sizes x ensemble x time grid x training budget x reference x metrics x limits.

    Attributes:
        name: name of the task and of the folder of its runs.
        title: one line for the report.
        model: `family` and its parameters.
        sizes: numbers of spins, a list or a range such as `2..8`.
        ensemble: ensemble of the initial states that are scored and timed.
        times: the time grid.
        states: number of test states per case.
        seed: seed of the task, from which all random numbers derive.
        seeds: seeds of the cases; there is one case per size and seed.
        training: training data of learned solvers, or None.
        reference: the solver that accuracy is measured against, or `none`, where only metrics without it have values.
        solvers: the solvers to run.
        metrics: names of the metrics, or all.
        tolerance: infidelity at the last step that is good enough: smaller ones count as equal.
        figures: names of the figures that are drawn after a run.
        timing, limits, report, keep: see these sections.
        settings: named sets of other values, by dotted key; `--setting NAME` chooses one.
    """

    name: Name
    title: str = ""
    model: dict[str, Any]
    sizes: Integers
    ensemble: str = "random_product"
    times: Times
    states: PositiveInt = 200
    seed: NonNegativeInt = 0
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1), AfterValidator(_distinct)] = [0]
    training: Training | None = None
    reference: SolverText = "ed"
    solvers: Annotated[list[SolverText], Field(min_length=1)]
    metrics: list[str] | Literal["all"] = "all"
    tolerance: Annotated[NonNegativeFloat, Field(lt=1)] = 0.0
    figures: Annotated[list[Name], AfterValidator(_different)] = []
    timing: Timing = Timing()
    limits: Limits = Limits()
    report: Report = Report()
    keep: Keep = Keep()
    settings: dict[Name, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if len(set(self.solvers)) != len(self.solvers):
            raise ValueError("solvers: one of them is listed twice")
        if self.training is not None and self.reference_spec is None:
            raise ValueError("training: the trajectories are made by the reference, and the task has none")
        if any(step > self.times.steps for step in self.report_steps):
            raise ValueError(f"report.steps: the grid ends at step {self.times.steps}")
        return self

    @property
    def report_steps(self) -> list[int]:
        """Time steps that the table shows; the last one is always among them."""
        return sorted({*(self.report.steps or []), self.times.steps})

    def training_times(self) -> NDArray[np.float64]:
        """Return the time grid of the training trajectories, shape `(steps + 1,)`.

        Raises:
            InputError: the task has no training section.
        """
        if self.training is None:
            raise InputError(f"task {self.name!r} has a learned solver but no 'training' section")
        return grid(self.training.dt or self.times.dt, self.training.steps)

    @property
    def bytes_kept(self) -> int:
        """Bytes of the trajectories that all cells of a run keep, before compression."""
        amplitudes = sum(1 << size for size in self.sizes)
        each = amplitudes * (self.times.steps + 1) * 2 * int(np.dtype(np.complex64).itemsize)
        return min(self.keep.trajectories, self.states) * each * len(self.solvers) * len(self.seeds)

    def named(self, registry: Registry) -> list[tuple[Kind, str]]:
        """Return what decides about results beside the solvers: families, ensembles and metrics, by kind and name."""
        metrics = list(registry.entries["metrics"]) if self.metrics == "all" else self.metrics
        found: list[tuple[Kind, str]] = [("models", str(self.model["family"])), ("ensembles", self.ensemble)]
        if self.training is not None:
            found += [
                ("models", str((self.training.model or self.model)["family"])),
                ("ensembles", self.training.ensemble),
            ]
        return [*found, *(("metrics", name) for name in metrics)]

    @property
    def reference_spec(self) -> SolverSpec | None:
        """The reference with its parameters, or None."""
        return None if self.reference == NO_REFERENCE else SolverSpec.parse(self.reference)

    @property
    def specs(self) -> list[SolverSpec]:
        """The solvers with their parameters."""
        return [SolverSpec.parse(text) for text in self.solvers]
