"""A finished run as it is read: cells, the tidy table, the curves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qdynbench.record.results import COLUMNS, Run
from qdynbench.record.schema import TRAJECTORIES, Status
from tests.runs import STATES, Entry, ended, exact, make_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    new = Entry(error=1e-6, seconds=1e-5, jitter=0.05, timed_states=8)
    refused = ended(Status.UNSUPPORTED, "no data")
    entries = {"ed": {4: exact(1e-4, predicted=(1e6, 2.0)), 5: exact(2e-4)}, "new": {4: new}, "other": {5: refused}}
    return make_run(tmp_path / "run", entries, {"new": {"fit_time": 7.0}})


def rows(run: Run, solver: str, size: int) -> pd.DataFrame:
    return run.table[(run.table.solver == solver) & (run.table["size"] == size)].set_index("metric")


def test_every_number_has_a_row_with_its_interval_and_unit(run: Run) -> None:
    assert list(run.table.columns)[: len(COLUMNS)] == COLUMNS
    found = rows(run, "new", 4)
    error = found.loc["infidelity"]
    assert (error.step, error.unit, error.resolution) == (100, "1", 2e-29)
    assert error.value == pytest.approx(1e-6)
    assert error.low < error.value < error.high
    assert found.value["fit_time"] == 7.0
    times = found.loc[["solve_time"]].set_index("batch_size")
    assert list(times.index) == [1, 64, 256]
    assert times.value[64] == pytest.approx(64e-5, rel=0.05)
    assert times.reason[1] == ""
    assert times.reason[64] == "extrapolated from 8 states"


def test_every_row_says_of_which_hamiltonian_ensemble_and_machine_it_is(tmp_path: Path) -> None:
    model = {"family": "heisenberg", "J": 1.0, "h": [0.1, 0.2], "disorder": 2.0}
    training = {"sizes": [2], "noise": 0.1}
    run = make_run(tmp_path / "run", {"ed": {2: exact(), 3: exact()}}, model=model, training=training)
    run.cells[0].drawn = {"h": [0.5, -0.5]}
    found = dict(run.table.iloc[0])
    assert (found["model"], found["model.J"], found["model.disorder"]) == ("heisenberg", 1.0, 2.0)
    assert (found["model.h"], found["drawn.h"]) == ("[0.1, 0.2]", "[0.5, -0.5]")
    assert (found["dt"], found["ensemble"], found["threads"], found["noise"]) == (0.002, "random_product", 2, 0.1)
    assert run.table["drawn.h"].isna().any()
    assert list(pd.read_parquet(run.write_table()).columns) == list(run.table.columns)


def test_the_row_of_the_break_even_has_an_interval(run: Run) -> None:
    found = rows(run, "new", 4).loc["break_even"]
    assert found.unit == "trajectories"
    assert 0 < found.low < found.value < found.high < math.inf
    assert "break_even" not in rows(run, "ed", 4).index


def test_a_cell_without_numbers_has_a_row_with_its_status(run: Run) -> None:
    [row] = run.table[run.table.solver == "other"].itertuples()
    assert (row.status, row.reason) == ("unsupported", "no data")
    assert pd.isna(row.metric)
    assert math.isnan(row.value)


def test_predictions_stand_beside_what_was_measured(run: Run) -> None:
    found = rows(run, "ed", 4)
    assert (found.value["predicted_time"], found.value["predicted_memory"]) == (2.0, 1e6)


def test_the_written_table_is_the_table(run: Run) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(run.write_table()), run.table)


def test_the_curves_of_all_cells_are_one_data_set(run: Run) -> None:
    curves = run.curves
    assert dict(curves.sizes) == {"solver": 2, "size": 2, "sample": STATES, "time": 101}
    assert float(curves.infidelity.sel(solver="new", size=4).isel(time=-1).mean()) == pytest.approx(1e-6, rel=1e-5)
    assert bool(curves.infidelity.sel(solver="new", size=5).isnull().all())


def test_trajectories_are_kept_apart_from_the_curves(run: Run) -> None:
    cell = run.cell("ed", 4, 0)
    assert cell is not None
    assert run.trajectories(cell) is None
    path = run.folder / "curves" / f"{cell.key}.npz"
    states = np.ones((2, 101, 16), dtype=np.complex64)
    np.savez(path, infidelity=np.zeros((STATES, 101), np.float32), **dict.fromkeys(TRAJECTORIES, states))
    kept = run.trajectories(cell)
    assert kept is not None
    assert kept[0].shape == (2, 101, 16)
    assert list(run.curves_of(cell)) == ["infidelity"]


def test_the_exit_status_tells_an_answer_from_a_fault(run: Run, troubled: Run, tmp_path: Path) -> None:
    assert run.exit_status == 0  # `unsupported` is an answer
    assert troubled.exit_status == 1
    assert make_run(tmp_path / "short", {"ed": {4: exact()}}, missing=1).exit_status == 1
    assert make_run(tmp_path / "untimed", {"ed": {4: exact(complete=False)}}).exit_status == 1


def test_an_older_record_is_read_with_the_declarations_that_it_lacks(run: Run) -> None:
    for path in (run.folder / "cells").iterdir():
        lines = path.read_text().splitlines()
        path.write_text("\n".join(line for line in lines if '"accuracy"' not in line and '"precision"' not in line))
    cells = Run(run.folder).cells
    assert [(cell.accuracy, cell.protocol, cell.precision) for cell in cells] == [([], [], "")] * 4
