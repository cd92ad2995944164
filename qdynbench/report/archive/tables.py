"""The tables of an archive; what a column is stands here once, and from here in its Parquet file and in the README."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdynbench.errors import CannotWrite
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord
from qdynbench.record.store import why

TEXT, INTEGER, NUMBER, YES_NO, TEXTS, NUMBERS = "text", "integer", "number", "yes or no", "texts", "numbers"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: of the column.
        kind: of its values; a value that is not known is null.
        meaning: in words.
        unit: of its values; empty where they have none, or where another column tells it.
        source: where a cell's record has it, if not under the same name.
    """

    name: str
    kind: str
    meaning: str
    unit: str = ""
    source: str = ""


IDENTITY = (
    Column("cell", TEXT, "name of the cell, one solver on one problem; joins the tables", source="key"),
    Column("solver", TEXT, "solver with its parameters"),
    Column("size", INTEGER, "number of spins N"),
    Column("seed", INTEGER, "seed of the problem; cells with the same size and seed have the same states"),
)
CELLS = (
    *IDENTITY,
    Column("task", TEXT, "name of the task"),
    Column("track", TEXT, "how far the problem lies from the training data"),
    Column("status", TEXT, "how the cell ended: ok, or why there is no complete result"),
    Column("reason", TEXT, "the same in words"),
    Column("complete", YES_NO, "whether it was timed as well as scored, as far as the task asks for it"),
    Column("knowledge", TEXT, "what the solver may see: hamiltonian, parameters (its numbers) or trajectories alone"),
    Column("label", TEXT, "what the solver assumes"),
    Column("accuracy", TEXTS, "the parameters of the solver that turn its error"),
    Column("protocol", TEXTS, "the parameters of the solver that say how it is called"),
    Column("precision", TEXT, "double or single, of the states"),
    Column("drawn", TEXT, "parameters of the model that were drawn for this size and seed, as JSON"),
    Column("notes", TEXTS, "remarks of the solver on its own result"),
    Column("left_out", TEXTS, "metrics of the task that have no value here"),
    Column("reference", TEXT, "solver that the errors are measured against", source="reference.solver"),
    Column("reference_missing", TEXT, "why there was no reference", source="reference.missing"),
    Column("certified_by", TEXT, "second method that gave the reference's resolution", source="reference.method"),
    Column("certified_states", INTEGER, "test states that the second method evolved", source="reference.states"),
    Column("uncertified", TEXT, "why the reference has no resolution", source="reference.uncertified"),
    Column("reference_notes", TEXTS, "remarks of the reference on its own result", source="reference.notes"),
    Column(
        "start_up_time",
        NUMBER,
        "of a new process: imports, the first preparation, and compilation in it; mean over launches",
        "s",
        "ledger.start_up_time",
    ),
    Column("starts", NUMBERS, "the same for each launch", "s", "ledger.starts"),
    Column("prepare_time", NUMBER, "of the preparation for this size and time grid", "s", "ledger.prepare_time"),
    Column("first_call_time", NUMBER, "of the first call", "s", "ledger.first_call_time"),
    Column("peak_memory_host", INTEGER, "largest memory of the solver's process", "B", "ledger.peak_memory_host"),
    Column("rest_memory_host", INTEGER, "memory before its first problem", "B", "ledger.rest_memory_host"),
    Column("peak_memory_device", INTEGER, "largest memory on the GPU", "B", "ledger.peak_memory_device"),
    Column("overhead", NUMBER, "that the benchmark itself took for the cell", "s", "ledger.overhead"),
    Column("predicted_time", NUMBER, "predicted before it ran, a call of the largest batch", "s", "predicted.seconds"),
    Column("predicted_memory", NUMBER, "predicted before it ran", "B", "predicted.bytes"),
    Column("details", TEXT, "traceback or log of a cell that failed"),
    Column("fingerprint", TEXT, "hash of all that the result depends on"),
)
TIMINGS = (
    *IDENTITY,
    Column("batch_size", INTEGER, "states that are evolved in one call"),
    Column("launch", INTEGER, "number of the process, from 0; times of one launch share what is peculiar to it"),
    Column(
        "round", INTEGER, "number of the round in the launch, from 0; in each all solvers of a race have their turn"
    ),
    Column("seconds", NUMBER, "of one call: the median over the calls of the round", "s"),
    Column("calls", INTEGER, "number of calls in a round"),
    Column("timed_states", INTEGER, "states that were really evolved; if fewer than batch_size, seconds are scaled up"),
    Column("threads", INTEGER, "CPU threads with which the solver was faster"),
    Column("compile_time", NUMBER, "that a first call takes longer than the next ones", "s"),
    Column("busy", NUMBER, "CPU seconds for each second of the rounds"),
    Column("waiting", NUMBER, "seconds that threads had no core, for each second of the rounds"),
    Column("disturbed", INTEGER, "rounds at this batch size that something else slowed, also those run again"),
    Column("race", TEXT, "cells with the same race were timed side by side, so that their rounds are pairs"),
)
RESULTS = (
    Column("task", TEXT, "name of the task"),
    *IDENTITY[1:3],
    Column("batch_size", INTEGER, "states that are evolved in one call; null where the number is of no call"),
    IDENTITY[3],
    Column("track", TEXT, "how far the problem lies from the training data"),
    Column("status", TEXT, "how the cell ended"),
    Column("reason", TEXT, "the same in words, or how a time was extrapolated"),
    Column("metric", TEXT, "what the number is: an error, a time, a memory, or a break-even; null without a result"),
    Column("step", INTEGER, "time step of an error; null where it has no time axis"),
    Column("value", NUMBER, "the number: of an error the mean over the test states, of a time that over launches"),
    Column("low", NUMBER, "lower end of the 95 % interval; nan where none can be given, the value where it has none"),
    Column("high", NUMBER, "upper end"),
    Column("unit", TEXT, "of value, low and high; 1 is a pure number, energies are in units of the model (hbar = 1)"),
    Column("resolution", NUMBER, "what the true error may still be where value is below it; nan where it is unknown"),
    Column("model", TEXT, "family of the Hamiltonian"),
    Column("model.*", TEXT, "parameters of the Hamiltonian; lists as JSON"),
    Column("ensemble", TEXT, "ensemble of the initial states"),
    Column("dt", NUMBER, "time step", "1/energy"),
    Column("threads", INTEGER, "CPU threads that solvers may use"),
    Column("device", TEXT, "cpu or cuda"),
    Column("noise", NUMBER, "standard deviation of the noise in the training data; nan without training"),
    Column("drawn.*", TEXT, "parameters of the model that were drawn for this size and seed; lists as JSON"),
)

