"""Read a run: its cells, the tidy table and the curves."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qdynbench.errors import InputError, suggestion
from qdynbench.files import written_whole
from qdynbench.record.ledger import Cheaper, break_even
from qdynbench.record.schema import TRAJECTORIES, CellRecord, RunRecord, Score
from qdynbench.record.store import Store
from qdynbench.stats import time_of
from qdynbench.task.spec import Task

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

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
        missing: number of cells that an interrupted run has not reached.
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
        self.task = Task.model_validate(self.record.task, strict=False)
        self.metric = metric or ERROR_METRIC
        usual = self.task.tolerance if self.metric == ERROR_METRIC else 0.0
        self.tolerance = usual if tolerance is None else tolerance
        read = [self._store.read_cell(key) for key in self.record.cells]
        self.cells: list[CellRecord] = [cell for cell in read if cell is not None]
        self.missing = len(read) - len(self.cells)
        self._errors: dict[str, NDArray[np.float64] | None] = {}
        names = {score.metric for cell in self.cells for score in cell.scores}
        if metric is not None and metric not in names:
            hint = suggestion(metric, names) or f"; it has {', '.join(sorted(names)) or 'none'}"
            raise InputError(f"{str(self.folder)!r} has no values of the metric {metric!r}{hint}")

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
                    "states a call": None if timed is None else timed.batch_size,
                    "seconds a call": math.nan if timed is None else timed.seconds,
                }
            )
        table = pd.DataFrame(rows).astype({"states a call": "Int64"}, errors="ignore")
        return f"<p>{html.escape(repr(self))}</p>" + table.to_html(
            index=False, float_format="{:.3g}".format, na_rep="–"
        )

    @property
    def exit_status(self) -> int:
        """0 if all cells are complete and `ok`, `unsupported` or `infeasible`, otherwise 1."""
        return int(self.missing > 0 or any(not cell.status.honest or not cell.complete for cell in self.cells))

    def cell(self, solver: str, size: int, seed: int) -> CellRecord | None:
        """Return one cell, or None if the run does not have it."""
        wanted = (solver, size, seed)
        return next((cell for cell in self.cells if (cell.solver, cell.size, cell.seed) == wanted), None)

    def curves_of(self, cell: CellRecord) -> dict[str, NDArray[np.float32]]:
        """Return the curves of one cell: per sample and time `(B, T+1)`, or `(B,)` for metrics without a time axis."""
        return self._arrays(cell, kept=False)

    def errors_of(self, cell: CellRecord) -> NDArray[np.float64] | None:
        """Return the `metric` of each test state of a cell at the last step, shape `(B,)`; None where it has none."""
        if cell.key not in self._errors:
            found = self._arrays(cell, only=self.metric).get(self.metric)
            last = None if found is None else (found if found.ndim == 1 else found[:, -1]).astype(np.float64)
            self._errors[cell.key] = last
        return self._errors[cell.key]

    def trajectories(self, cell: CellRecord) -> tuple[NDArray[np.complex64], NDArray[np.complex64]] | None:
        """Return the kept trajectories of one cell: prediction and reference, each of shape `(n, T+1, 2**N)`.

        Return None if the task keeps none (`keep: {trajectories: n}`) or the solver yields only observables.
        """
        arrays = self._arrays(cell, kept=True)
        return (arrays[TRAJECTORIES[0]], arrays[TRAJECTORIES[1]]) if len(arrays) == len(TRAJECTORIES) else None

    def _arrays(self, cell: CellRecord, *, kept: bool = False, only: str = "") -> dict[str, NDArray[Any]]:
        path = self._store.curves_of(cell.key)
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            names = [name for name in arrays.files if (name in TRAJECTORIES) is kept]
            return {name: arrays[name] for name in names if only in {"", name}}

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
        return xr.merge(parts, join="outer", compat="no_conflicts") if parts else xr.Dataset()

    def write_table(self) -> Path:
        """Write `results.parquet` and return its path."""
        path = self._store.table
        with written_whole(path) as stream:
            self.table.to_parquet(stream, index=False)
        return path

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


def _number(
    metric: str | None, unit: str | None, value: float, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    """Return the columns of a number; without an interval, both ends are the number itself."""
    ends = {"low": value if low is None else low, "high": value if high is None else high}
    return {"metric": metric, "value": value, "unit": unit, **ends}
