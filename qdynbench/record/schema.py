"""The records of a run, which are written to and read from JSON."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from qdynbench.stats import typical
from qdynbench.task.spec import Seed, SolverText
from qdynbench.text import legible

SCHEMA_VERSION = 2
"""1 had the error of the reference as a bound."""
ECHO = "echo_infidelity"
"""The metric that is measured in a phase of its own, see `qdynbench.scoring.echo`."""
TRAJECTORIES = ("trajectories/prediction", "trajectories/reference")
"""Arrays of kept trajectories beside the curves of a cell; no metric can have these names."""

MOST_NOTES, LONGEST_NOTE = 20, 200
"""Largest number of different notes of a solve that are kept, and of characters of each."""


def _legible(longest: int) -> BeforeValidator:
    return BeforeValidator(lambda value: legible(value, longest) if isinstance(value, str) else value)


# A record may come from anybody. What it holds is bounded here, once, so that nobody who reads it has to ask again.
Line = Annotated[str, _legible(1000)]
"""A text from a plugin or a file, without anything that a terminal obeys."""
Lines = Annotated[str, _legible(20_000)]
"""A traceback, or the end of a log."""
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9=_-][A-Za-z0-9.=_-]{0,199}$")]
"""Names the files of a cell."""
Count = Annotated[int, Field(ge=0, le=10**15)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Rounds = Annotated[
    list[Annotated[float, Field(ge=1e-12, le=1e12, allow_inf_nan=False)]],
    Field(min_length=1, max_length=10_000),
]
"""Seconds of a call in each round of a launch."""
Few = Field(max_length=1000)
Names = Annotated[list[Line], Few]
Values = Annotated[dict[Line, Any], Few]
MOST_POINTS, MOST_VALUES, LONGEST_NAME = 500, 8, 40
"""Points of a learning curve that are kept, values of each, and characters of their names."""


def thinned(curve: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return a learning curve with so many points and values that a record can hold it."""
    curve = curve[:: 1 + max(0, len(curve) - 1) // MOST_POINTS]
    return [{name[:LONGEST_NAME]: point[name] for name in [*point][:MOST_VALUES]} for point in curve]


Curve = Annotated[list[dict[Line, float]], Field(max_length=100_000), AfterValidator(thinned)]
"""A learning curve."""


class Status(enum.StrEnum):
    """How a cell ended; cells are never dropped, however they end."""

    OK = "ok"
    UNSUPPORTED = "unsupported"
    INFEASIBLE = "infeasible"
    INVALID = "invalid"
    FAILED = "failed"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"

    @property
    def honest(self) -> bool:
        """Whether the cell ended with an answer and not with a fault (exit status 0)."""
        return self in {Status.OK, Status.UNSUPPORTED, Status.INFEASIBLE}


def kept_notes(notes: Iterable[str]) -> list[str]:
    """Return the notes of a solver that are kept: each once, shortened, and not too many."""
    return list(dict.fromkeys(note[:LONGEST_NOTE] for note in notes))[:MOST_NOTES]


class _Record(BaseModel):
    # JSON has no nan; an undefined score is written as the string "NaN" and read back as nan.
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", validate_assignment=True)


class _Hardware(_Record):
    model_config = ConfigDict(extra="allow")

    processor: Line = ""
    cores: Count | None = None


class _Made(_Record):
    model_config = ConfigDict(extra="allow")

    started: Line = ""
    finished: Line = ""
    date: Line = ""
    hardware: _Hardware = _Hardware()
    versions: dict[Line, Line] = {}
    commit: Line | None = None
    threads: Annotated[int, Field(ge=1, le=10**6)] | None = None
    device: Line = ""
    load: Seconds = 0.0


Made = Annotated[Values, AfterValidator(lambda made: _Made.model_validate(made).model_dump(exclude_unset=True))]
"""Date, machine and versions: JSON data, of which what is shown is checked."""


class _Foundation(_Record):
    model_config = ConfigDict(extra="allow")

    name: Line
    data_time: Seconds
    fit_time: Seconds


Foundation = Annotated[
    Values, AfterValidator(lambda known: _Foundation.model_validate(known).model_dump(exclude_unset=True))
]
"""Weights from which a fit started, with their cost."""


class Score(_Record):
    """One metric at one step: the mean over the test states with its 95 % interval.

    Attributes:
        metric, unit: name and unit of the metric.
        step: time step, or None for a metric without a time axis.
        value, low, high: mean and interval.
        reference_error: largest value of the metric between the reference and a second method up to this step, on some
            of the test states; None where there is none.
        resolution: what the true error may still be where `value` is below `reference_error`: an estimate from these
            states and no bound.
    """

    metric: Line
    step: Positive | None
    value: float
    low: float
    high: float
    unit: Line
    reference_error: float | None = None
    resolution: float | None = None

    @property
    def unresolved(self) -> bool:
        """Whether the value cannot be distinguished from that of a perfect solver."""
        return self.reference_error is not None and self.value < self.reference_error


class ReferenceRecord(_Record):
    """The reference of the accuracy of a cell.

    Attributes:
        solver: the reference solver of the task, or "none".
        missing: why there was no reference, so that only metrics without one have values; otherwise empty.
        method: second, independent method that gave the resolution; empty if the reference is not certified.
        states: number of test states that it evolved.
        uncertified: why the reference is not certified, otherwise empty.
        notes: remarks of the reference on its own result, such as that a limit was reached.
    """

    solver: Line
    missing: Line = ""
    method: Line = ""
    states: Count = 0
    uncertified: Line = ""
    notes: Names = []


class SolveTiming(_Record):
    """The solve phase at one batch size.

    Attributes:
        batch_size: states propagated in one call.
        launches: seconds of one call, a list per launch with a value per round; extrapolated to the batch size.
        calls: number of calls of which a round takes the median.
        timed_states: number of states that were propagated; if smaller than `batch_size`, times are extrapolated.
        threads: number of CPU threads with which the solver was faster.
        compile_time: seconds that a first call takes longer than the next ones; None if that is not known.
        busy: CPU seconds for each second of the rounds.
        waiting: seconds that threads were ready to run and had no core, for each second of the rounds.
        disturbed: number of rounds that something else slowed down, also when they were run again.
    """

    batch_size: Positive
    launches: Annotated[list[Rounds], Field(min_length=1, max_length=10_000)]
    calls: Count
    timed_states: Positive
    threads: Positive | None = None
    compile_time: Number | None = None
    busy: Number | None = None
    waiting: Number | None = None
    disturbed: Count | None = None

    @property
    def seconds(self) -> float:
        """Seconds of one call: the geometric mean over launches of the medians of their rounds."""
        return typical(self.launches)

    @property
    def extrapolated(self) -> bool:
        """Whether fewer states were timed than the batch size."""
        return self.timed_states < self.batch_size


class Ledger(_Record):
    """The cost of a cell in seconds and bytes; None for phases that were not reached."""

    start_up_time: Seconds | None = None
    """Seconds of the imports and the first `prepare` of a new process, with all that is compiled in it."""
    starts: Annotated[list[Seconds], Field(max_length=10_000)] = []
    """The same for each launch, of which `start_up_time` is the mean."""
    prepare_time: Seconds | None = None
    first_call_time: Seconds | None = None
    solve: Annotated[list[SolveTiming], Few] = []
    rounds_id: Line | None = None
    """Cells with the same id were timed in one race, so that their rounds are paired."""
    peak_memory_host: Count | None = None
    rest_memory_host: Count | None = None
    """Memory of the worker (interpreter, libraries, solver) before its first problem."""
    peak_memory_device: Count | None = None
    overhead: Number | None = None
    """Seconds that the core itself took for the cell besides the phases."""


class FitRecord(_Record):
    """Origin and cost of the weights of a learned solver.

    Attributes:
        solver: the solver as in the task.
        source: "fitted" in this run, "cache" of an earlier one, "shipped" with the plugin, or "given" by the user.
        folder: folder of the weights.
        fingerprint: of the weights themselves.
        data_time, fit_time: seconds, also those of an earlier run or another machine.
        made: date, machine and versions of the fit.
        built_upon: weights from which the fit started, with their cost, which the seconds above include.
        notes: remarks of the fit, such as that it continued with smaller batches.
        curve: learning curve, one mapping per progress report.
        status, reason, details: how the fit ended.
    """

    solver: SolverText
    source: Line
    folder: Annotated[str, Field(max_length=4096)]
    fingerprint: Line = ""
    data_time: Seconds | None = None
    fit_time: Seconds | None = None
    made: Made = {}
    built_upon: Foundation | None = None
    notes: Names = []
    curve: Curve = []
    status: Status = Status.OK
    reason: Line = ""
    details: Lines = ""


class ManifestRecord(_Record):
    """The manifest beside weights, as it is read back.

    Attributes:
        solver, training, data_time, fit_time, built_upon, notes, curve, made: see `qdynbench.record.manifest`.
        weights: hash of the weights.
    """

    model_config = ConfigDict(extra="allow")

    solver: Line = ""
    training: Values = {}
    data_time: Seconds = 0.0
    fit_time: Seconds = 0.0
    built_upon: Foundation | None = None
    notes: Names = []
    curve: Curve = []
    made: Made = {}
    weights: Line = ""


class PredictedCost(_Record):
    """What a cell was predicted to cost before it ran, for `prepare` and one call of the largest batch.

    Attributes:
        bytes, operations: as the solver predicts them.
        seconds: of the operations, by what the solver had taken at smaller sizes in the same run.
    """

    bytes: float
    operations: float = 0.0
    seconds: float


class CellRecord(_Record):
    """One cell: a case and a solver.

    Attributes:
        key: name of its files.
        task, solver, size, seed, track: the identity of the cell.
        drawn: parameters of the model that were drawn for this size and seed, where its family draws any.
        knowledge, label, accuracy, protocol: see `qdynbench.Solver`.
        precision: "double" or "single", the precision of the states; empty for a solver without states.
        status, reason, details: how the cell ended; details are a traceback or a log.
        scores: accuracy.
        reference: what the accuracy was measured against; None if the cell ended before.
        left_out: metrics of the task that have no value for this solver or case.
        notes: remarks of the solver on its own result, such as that a limit was reached.
        ledger: cost.
        predicted: what it was predicted to cost, where the solver predicts anything.
        fingerprint: of all that the result depends on; a cell is reused only when it agrees.
        complete: false between the accuracy of a case and its timing, so that a killed run keeps the accuracy.
    """

    key: Key
    task: Line
    solver: SolverText
    size: Positive
    seed: Seed
    track: Line
    drawn: Values = {}
    knowledge: Line = ""
    label: Line = ""
    accuracy: Names = []
    protocol: Names = []
    precision: Line = ""
    status: Status = Status.OK
    reason: Line = ""
    details: Lines = ""
    scores: list[Score] = []
    reference: ReferenceRecord | None = None
    left_out: Names = []
    notes: Names = []
    ledger: Ledger = Ledger()
    predicted: PredictedCost | None = None
    fingerprint: Line
    complete: bool = False


class RunRecord(_Record):
    """A run as a whole: `run.json`.

    Attributes:
        schema_version: version of these records.
        task: the checked task with all defaults.
        plugin_files: single-file plugins of the run.
        cells: keys of the cells of the run, in the order of reports.
        fits: fits of its learned solvers.
        conditions: everything on which the results of all its solvers depend, see `qdynbench.runner.plan.conditions`.
        provenance: date, machine and versions.
    """

    schema_version: int = SCHEMA_VERSION
    task: Values
    plugin_files: Annotated[list[Annotated[str, Field(max_length=4096)]], Few] = []
    cells: Annotated[list[Key], Field(max_length=100_000), AfterValidator(lambda keys: list(dict.fromkeys(keys)))] = []
    fits: Annotated[dict[Line, FitRecord], Few] = {}
    conditions: Values = {}
    provenance: Made = {}