COSTS = {
    "data_time": "making the training data",
    "fit_time": "training",
    "start_up_time": "start of a process, with imports and compilation",
    "prepare_time": "preparation for a size and time grid",
    "first_call_time": "the first call",
    "solve_time": "one call of batch_size states",
    "peak_memory_host": "largest memory of the process",
    "peak_memory_device": "largest memory on the GPU",
    "predicted_time": "what one call of the largest batch was predicted to take",
    "predicted_memory": "what it was predicted to need",
    "break_even": "from so many trajectories on the solver costs less than the reference, all costs counted",
    "cheaper_below": "up to so many trajectories the solver costs less than the reference",
}
"""Metrics of the tidy table that are no errors."""


def write_cells(run: Run, path: Path) -> None:
    """Write one row for each cell of a run."""
    _write(CELLS, [[_value(cell, column) for cell in run.cells] for column in CELLS], path)


def write_timings(run: Run, path: Path) -> None:
    """Write one row for each round of each launch."""
    columns: list[list[Any]] = [[] for _ in TIMINGS]
    for values, many in _rounds(run.cells):
        for column, value in zip(columns, values, strict=True):
            column.extend(value if isinstance(value, list) else [value] * many)
    _write(TIMINGS, columns, path)


def _rounds(cells: Iterable[CellRecord]) -> Iterator[tuple[list[Any], int]]:
    """Yield what stands in the columns of `TIMINGS` for one cell and batch size: lists, or one value for all rows."""
    for cell in cells:
        for timing in cell.ledger.solve:
            rounds = [(launch, each) for launch, found in enumerate(timing.launches) for each in range(len(found))]
            own = {
                **{column.name: _value(cell, column) for column in IDENTITY},
                **timing.model_dump(exclude={"launches"}),
                "launch": [launch for launch, _ in rounds],
                "round": [each for _, each in rounds],
                "seconds": [seconds for found in timing.launches for seconds in found],
                "race": cell.ledger.rounds_id,
            }
            yield [own[column.name] for column in TIMINGS], len(rounds)


def write_results(run: Run, path: Path) -> None:
    """Write the tidy table of a run, one number a row.

    Raises:
        CannotWrite: somebody has put values into the task that are of no type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pa.Table.from_pandas(run.table, preserve_index=False)
    except (ValueError, TypeError, OverflowError) as error:
        raise CannotWrite(f"{path.name!r} cannot be made of the run: {why(error)}") from error
    fields = [field.with_metadata(_metadata(_described(field.name))) for field in table.schema]
    pq.write_table(table.replace_schema_metadata(None).cast(pa.schema(fields)), path)


def _described(name: str) -> Column:
    prefix = f"{name.partition('.')[0]}.*"
    return next(column for column in RESULTS if column.name in {name, prefix})


def _write(columns: Sequence[Column], values: Sequence[Sequence[Any]], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        TEXT: pa.string(),
        INTEGER: pa.int64(),
        NUMBER: pa.float64(),
        YES_NO: pa.bool_(),
        TEXTS: pa.list_(pa.string()),
        NUMBERS: pa.list_(pa.float64()),
    }
    fields = [pa.field(column.name, kinds[column.kind], metadata=_metadata(column)) for column in columns]
    arrays = [pa.array(found, field.type) for found, field in zip(values, fields, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)


def _metadata(column: Column) -> dict[str, str]:
    return {"description": column.meaning, **({"unit": column.unit} if column.unit else {})}


def _value(cell: CellRecord, column: Column) -> Any:
    found: Any = cell
    for name in (column.source or column.name).split("."):
        found = None if found is None else getattr(found, name)
    return json.dumps(found) if isinstance(found, dict) else found
