"""A task as plain data: every key that a task file may have, with its meaning, unit and default."""

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
        raise ValueError(str(error)) from error  # so that it is reported with its line


Integers = Annotated[list[PositiveInt], Field(min_length=1), BeforeValidator(_range), AfterValidator(_distinct)]
"""A list of positive integers, or a range written `2..8`."""

NO_REFERENCE = "none"
"""In place of a solver: accuracy is not measured, only what an exact evolution conserves is looked at."""

SolverText = Annotated[str, AfterValidator(_solver)]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A name that files and folders are called by."""


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
    """What learned solvers may learn from: full states of small chains.

    Attributes:
        sizes: numbers of spins.
        trajectories: how many, for each size.
        steps: length of each, in steps of the training's dt.
        dt: time step of the trajectories; default: the task's own.
        ensemble: of their initial states.
        noise: 2-norm of the complex Gaussian noise added to every snapshot (states have norm 1).
        model: Hamiltonian of the training data, where it is not the task's own.
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
        batch_sizes: numbers of states propagated in one call.
        rounds: timed calls per batch size; the rounds of all solvers alternate.
        seconds: time that all rounds of one solver at one batch size may take together; at least 3 are run.
        subset: for the named solvers, larger batches are timed on this many states, extrapolated, and labelled so.
    """

    batch_sizes: Integers = [1]
    rounds: Annotated[int, Field(ge=3)] = 7
    seconds: PositiveFloat = 5.0
    subset: dict[SolverText, PositiveInt] = {}


class Limits(_Section):
    """What one cell may use before it is stopped.

    Attributes:
        seconds: wall-clock time of every phase of a cell.
        fit_seconds: wall-clock time of a fit.
        memory: resident memory of a worker process, such as `8 GB`; default: 80 % of the machine's.
    """

    seconds: PositiveFloat = 300.0
    fit_seconds: PositiveFloat = 3600.0
    memory: ByteSize | None = None


class Report(_Section):
    """What the report shows.

    Attributes:
        steps: time steps that the table quotes; default: the last one.
    """

    steps: Integers | None = None


class Keep(_Section):
    """What is kept of a cell beside its curves.

    Attributes:
        trajectories: of the first so many test states, the whole trajectory of prediction and reference, complex64.
    """

    trajectories: NonNegativeInt = 0


class Task(_Section):
    """Model x sizes x ensemble x time grid x training budget x reference x metrics x limits.

    Attributes:
        name: used for the run's folder.
        title: one line for the report.
        model: `family` and its parameters.
        sizes: numbers of spins, a list or a range such as `2..8`.
        ensemble: of the initial states that are scored and timed.
        times: the time grid.
        states: test states per case.
        seed: of the task; everything random derives from it.
        seeds: one case per size and seed.
        training: what learned solvers get, or nothing.
        reference: the solver that accuracy is measured against, or `none`: then what needs no reference is scored.
        solvers: the solvers to run.
        metrics: names, or all.
        figures: names of those that are drawn after a run.
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
        """Steps that the table quotes; the last one is always among them."""
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
        """Bytes that the trajectories kept by all cells of a run take, prediction and reference, before compression."""
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
        """The reference with its parameters, or None where the task has none."""
        return None if self.reference == NO_REFERENCE else SolverSpec.parse(self.reference)

    @property
    def specs(self) -> list[SolverSpec]:
        """The solvers with their parameters."""
        return [SolverSpec.parse(text) for text in self.solvers]
