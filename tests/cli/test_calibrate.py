"""The machine says what it can tell apart, and later runs remember it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench import Run
from qdynbench.analysis.resolution import resolution
from qdynbench.cli import calibrate
from tests.runs import exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_twins_are_raced_and_the_result_stands_in_the_provenance_of_later_runs(
    qdynbench: Command, tmp_path: Path, small_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(calibrate.TASK, "sizes", [4])
    monkeypatch.setitem(calibrate.TASK, "solvers", ["twin", "twin[copy=1]", "twin[slower=1.0]"])
    monkeypatch.setitem(calibrate.TASK, "timing", {"batch_sizes": [1, 64], "rounds": 3, "launches": 3})
    done = qdynbench("calibrate", "--quiet", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "The interval of a ratio of two times is ±" in done.stdout
    assert "of 2 comparisons; 1 in 20 is chance." in done.stdout
    assert "A slowdown of 100% was found in 2 of 2 comparisons." in done.stdout
    assert qdynbench("run", small_task, "--quiet").returncode == 0
    made = json.loads((tmp_path / "runs" / "small" / "run.json").read_text())["provenance"]
    assert made["calibration"]["equals"][1] == 2
    assert made["load"] >= 0


def test_the_resolution_is_read_off_the_intervals(tmp_path: Path) -> None:
    noisy = exact(1e-4, jitter=0.01)
    entries = {
        "twin": {2: exact(1e-4), 3: exact(1e-4)},
        "twin[copy=1]": {2: noisy, 3: noisy},
        "twin[slower=0.05]": {2: exact(1.05e-4), 3: exact(1.05e-4, jitter=0.1)},
    }
    found = resolution(make_run(tmp_path / "run", entries))
    assert found.equals == (6, 6)
    assert found.found == {0.05: (3, 6)}
    assert found.half_widths[0] < 1e-6
    assert found.half_widths[3] == pytest.approx(0.0125, rel=0.1)
    assert found.typical <= found.widest


def test_a_run_that_was_not_timed_resolves_nothing(tmp_path: Path) -> None:
    run: Run = make_run(tmp_path / "run", {"twin": {2: exact(batches=[1])}, "twin[copy=1]": {2: exact(batches=[64])}})
    assert resolution(run).half_widths == ()
