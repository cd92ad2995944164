"""A run stays what it was: what is there is kept and shown, and results are never replaced unasked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.record.results import Run
from qdynbench.runner.earlier import differences

Command = Callable[..., subprocess.CompletedProcess[str]]

TASK = """\
model: {family: ising, g: -1.05}
sizes: [2, 3]
times: {dt: 0.01, steps: 3}
states: 2
solvers: [ed]
timing: {batch_sizes: [1], rounds: 1, launches: 1}
limits: {seconds: 60, memory: 2 GB}
"""
PLUGIN = """\
from qdynbench import Block, Knowledge, Solver, hookimpl

class Still(Solver):
    knowledge = Knowledge.TRAJECTORIES
    fails: bool = False
    def solve(self, given):
        from qdtest_helper import factor
        if self.fails:
            raise ValueError("not yet")
        yield Block(0, factor * given.states[:, None].expand(-1, self.problem.steps + 1, -1))

@hookimpl
def register_solvers(register):
    register("still", Still, summary="nothing moves")
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    path = tmp_path / "chain.yaml"
    path.write_text(TASK)
    (tmp_path / "still.py").write_text(PLUGIN)
    (tmp_path / "qdtest_helper.py").write_text("factor = 1\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").iterdir()}


def names(folder: Path) -> list[str]:
    return list(dict.fromkeys(cell.solver for cell in Run(folder).cells))


def test_a_comparison_measures_what_is_missing_as_the_rest_was_and_nothing_else(
    qdynbench: Command, task: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "one"
    ran = qdynbench("run", task, "-q", "--threads", 1, "--plugin", "still.py", "-s", "ed", "-s", "still", "-o", folder)
    assert ran.returncode == 0, ran.stderr
    before = contents(folder)
    # The plugin is known to the run, and may be named again.
    done = qdynbench("compare", "taylor", "still", "--run", folder, "--plugin", "still.py")
    assert done.returncode == 0, done.stderr
    after = contents(folder)
    assert before.items() < after.items()
    assert len(after) == len(before) + 2
    assert Run(folder).record.provenance["threads"] == 1
    assert names(folder) == ["ed", "still", "persistence", "taylor"]
    assert "‡ timed in different races" in done.stdout
    # Code that has changed since is no reason to measure again what is there, and cannot be mixed with it.
    (tmp_path / "qdtest_helper.py").write_text("factor = 1.0\n")
    assert qdynbench("compare", "still", "ed", "--run", folder).returncode == 0
    next((folder / "cells").glob("still-n3*")).unlink()
    refused = qdynbench("compare", "still", "ed", "--run", folder, "--plugin", "still.py")
    assert refused.returncode == 2
    assert "still: 1 result in" in refused.stderr
    assert "`qdynbench run` measures them again" in refused.stderr
    assert {name for name in after if "still-n3" not in name} == set(contents(folder))


def test_a_run_that_would_replace_results_is_refused_and_says_what_differs(
    qdynbench: Command, task: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "one"
    assert qdynbench("run", task, "-q", "--threads", 1, "-o", folder).returncode == 0
    before = contents(folder)
    again = ["run", task, "-q", "-o", folder, "--set", "model.g=0.3", "--set", "states=3", "--threads"]
    refused = qdynbench(*again, 1, "-s", "taylor")
    assert refused.returncode == 2
    for part in ("model.g: -1.05 there, 0.3 here", "states: 2 there, 3 here", "--out", "--fresh"):
        assert part in refused.stderr
    assert "threads" not in refused.stderr
    assert contents(folder) == before
    changed = task.with_name("changed.yaml")
    changed.write_text(TASK.replace("states: 2", "name: chain\nstates: 3"))
    assert qdynbench("run", task, "-q", "--threads", 1).returncode == 0  # in runs/chain
    compared = qdynbench("compare", "persistence", "ed", "--run", changed)
    assert compared.returncode == 2
    assert "states: 2 there, 3 here" in compared.stderr
    assert qdynbench(*again, 1, "--fresh").returncode == 0
    assert Run(folder).task.states == 3


def test_other_solvers_and_sizes_join_a_run_and_hide_none(qdynbench: Command, task: Path, tmp_path: Path) -> None:
    assert qdynbench("run", task, "-q", "-s", "ed", "-s", "taylor").returncode == 0
    folder = tmp_path / "runs" / "chain"
    before = contents(folder)
    done = qdynbench("run", task, "-s", "krylov", "--set", "sizes=[3, 4]")
    assert done.returncode == 0, done.stderr
    assert before.items() <= contents(folder).items()
    run = Run(folder)
    assert run.task.solvers == ["ed", "taylor", "persistence", "krylov"]
    assert run.task.sizes == [2, 3, 4]
    assert run.missing == 0
    assert {(cell.solver, cell.size) for cell in run.cells if cell.size == 4} == {("krylov", 4), ("persistence", 4)}
    assert "taylor" in done.stdout


def test_a_solver_that_was_edited_is_measured_again_in_place(qdynbench: Command, task: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    command = ["run", task, "--plugin", "still.py", "-s", "still", "-s", "still[fails=true]", "-s", "ed", "-o", folder]
    assert qdynbench(*command).returncode == 1
    before = contents(folder)
    (tmp_path / "qdtest_helper.py").write_text("factor = 1j\n")  # a neighbour that is imported within a function
    done = qdynbench(*command)
    assert "still: 2 results of other code will be measured again" in done.stderr
    after = contents(folder)
    assert {name.split("-")[0] for name in before if after[name] != before[name]} == {"still", "still_fails=true"}


def test_more_time_goes_on_with_what_was_finished(qdynbench: Command, task: Path, tmp_path: Path) -> None:
    assert qdynbench("run", task, "-q").returncode == 0
    before = contents(tmp_path / "runs" / "chain")
    assert qdynbench("run", task, "-q", "--set", "limits.seconds=90").returncode == 0
    assert contents(tmp_path / "runs" / "chain") == before
    assert Run(tmp_path / "runs" / "chain").task.limits.seconds == 90


def test_a_scan_has_a_folder_for_each_value(qdynbench: Command, task: Path, tmp_path: Path) -> None:
    for value in ("0.3", "[0.1, 0.2]"):
        assert qdynbench("run", task, "-q", "--set", f"model.g={value}", "--set", "sizes=[2]").returncode == 0
    found = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert found == ["chain-model.g=0.3", "chain-model.g=_0.1_0.2"]
    shown = qdynbench("report", "chain-model.g=0.3", COLUMNS="160").stdout
    assert "ising: J 1, g 0.3, h 0, boundary open" in shown  # defaults too


def test_differences_are_named_by_their_keys() -> None:
    before = {"times": {"dt": 0.1, "steps": 5}, "metrics": "all", "code": {"qdynbench": "a", "model x": "b"}}
    now = {"times": {"dt": 0.2, "steps": 5}, "training": None, "metrics": ["x" * 80], "code": {"qdynbench": "c"}}
    times, metrics, core, model = differences(before, now)
    assert times == "times.dt: 0.1 there, 0.2 here"
    assert metrics.startswith("metrics: all there, [")
    assert len(metrics) < 100
    assert core == "the code of qdynbench has changed"
    assert model == "the code of model x is in that run alone"
