"""Read a run: its cells, the tidy table and the curves."""

from __future__ import annotations

import html
import io
import json
import math
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qdynbench.errors import CannotWrite, InputError, suggestion
from qdynbench.record.ledger import Cheaper, break_even
from qdynbench.record.schema import TRAJECTORIES, CellRecord, RunRecord, Score
from qdynbench.record.store import TABLE, Damaged, Store, why
from qdynbench.stats import time_of
from qdynbench.task.spec import Task
from qdynbench.text import NOTHING

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MOST_ROWS = 100
"""Rows of a table that a notebook shows."""
ERROR_METRIC = "infidelity"
"""Decides by default whether two errors are equal: unlike the mean relative entropy it sees phases."""
_OF_NUMBERS = ("metric", "step", "value", "low", "high", "unit", "resolution")
COLUMNS = ["task", "solver", "size", "batch_size", "seed", "track", "status", "reason", *_OF_NUMBERS]
"""The columns of the tidy table; `resolution` is that of the reference in a metric, nan where it is unknown.

Behind them come the circumstances of the run, see `Run.circumstances`.
"""


class Run:
    """A run, read from its folder.

    Attributes:
        folder: the run directory.
        record: `run.json`.
        cells: all cells that were reached, in the order of the plan.
        missing: number of cells that an interrupted run has not reached, or that cannot be read.
        damaged: a line for each file that cannot be read; what it held is left out.
        metric: the error, at the last step, by which solvers are compared.
        tolerance: how much of it is good enough: smaller errors count as equal.

    Args:
        folder: the run directory.
        tolerance: default: that of the task, which is one of the infidelity.
        metric: default: the infidelity.

    Raises:
        InputError: there is no run, or it has no values of the metric.
    """

    def __init__(self, folder: str | Path, tolerance: float | None = None, metric: str | None = None) -> None:
        self.folder = Path(folder)
        self._store = Store.open(self.folder)
        self.record: RunRecord = self._store.read_run()
        self.task: Task = self._store.read_task(self.record)
        self.damaged: list[str] = []
        self.metric = metric or ERROR_METRIC
        usual = self.task.tolerance if self.metric == ERROR_METRIC else 0.0
        self.tolerance = usual if tolerance is None else tolerance
        read = map(self._cell, self.record.cells)
        self.cells: list[CellRecord] = [cell for cell in read if cell is not None]
        self.missing = len(self.record.cells) - len(self.cells)
        self._errors: dict[str, NDArray[np.float64] | None] = {}
        names = {score.metric for cell in self.cells for score in cell.scores}
        if metric is not None and metric not in names:
            hint = suggestion(metric, names) or f"; it has {', '.join(sorted(names)) or 'none'}"
            raise InputError(f"{str(self.folder)!r} has no values of the metric {metric!r}{hint}")

    def _cell(self, key: str) -> CellRecord | None:
        task = self.task
        try:
            cell = self._store.cell(key)
        except Damaged as error:
            self.damaged.append(str(error))
            return None
        if cell is not None and not (
            cell.solver in task.solvers
            and cell.size in task.sizes
            and cell.seed in task.seeds
            and all((score.step or 1) <= task.times.steps for score in cell.scores)
        ):
            self.damaged.append(f"cells/{key}.json is not of this task")
            return None
        return cell

    def __repr__(self) -> str:
        solvers = ", ".join(dict.fromkeys(cell.solver for cell in self.cells))
        reached = f"{len(self.cells)} of {len(self.record.cells)} cells"
        return f"Run({str(self.folder)!r}: task {self.task.name}, {reached}, solvers {solvers or 'none'})"

    def _repr_html_(self) -> str:
        """Return how a notebook shows the run: a row for each cell."""
        import pandas as pd

        rows = []
        for cell in self.cells:
            last = max((one for one in cell.scores if one.metric == self.metric), key=_step, default=None)
            timed = max(cell.ledger.solve, key=lambda one: one.batch_size, default=None)
            rows.append(
                {
                    "solver": cell.solver,
                    "spins": cell.size,
                    "seed": cell.seed,
                    "status": cell.status.value,
                    self.metric: math.nan if last is None else last.value,
                    "states a call": NOTHING if timed is None else str(timed.batch_size),
                    "seconds a call": math.nan if timed is None else timed.seconds,
                }
            )
        table = pd.DataFrame(rows).to_html(
            index=False, float_format="{:.3g}".format, na_rep=NOTHING, max_rows=MOST_ROWS
        )
        return f"<p>{html.escape(repr(self))}</p>{table}"

    @property
    def exit_status(self) -> int:
        """0 if all cells are complete and `ok`, `unsupported` or `infeasible`, otherwise 1."""
        return int(self.missing > 0 or any(not cell.status.honest or not cell.complete for cell in self.cells))

    def cell(self, solver: str, size: int, seed: int) -> CellRecord | None:
        """Return one cell, or None if the run does not have it."""
        return self._by_case.get((solver, size, seed))

    @cached_property
    def _by_case(self) -> dict[tuple[str, int, int], CellRecord]:
        return {(cell.solver, cell.size, cell.seed): cell for cell in reversed(self.cells)}

    def curves_of(self, cell: CellRecord, *names: str) -> dict[str, NDArray[np.float32]]:
        """Return the curves of one cell: per sample and time `(B, T+1)`, or `(B,)` for metrics without a time axis.

        Args:
            cell: the cell.
            names: of curves; default: all.
        """
        return self._arrays(cell, *names)

    def errors_of(self, cell: CellRecord) -> NDArray[np.float64] | None:
        """Return the `metric` of each test state of a cell at the last step, shape `(B,)`; None where it has none."""
        if cell.key not in self._errors:
            found = self._arrays(cell, self.metric).get(self.metric)
            last = None if found is None else (found if found.ndim == 1 else found[:, -1]).astype(np.float64)
            self._errors[cell.key] = last
        return self._errors[cell.key]

    def trajectories(self, cell: CellRecord) -> tuple[NDArray[np.complex64], NDArray[np.complex64]] | None:
        """Return the kept trajectories of one cell: prediction and reference, each of shape `(n, T+1, 2**N)`.

        Return None if the task keeps none (`keep: {trajectories: n}`) or the solver yields only observables.
        """
        arrays = self._arrays(cell, kept=True)
        return (arrays[TRAJECTORIES[0]], arrays[TRAJECTORIES[1]]) if len(arrays) == len(TRAJECTORIES) else None

    def _arrays(self, cell: CellRecord, *names: str, kept: bool = False) -> dict[str, NDArray[Any]]:
        try:
            states, times = self.task.states, self.task.times.steps + 1
            found = self._store.arrays(cell.key, names or None, kept=kept, states=states, times=times)
        except Damaged as error:
            self.damaged += [line for line in [str(error)] if line not in self.damaged]
            return {}
        return found

    @property
    def circumstances(self) -> dict[str, Any]:
        """What tells this run from others of the same task; each is a column of the table.

        `model` (its family), `model.<parameter>`, `ensemble`, `dt`, `threads`, `device`, and `noise` in training.
        """
        task, made = self.task, self.record.provenance
        parameters = {f"model.{name}": value for name, value in task.model.items() if name != "family"}
        return {
            "model": task.model["family"],
            **parameters,
            "ensemble": task.ensemble,
            "dt": task.times.dt,
            "threads": made.get("threads"),
            "device": made.get("device"),
            "noise": task.training.noise if task.training is not None else math.nan,
        }

    @cached_property
    def table(self) -> pd.DataFrame:
        """All numbers as a tidy table: `COLUMNS`, `circumstances`, and `drawn.<parameter>` where a model draws any.

        A cell without numbers has a row with its status. Parameters that are lists are written as text.
        """
        import pandas as pd

        found = self.circumstances
        drawn = dict.fromkeys(f"drawn.{name}" for cell in self.cells for name in cell.drawn)
        rows = [
            row | found | {f"drawn.{name}": value for name, value in cell.drawn.items()}
            for cell in self.cells
            for row in self._rows(cell)
        ]
        table = pd.DataFrame(rows, columns=[*COLUMNS, *found, *drawn])
        for name in table.columns:
            if "." in name and any(isinstance(value, list | dict) for value in table[name]):
                table[name] = table[name].map(json.dumps, na_action="ignore")
        return table.astype({"step": "Int64", "batch_size": "Int64"})

    @cached_property
    def curves(self) -> xr.Dataset:
        """All curves, with dimensions `solver, size, sample, time`; nan where a cell has no curve."""
        import pandas as pd
        import xarray as xr

        parts = []
        for cell in self.cells:
            arrays = self.curves_of(cell)
            if not arrays:
                continue
            timed = {name: (("sample", "time"), values) for name, values in arrays.items() if values.ndim == 2}
            single = {name: (("sample",), values) for name, values in arrays.items() if values.ndim == 1}
            samples = [(cell.seed, number) for number in range(len(next(iter(arrays.values()))))]
            index = pd.MultiIndex.from_tuples(samples, names=["seed", "number"])
            part = xr.Dataset({**timed, **single}, {"time": self.task.times.grid()})
            part = part.assign_coords(xr.Coordinates.from_pandas_multiindex(index, "sample"))
            parts.append(part.expand_dims(solver=[cell.solver], size=[cell.size]))
        warn(self.damaged)
        return xr.merge(parts, join="outer", compat="no_conflicts") if parts else xr.Dataset()

    def write_table(self) -> Path:
        """Write `results.parquet` and return its path."""
        stream = io.BytesIO()
        try:
            self.table.to_parquet(stream, index=False)
        except (ValueError, TypeError, OverflowError) as error:  # values that somebody has put into a cell
            raise CannotWrite(f"{str(self.folder / TABLE)!r} cannot be made of the cells: {why(error)}") from error
        return self._store.write_table(stream.getvalue())

    def figure_file(self, name: str) -> Path:
        """Return where a picture of this run is to be written, `<run>/figures/<name>`.

        Raises:
            OSError: it cannot be, or somebody else's file would be replaced.
        """
        return self._store.figure(name)

    def page_file(self) -> Path:
        """Return where the page of this run is to be written, `<run>/page.html`; raises as `figure_file` does."""
        return self._store.page()

    def _rows(self, cell: CellRecord) -> Iterator[dict[str, Any]]:
        common = cell.model_dump(include={"task", "solver", "size", "seed", "track", "reason"})
        common["status"] = cell.status.value
        found = [score.model_dump(include=set(_OF_NUMBERS)) for score in cell.scores]
        found += [_number(metric, unit, value) for metric, value, unit in self._costs(cell) if value is not None]
        for timing in cell.ledger.solve:
            number = _number("solve_time", "s", *time_of(timing.launches))
            note = {"reason": f"extrapolated from {timing.timed_states} states"} if timing.extrapolated else {}
            found.append(number | {"batch_size": timing.batch_size} | note)
        reference = self.cell(self.task.reference, cell.size, cell.seed)
        if reference is not None and reference is not cell:
            crossing = break_even(cell, reference, self.record.fits)
            if crossing is not None:
                name = "cheaper_below" if crossing.cheaper is Cheaper.BELOW else "break_even"
                found.append(_number(name, "trajectories", *crossing.number))
        # A prediction is no result: a cell without results has a row without a metric.
        found = found or [_number(None, None, math.nan)]
        if cell.predicted is not None:
            found.append(_number("predicted_time", "s", cell.predicted.seconds))
            found.append(_number("predicted_memory", "B", cell.predicted.bytes))
        return (common | number for number in found)

    def _costs(self, cell: CellRecord) -> Iterator[tuple[str, float | None, str]]:
        fit = self.record.fits.get(cell.solver)
        yield "data_time", fit.data_time if fit else None, "s"
        yield "fit_time", fit.fit_time if fit else None, "s"
        yield "start_up_time", cell.ledger.start_up_time, "s"
        yield "prepare_time", cell.ledger.prepare_time, "s"
        yield "first_call_time", cell.ledger.first_call_time, "s"
        yield "peak_memory_host", cell.ledger.peak_memory_host, "B"
        yield "peak_memory_device", cell.ledger.peak_memory_device, "B"


def _step(score: Score) -> int:
    return -1 if score.step is None else score.step


def warn(lines: list[str]) -> None:
    """Warn of each file that is left out because it cannot be read."""
    for line in lines:
        warnings.warn(f"{line}; it is left out", stacklevel=3)


def _number(
    metric: str | None, unit: str | None, value: float, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Return the columns of a number; without an interval, both ends are the number itself."""
    ends = {"low": value if low is None else low, "high": value if high is None else high}
    return {"metric": metric, "value": value, "unit": unit, **ends}
