"""A worker that is lost is replaced: it is asked again what it was asked, and prepared before it is asked anything."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status

Command = Callable[..., subprocess.CompletedProcess[str]]

DEADLY = """\
import os, signal, sys
from pathlib import Path
from qdynbench import CurveMetric, ProductEnsemble, hookimpl
from qdynbench_exact.taylor import Taylor

def die(times, what):
    path = Path({folder!r}, what)
    so_far = len(path.read_bytes()) if path.exists() else 0
    if so_far < times:
        path.write_bytes(b"x" * (so_far + 1))
        os.kill(os.getpid(), signal.SIGKILL)

class DiesOnce(CurveMetric):
    name = "dies_once"
    times = 1

    def values(self, pair):
        die(self.times, self.name)
        return pair.prediction.norm * 0

class DiesAlways(DiesOnce):
    name = "dies_always"
    times = 100

class Aligned(ProductEnsemble):
    def __init__(self):
        if sys.argv[0].endswith("launcher.py"):  # in a worker, and not where the tests run
            die(1, "loading")

    def spinors(self, size, count, generator):
        if count > 4:
            die(1, "training")
        return __import__("numpy").full((count, size, 2), 0.5 ** 0.5 + 0j)

class Hunts(Taylor):
    # Ends the process in which its answer was scored, while it is timed in another one.
    def solve(self, given):
        path = Path({folder!r}, "hunted")
        if not path.exists():
            path.write_text(str(os.getpid()))
        elif path.read_text() not in ("", str(os.getpid())):
            os.kill(int(path.read_text()), signal.SIGKILL)
            path.write_text("")
        return super().solve(given)

@hookimpl
def register_metrics(register):
    register("dies_once", DiesOnce, summary="ends the scorer once")
    register("dies_always", DiesAlways, summary="ends the scorer")

@hookimpl
def register_ensembles(register):
    register("aligned", Aligned, summary="ends the scorer once, when it makes training data")

@hookimpl
def register_solvers(register):
    register("hunts", Hunts, summary="ends its own scored process")
"""

TWICE = """\
import os, signal
from pathlib import Path
from qdynbench import hookimpl
from qdynbench_exact.taylor import Taylor

class Twice(Taylor):
    def __init__(self):
        marker = Path({folder!r}, "died")
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("not this time either")

@hookimpl
def register_solvers(register):
    register("twice", Twice, summary="ends the process that loads it, then fails")
"""


@pytest.fixture
def cells(qdynbench: Command, small_task: Path, tmp_path: Path) -> Callable[..., dict[str, CellRecord]]:
    """Return a function that runs the small task with the deadly plugin and some changes."""
    (tmp_path / "deadly.py").write_text(DEADLY.format(folder=str(tmp_path)))

    def run(*changes: str, solver: str = "ed") -> dict[str, CellRecord]:
        settings = [part for change in ("sizes=[2]", "metrics=[infidelity]", *changes) for part in ("--set", change)]
        done = qdynbench("run", small_task, "--quiet", "--out", "run", "--plugin", "deadly.py", "-s", solver, *settings)
        assert "Traceback" not in done.stderr, done.stderr
        return {cell.solver: cell for cell in Run(tmp_path / "run").cells}

    return run


def test_a_scorer_that_dies_is_started_again_and_the_cell_repeated(cells: Callable[..., dict[str, CellRecord]]) -> None:
    found = cells("metrics=[infidelity, dies_once]")
    assert {cell.status for cell in found.values()} == {Status.OK}
    assert all({score.metric for score in cell.scores} == {"infidelity", "dies_once"} for cell in found.values())


def test_a_scorer_that_dies_again_and_again_is_the_reason(cells: Callable[..., dict[str, CellRecord]]) -> None:
    found = cells("metrics=[infidelity, dies_always]")
    assert {cell.status for cell in found.values()} == {Status.FAILED}
    assert found["ed"].reason == "the scorer died: the worker process ended by SIGKILL"


def test_a_scorer_that_fails_when_it_is_started_again_is_one_line(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    # The second failure came as a traceback of ours.
    (tmp_path / "twice.py").write_text(TWICE.format(folder=str(tmp_path)))
    changes = ["--set", "sizes=[2]", "--set", "reference=twice"]
    done = qdynbench("run", small_task, "--quiet", "--out", "run", "--plugin", "twice.py", "-s", "ed", *changes)
    assert (tmp_path / "died").exists()
    assert done.stderr.startswith("error: ")
    assert "not this time either" in done.stderr
    assert "WorkerFailure" not in done.stderr  # the traceback of the plugin is there
    assert done.returncode == 1


def test_a_scorer_that_dies_during_a_fit_is_started_again(
    cells: Callable[..., dict[str, CellRecord]], tmp_path: Path
) -> None:
    # One death had ended all fits of the run, and one while the task was loaded the run itself.
    found = cells("ensemble=aligned", "states=2", "training={sizes: [2], trajectories: 6, steps: 5, ensemble: aligned}")
    assert {name: cell.status for name, cell in found.items()} == dict.fromkeys(["ed", "persistence", "linear"], "ok")
    assert {path.name for path in tmp_path.iterdir()} >= {"loading", "training"}  # it has died of both


def test_a_worker_that_is_replaced_before_the_echo_is_prepared_first(
    cells: Callable[..., dict[str, CellRecord]],
) -> None:
    # It was asked without `prepare`, and had no problem.
    cell = cells("reference=none", "metrics=[echo_infidelity]", solver="hunts")["hunts"]
    assert (cell.status, cell.notes) == (Status.OK, [])
    assert max(score.value for score in cell.scores if score.metric == "echo_infidelity") < 1e-20
