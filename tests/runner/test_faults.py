"""Solvers that go wrong end as rows with the right status and reason, and the rest of the run finishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

FAULTY = Path(__file__).parents[1] / "data" / "faulty.py"

EXPECTED = {
    "frozen": (Status.OK, ""),
    "peeks": (Status.OK, ""),
    "nan": (Status.INVALID, "nan"),
    "wrongshape": (Status.INVALID, "shape"),
    "wrongfirst": (Status.INVALID, "initial state"),
    "short": (Status.INVALID, "only 5 came"),
    "raises": (Status.FAILED, "flux capacitor"),
    "raisesinput": (Status.FAILED, "cannot prepare this"),
    "hangs": (Status.TIMEOUT, "longer than 8 s"),
    "exits": (Status.CRASHED, "exited with status 7"),
    "disconnects": (Status.CRASHED, "closed its connection"),
    "segfaults": (Status.CRASHED, "SIGSEGV"),
    "eatsmemory": (Status.OUT_OF_MEMORY, "more than the limit"),
    "refusesmemory": (Status.OUT_OF_MEMORY, "memory"),
    "unsupporting": (Status.UNSUPPORTED, "only chains of 40 spins"),
    "expensive": (Status.INFEASIBLE, "predicted time"),
}


@pytest.fixture
def faulty_run(qdynbench, small_task, tmp_path):
    """Run all faulty solvers beside `ed` and return the command's result and the run."""
    arguments = [part for name in EXPECTED for part in ("--solver", name)]
    done = qdynbench(
        *("run", small_task, "--plugin", FAULTY, "--solver", "ed", *arguments),
        *("--set", "limits.seconds=8", "--set", "sizes=[2]", "--set", "limits.memory=1200000000"),
    )
    return done, Run(tmp_path / "runs" / "small")


def test_every_fault_is_a_row_and_the_rest_finishes(faulty_run):
    done, run = faulty_run
    assert done.returncode == 1, done.stderr
    found = {cell.solver: (cell.status, cell.reason) for cell in run.cells}
    for name, (status, reason) in EXPECTED.items():
        assert found[name][0] is status, (name, found[name])
        assert reason in found[name][1], (name, found[name])
    assert found["ed"][0] is Status.OK
    assert run.missing == 0
    assert set(run.table.solver) >= {*EXPECTED, "ed"}  # no row is dropped
    for name in EXPECTED:
        assert name in done.stdout
    crashed = next(cell for cell in run.cells if cell.solver == "exits")
    assert "goodbye from the solver" in crashed.details


@pytest.mark.parametrize("size", [40])
def test_a_size_that_cannot_be_dense_is_infeasible_not_a_crash(qdynbench, small_task, tmp_path, size):
    done = qdynbench("run", small_task, "--set", f"sizes=[2, {size}]")
    run = Run(tmp_path / "runs" / "small")
    cell = run.cell("ed", size, 0)
    assert done.returncode == 0, done.stderr
    assert cell.status is Status.INFEASIBLE
    assert "predicted memory" in cell.reason
    assert run.cell("ed", 2, 0).status is Status.OK
    assert run.cell("persistence", size, 0).status is Status.OK  # it needs no state vector to say that nothing moves
