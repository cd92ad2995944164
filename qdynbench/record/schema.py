"""The records of a run, as written to and read from JSON."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
TRAJECTORIES = ("trajectories/prediction", "trajectories/reference")
"""Arrays beside the curves in a cell's file, where the task keeps trajectories; no metric can be called so."""


MOST_NOTES, LONGEST_NOTE = 20, 200
"""How many different notes of a solve are kept, and how many letters of each."""


class Status(enum.StrEnum):
    """How a cell ended. No row is ever dropped."""

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
        """Whether the row is an answer and not a fault: exit status 0."""
        return self in {Status.OK, Status.UNSUPPORTED, Status.INFEASIBLE}


def kept_notes(notes: Iterable[str]) -> list[str]:
    """Return what is kept of a solver's notes: each once, cut, and not too many."""
    return list(dict.fromkeys(note[:LONGEST_NOTE] for note in notes))[:MOST_NOTES]


class _Record(BaseModel):
    # JSON has no nan, and a score that is not defined must be read back as what it was: "NaN" in quotes is one.
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings")


class Score(_Record):
    """One metric at one step: the mean over the test states with its 95 % interval.

    Attributes:
        metric: its name.
        step: time step, or None for a metric without a time axis.
        value, low, high: mean and interval.
        unit: of the values.
        bound: error of the reference in this metric; a smaller value cannot be told from zero.
    """

    metric: str
    step: int | None
    value: float
    low: float
    high: float
    unit: str
    bound: float | None = None

    @property
    def below_bound(self) -> bool:
        """Whether the value cannot be told from that of a perfect solver."""
        return self.bound is not None and self.bound > 0 and self.value < self.bound


class ReferenceRecord(_Record):
    """What the accuracy of a cell was measured against.

    Attributes:
        solver: as in the task; "none" where it names none.
        missing: why there was no reference, so that only metrics that need none are there; else empty.
        method: second, independent method that the bounds were made by; empty where the reference is not certified.
        uncertified: why it is not, else empty.
        notes: what the reference had to say of its own result, such as that a limit was reached.
    """

    solver: str
    missing: str = ""
    method: str = ""
    uncertified: str = ""
    notes: list[str] = []


class SolveTiming(_Record):
    """The solve phase at one batch size.

    Attributes:
        batch_size: states propagated in one call.
        seconds: of one call, a value per round; already scaled up where extrapolated.
        calls: calls that one round averages over.
        timed_states: states really propagated; fewer than `batch_size` means that the figure is extrapolated.
    """

    batch_size: int
    seconds: list[float]
    calls: int
    timed_states: int

    @property
    def extrapolated(self) -> bool:
        """Whether fewer states were timed than the figure stands for."""
        return self.timed_states < self.batch_size


class Ledger(_Record):
    """All that a cell cost, in seconds and bytes; None where it was not reached."""

    start_up_time: float | None = None
    """A first prepare that only the first cell of a worker goes through: late imports, compilation. Paid once."""
    prepare_time: float | None = None
    first_call_time: float | None = None
    solve: list[SolveTiming] = []
    rounds_id: str | None = None
    """Timings with the same id alternated round by round, so that their ratios are paired."""
    peak_memory_host: int | None = None
    rest_memory_host: int | None = None
    """What the worker held, of interpreter and libraries, with the solver built and before its first problem."""
    peak_memory_device: int | None = None
    overhead: float | None = None
    """Seconds that the core itself took for the cell beyond the phases."""


class FitRecord(_Record):
    """Where a learned solver's weights come from and what they had cost.

    Attributes:
        solver: as in the task.
        source: "fitted" in this run, "cache" of an earlier one, or "shipped" with the plugin.
        folder: of the weights.
        data_time, fit_time: seconds, whenever and wherever they were spent.
        made: date, machine and versions of the fit.
        built_upon: weights that the fit started from, with what they had cost, which the seconds above include.
        notes: what the fit had to say, such as that it went on with smaller batches.
        curve: learning curve, one mapping per progress report.
        status, reason, details: how the fit ended.
    """

    solver: str
    source: str
    folder: str
    data_time: float | None = None
    fit_time: float | None = None
    made: dict[str, Any] = {}
    built_upon: dict[str, Any] | None = None
    notes: list[str] = []
    curve: list[dict[str, float]] = []
    status: Status = Status.OK
    reason: str = ""
    details: str = ""


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
        key: file name.
        task, solver, size, seed, track: which cell.
        knowledge: what the solver may see.
        label: assumption or protocol that the reader must know; only ever shown.
        accuracy: names of the parameters that turn the solver's error: settings of one series.
        protocol: names of the parameters that choose how the same method is run.
        precision: "double" or "single", of the states that it yielded; empty where it yielded none.
        status, reason, details: how it ended; details are a traceback or a log.
        scores: accuracy.
        reference: what it was measured against; None where the cell ended before.
        left_out: metrics of the task that could not be had from this solver or in this case.
        notes: what the solver had to say of its own result, such as that a limit was reached.
        ledger: cost.
        predicted: what it was predicted to cost, where the solver predicts anything.
        fingerprint: of all that the result depends on; a cell is reused only when it agrees.
        complete: false between the accuracy of a case and its timing, so that a killed run keeps the accuracy.
    """

    key: str
    task: str
    solver: str
    size: int
    seed: int
    track: str
    knowledge: str = ""
    label: str = ""
    accuracy: list[str] = []
    protocol: list[str] = []
    precision: str = ""
    status: Status = Status.OK
    reason: str = ""
    details: str = ""
    scores: list[Score] = []
    reference: ReferenceRecord | None = None
    left_out: list[str] = []
    notes: list[str] = []
    ledger: Ledger = Ledger()
    predicted: PredictedCost | None = None
    fingerprint: str
    complete: bool = False


class RunRecord(_Record):
    """A run as a whole: `run.json`.

    Attributes:
        schema_version: of these records.
        task: the checked task, defaults included.
        plugin_files: single-file plugins that it needs.
        cells: keys of the cells that belong to the run, in report order.
        fits: of its learned solvers.
        provenance: when, where, with which versions.
    """

    schema_version: int = SCHEMA_VERSION
    task: dict[str, Any]
    plugin_files: list[str] = []
    cells: list[str] = []
    fits: dict[str, FitRecord] = {}
    provenance: dict[str, Any] = {}
