"""What a time means: the result was there, it was the right one, and it rests on launches that ran side by side."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench import Run, Status
from qdynbench.record.schema import CellRecord

Command = Callable[..., subprocess.CompletedProcess[str]]
CHEATS = Path(__file__).parents[1] / "data" / "cheats.py"
WORK = 0.003
"""Seconds of honest work of every call."""

TASK = """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [3]
ensemble: ENSEMBLE
times: {dt: 0.05, steps: 20}
states: 4
solvers: [honest, lazy, remembers, oneanswer, silent, repeats, shortens, patches, dies]
reference: ed
timing: {batch_sizes: [1, 4], rounds: 3, launches: 3}
limits: {seconds: 60, memory: 2 GB}
"""


def race(qdynbench: Command, folder: Path, ensemble: str) -> dict[str, CellRecord]:
    (folder / "cheats.yaml").write_text(TASK.replace("ENSEMBLE", ensemble))
    done = qdynbench("run", "cheats.yaml", "--plugin", CHEATS, "--quiet")
    assert done.returncode == 1, done.stderr
    return {cell.solver: cell for cell in Run(folder / "runs" / "cheats").cells}


@pytest.mark.parametrize("ensemble", ["random_product", "neel"])
def test_cheats_are_caught_or_timed_for_what_they_cost(qdynbench: Command, tmp_path: Path, ensemble: str) -> None:
    cells = race(qdynbench, tmp_path, ensemble)
    for name in ("honest", "lazy", "remembers"):
        assert cells[name].status is Status.OK, cells[name].reason
        for timing in cells[name].ledger.solve:
            assert WORK < timing.seconds < 10 * WORK
            assert [len(rounds) for rounds in timing.launches] == [3, 3, 3]
    assert cells["dies"].status is Status.CRASHED
    assert cells["dies"].scores
    assert not cells["dies"].ledger.solve
    expected = {
        "silent": "21 times expected, only 0 came",
        "repeats": "a timed call does not yield what the same call yields without a clock",
        "shortens": "a timed call does not yield what the same call yields without a clock",
        "patches": "the clock of its process runs behind",
        "oneanswer": "the initial state expected at time index 0" if ensemble == "neel" else "does not yield",
    }
    for name, reason in expected.items():
        assert cells[name].status is Status.INVALID, (name, cells[name])
        assert reason in cells[name].reason, (name, cells[name].reason)
        assert cells[name].scores  # its accuracy stays
