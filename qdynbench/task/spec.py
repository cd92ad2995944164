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
    model_validator,
)

from qdynbench.contract.initial import vector_bytes
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Kind, Registry

_Entry = TypeVar("_Entry", int, str)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _range(value: Any) -> Any:
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([0-9]+)\s*\.\.\s*([0-9]+)\s*", value)):
        first, last = int(match[1]), int(match[2])
        if not 0 <= last - first < MOST_ENTRIES:
            raise ValueError(f"a range of 1 to {MOST_ENTRIES} numbers is needed")
        return list(range(first, last + 1))
    return value


def _bytes(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9.]+\s*[A-Za-z]*", value):
        raise ValueError("a number of bytes with its unit is needed, such as 8 GB")
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


MOST = 1_000_000
"""Largest number of anything that is counted, such as states or time steps: more is a mistake, and would never end."""
MOST_SPINS = 1_000
"""Largest number of spins; longer chains than any solver has been asked for."""
MOST_ENTRIES = 1_000
"""Largest number of entries of a list, such as that of the sizes."""
MOST_SETTINGS = 100
"""Largest number of settings of a task."""
MOST_CELLS = 10_000
"""Largest number of cells of a run, one for each size, seed and solver."""
LONGEST = 1e7
"""Largest number of seconds that may be allowed for something, some months."""

Count = Annotated[int, Field(gt=0, le=MOST)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Step = Annotated[float, Field(gt=0, le=1e6)]
"""A time step, hbar = 1."""
Seconds = Annotated[float, Field(gt=0, le=LONGEST)]
Integers = Annotated[
    list[Count], Field(min_length=1, max_length=MOST_ENTRIES), BeforeValidator(_range), AfterValidator(_distinct)
]
"""A list of positive integers, or a range written `2..8`."""
Sizes = Annotated[
    list[Annotated[int, Field(gt=0, le=MOST_SPINS)]],
    Field(min_length=1, max_length=MOST_ENTRIES),
    BeforeValidator(_range),
    AfterValidator(_distinct),
]
"""Numbers of spins, written alike."""

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

    dt: Step
    steps: Count

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

    sizes: Sizes
    trajectories: Count = 1000
    steps: Count = 100
    dt: Step | None = None
    ensemble: str = "random_product"
    noise: NonNegativeFloat = 0.0
    model: dict[str, Any] | None = None


class Timing(_Section):
    """How the solve phase is timed.

    Attributes:
        batch_sizes: numbers of states in one call.
        launches: number of worker processes of each solver, one after the other, that times rest on. A trial comes
            first, whose times do not count; with one launch alone that is all there is.
        rounds: number of timing rounds of a launch at each batch size; the rounds of all solvers alternate.
        seconds: what all rounds of one solver at one batch size may take with one number of threads. A slow solver has
            fewer rounds and launches, at least 3; only one launch if that alone takes more than ten times as long.
        subset: numbers of states, by solver, on which larger batches are timed; the extrapolated times are marked.
    """

    batch_sizes: Integers = [1]
    launches: Count = 10
    rounds: Count = 3
    seconds: Seconds = 5.0
    subset: dict[SolverText, Count] = {}


class Limits(_Section):
    """The limits of one cell, above which it is stopped.

    Attributes:
        seconds: wall-clock time of every phase of a cell.
        fit_seconds: wall-clock time of a fit.
        memory: resident memory of a worker process, such as `8 GB`; default: 80 % of the memory of the machine.
    """

    seconds: Seconds = 300.0
    fit_seconds: Seconds = 3600.0
    memory: Annotated[ByteSize, BeforeValidator(_bytes), Field(gt=0, le=10**18)] | None = None


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

    trajectories: Seed = 0


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
    sizes: Sizes
    ensemble: str = "random_product"
    times: Times
    states: Count = 200
    seed: Seed = 0
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=MOST_ENTRIES), AfterValidator(_distinct)] = [0]
    training: Training | None = None
    reference: SolverText = "ed"
    solvers: Annotated[list[SolverText], Field(min_length=1, max_length=MOST_ENTRIES)]
    metrics: Annotated[list[str], Field(max_length=MOST_ENTRIES), AfterValidator(_different)] | Literal["all"] = "all"
    tolerance: Annotated[NonNegativeFloat, Field(lt=1)] = 0.0
    figures: Annotated[list[Name], Field(max_length=MOST_ENTRIES), AfterValidator(_different)] = []
    timing: Timing = Timing()
    limits: Limits = Limits()
    report: Report = Report()
    keep: Keep = Keep()
    settings: Annotated[dict[Name, dict[str, Any]], Field(max_length=MOST_SETTINGS)] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Task:
        if len(set(self.solvers)) != len(self.solvers):
            raise ValueError("solvers: one of them is listed twice")
        if (cells := len(self.sizes) * len(self.seeds) * len(self.solvers)) > MOST_CELLS:
            raise ValueError(f"sizes, seeds and solvers make {cells} cells, and a run has at most {MOST_CELLS}")
        if unknown := [text for text in self.timing.subset if text not in self.solvers]:
            raise ValueError(f"timing.subset: {unknown[0]!r} is not among the solvers")
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
    def bytes_kept(self) -> float:
        """Bytes of the trajectories that all cells of a run keep, prediction and reference in complex64."""
        each = sum(map(vector_bytes, self.sizes)) * (self.times.steps + 1)
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
