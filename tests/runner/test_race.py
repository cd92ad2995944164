"""What a time means: the result was there, it was the right one, and it rests on launches that ran side by side."""

from __future__ import annotations

import re
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
solvers: [honest, lazy, remembers, oneanswer, silent, repeats, shortens, patches, backwards, forwards, dies]
reference: ed
timing: {batch_sizes: [1, 4], rounds: 3, launches: 3}
limits: {seconds: 60, memory: 2 GB}
"""


def race(qdynbench: Command, folder: Path, ensemble: str) -> dict[str, CellRecord]:
    (folder / "cheats.yaml").write_text(TASK.replace("ENSEMBLE", ensemble))
    done = qdynbench(
        "run", "cheats.yaml", "--plugin", CHEATS, "--quiet", "--threads", "1"
    )  # one lane, so all rounds count
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
    assert "forwards" in cells  # it has only made itself slow
    assert cells["dies"].status is Status.CRASHED
    assert cells["dies"].scores
    assert not cells["dies"].ledger.solve
    expected = {
        "silent": "21 times expected, only 0 came",
        "repeats": "a timed call does not yield what was scored",
        "shortens": "a timed call does not yield what was scored",
        "patches": "the clock of its process runs behind",
        "backwards": "the clock of its process runs behind",
        "oneanswer": "the initial state expected at time index 0" if ensemble == "neel" else "does not yield",
    }
    for name, reason in expected.items():
        assert cells[name].status is Status.INVALID, (name, cells[name])
        assert reason in cells[name].reason, (name, cells[name].reason)
        assert cells[name].scores  # its accuracy stays


RACERS = CHEATS.with_name("racers.py")


def racers(
    qdynbench: Command, folder: Path, solvers: str, sizes: str, timing: str, threads: int = 1
) -> dict[str, list[CellRecord]]:
    """Race solvers that take down what is done to them; return their cells, size by size."""
    text = TASK.replace("ENSEMBLE", "random_product").replace("sizes: [3]", f"sizes: {sizes}")
    (folder / "racers.yaml").write_text(
        re.sub(r"solvers:.*", f"solvers: {solvers}", re.sub(r"timing:.*", timing, text))
    )
    alone = ["--plugin", RACERS, "--quiet", "--threads", str(threads)]  # with one thread, one process a launch
    done = qdynbench("run", "racers.yaml", *alone, RACERS_NOTES=str(folder / "notes"))
    assert done.returncode == 0, done.stderr
    cells = Run(folder / "runs" / "racers").cells
    return {name: [cell for cell in cells if cell.solver == name] for name in {cell.solver for cell in cells}}


def noted(folder: Path, what: str) -> list[list[str]]:
    lines = map(str.split, (folder / "notes").read_text().splitlines())
    return [rest for name, *rest in lines if name == what]


def test_the_first_launch_is_new_at_each_size_and_the_others_stay(qdynbench: Command, tmp_path: Path) -> None:
    cells = racers(qdynbench, tmp_path, "[notes]", "[2, 3]", "timing: {batch_sizes: [1], launches: 4}")
    small, large = ({process for process, size in noted(tmp_path, "notes") if size == each} for each in "23")
    # Those of four launches, and the process that scores; the trial is new.
    assert len(small & large) == 5
    assert len(small) == len(large) == 6
    for cell in cells["notes"]:
        assert len(cell.ledger.starts) == 5
        assert len(cell.ledger.solve[0].launches) == 4
        assert all(start > 0 for start in cell.ledger.starts)


def test_a_solver_that_spins_has_no_core_while_others_are_timed(qdynbench: Command, tmp_path: Path) -> None:
    racers(qdynbench, tmp_path, "[sleeps, spins]", "[2]", "timing: {batch_sizes: [128], rounds: 5, launches: 3}")
    busy = [float(part) for (part,) in noted(tmp_path, "busy")]
    assert len(busy) > 3
    assert sum(part < 0.7 for part in busy) >= 0.8 * len(busy)


def test_calls_and_rounds_are_chosen_after_compilation_which_is_a_cost(qdynbench: Command, tmp_path: Path) -> None:
    timing = "timing: {batch_sizes: [1, 4], rounds: 3, launches: 3, seconds: 0.5}"
    small, large = racers(qdynbench, tmp_path, "[compiles]", "[2, 3]", timing)["compiles"]
    for found in [*small.ledger.solve, *large.ledger.solve]:
        assert found.calls > 10
        assert [len(rounds) for rounds in found.launches] == [3, 3, 3]
        assert found.seconds < 0.05
        assert found.compile_time == pytest.approx(0.3, abs=0.1)


def test_times_of_fewer_states_are_scaled_up(qdynbench: Command, tmp_path: Path) -> None:
    timing = "timing: {batch_sizes: [4, 16], launches: 3, subset: {sleeps: 4}}"
    (cell,) = racers(qdynbench, tmp_path, "[sleeps]", "[2]", timing)["sleeps"]
    whole, scaled = cell.ledger.solve
    assert (whole.extrapolated, scaled.extrapolated) == (False, True)
    assert (whole.timed_states, scaled.timed_states) == (4, 4)
    assert scaled.seconds == pytest.approx(4 * whole.seconds, rel=0.5)  # on a busy machine as well


def test_a_disturbed_trial_does_not_choose_the_number_of_threads(qdynbench: Command, tmp_path: Path) -> None:
    (cell,) = racers(qdynbench, tmp_path, "[gains]", "[2]", "timing: {batch_sizes: [1], launches: 3}", 2)["gains"]
    (found,) = cell.ledger.solve
    assert found.threads == 2
    assert [len(rounds) for rounds in found.launches] == [1, 1, 1]  # it stood in reserve
    assert found.seconds < 24e-3
