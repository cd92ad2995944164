"""A run that is killed at any moment goes on from there and ends with the same table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from qdynbench.record.results import Run

Command = Callable[..., subprocess.CompletedProcess[str]]

SLOW = """\
import time
from qdynbench import Block, Knowledge, Solver, hookimpl

class Slow(Solver):
    knowledge = Knowledge.TRAJECTORIES
    def solve(self, given):
        time.sleep(0.05)
        yield Block(0, given.states[:, None].repeat(1, self.problem.steps + 1, 1))

@hookimpl
def register_solvers(register):
    register("slow", Slow, summary="takes its time")
"""

ACCURACY = ["solver", "size", "seed", "track", "status", "metric", "step", "value", "low", "high", "unit"]


def accuracy(run: Run) -> pd.DataFrame:
    """Return the part of the table that two runs must agree on to the last digit."""
    table = run.table[run.table.step.notna() | (run.table.metric == "valid_time")]
    return table[ACCURACY].reset_index(drop=True)


def start(task: Path, folder: str, where: Path) -> subprocess.Popen[bytes]:
    command = [
        str(Path(sys.executable).with_name("qdynbench")),
        *("run", str(task), "--plugin", "slow.py", "--solver", "ed", "--solver", "slow", "--out", folder, "--quiet"),
    ]
    # In the background of a shell SIGINT is ignored, and a child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, cwd=where, env={**os.environ, "XDG_CACHE_HOME": str(where / "cache")})


@pytest.fixture(scope="module")
def whole(small_text: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "slow.py").write_text(SLOW)
    (folder / "small.yaml").write_text(small_text)
    assert start(folder / "small.yaml", "whole", folder).wait(timeout=120) == 0
    return Run(folder / "whole")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_reuses_all_finished_cells(
    whole: Run, small_task: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    broken = start(small_task, "broken", tmp_path)
    cells = tmp_path / "broken" / "cells"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(cells.glob("*n3*.json")):  # in the middle of the second case
        time.sleep(0.01)
    workers = psutil.Process(broken.pid).children(recursive=True)
    broken.send_signal(sign)
    status = broken.wait(timeout=30)
    assert status == (130 if sign == signal.SIGINT else -signal.SIGKILL)
    psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in workers if worker.is_running()]  # no orphan is left behind
    before = {path.name: path.read_bytes() for path in cells.glob("*n2*.json")}
    assert len(before) == 3
    assert start(small_task, "broken", tmp_path).wait(timeout=120) == 0
    assert {path.name: path.read_bytes() for path in cells.glob("*n2*.json")} == before
    pd.testing.assert_frame_equal(accuracy(Run(tmp_path / "broken")), accuracy(whole))


def test_a_damaged_cell_is_run_again(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    assert qdynbench("run", small_task, "--quiet").returncode == 0
    damaged = next((tmp_path / "runs" / "small" / "cells").glob("ed-n2*.json"))
    damaged.write_text("{")
    mended = qdynbench("run", small_task)
    assert mended.returncode == 0
    assert mended.stderr.count("from an earlier run") == 3
