"""Forward and back: what an echo tells where no reference does, and that it costs a cell nothing when it fails."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status

Command = Callable[..., subprocess.CompletedProcess[str]]

ECHOING = Path(__file__).parents[1] / "data" / "echoing.py"
KICKED = "model={family: kicked_ising, J: 0.7, b: 0.6, h: 0.3}"


def echo(cell: CellRecord) -> float:
    """Return the score of the echo, nan where there is none."""
    found = [score for score in cell.scores if score.metric == "echo_infidelity"]
    assert len(found) == ("echo_infidelity" not in cell.left_out)
    assert all(score.step is None for score in found)
    return found[0].value if found else math.nan


def test_what_does_not_return_shows_where_there_is_no_reference(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    loose, tight = "chebyshev[tolerance=1e-4]", "chebyshev[tolerance=1e-11]"
    done = qdynbench(
        *(
            "run",
            small_task,
            "--out",
            "runs/small",
            "--plugin",
            ECHOING,
            "--set",
            "reference=none",
            "--set",
            "times.steps=40",
        ),
        *("--set", "sizes=[3]", "--solver", "euler", "--solver", "observing", "--solver", loose, "--solver", tight),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "small")
    found = {cell.solver: echo(cell) for cell in run.cells}
    assert math.isnan(found["persistence"])  # it is blind
    assert math.isnan(found["observing"])  # it yields no states
    assert found["euler"] > 1e-4
    assert {score.metric: score.value for score in run.cell("euler", 3, 0).scores}["norm_drift"] < 1e-12
    assert 1e-22 < found["chebyshev[tolerance=0.0001]"] < 1e-7  # at most the square of twice the tolerance
    assert found["chebyshev[tolerance=1e-11]"] < 1e-21
    values = run.curves.echo_infidelity.sel(solver="euler", size=3).values
    assert np.isfinite(values).sum() == 4
    assert "echo infidelity" in done.stdout
    assert all(cell.ledger.solve and not cell.notes for cell in run.cells)


def test_a_drive_is_followed_back_with_its_kicks(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    done = qdynbench(
        *("run", small_task, "--out", "runs/small", "--quiet", "--set", KICKED, "--set", "times={dt: 0.3, steps: 10}"),
        *("--set", "reference=none", "--solver", "ed", "--solver", "chebyshev[tolerance=1e-10]", "--solver", "ode"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for cell in Run(tmp_path / "runs" / "small").cells:
        if cell.solver != "persistence":
            assert echo(cell) < 1e-15, cell.solver


def test_beside_a_reference_only_on_request(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    assert qdynbench("run", small_task, "--quiet").returncode == 0
    assert all(math.isnan(echo(cell)) for cell in Run(tmp_path / "runs" / "small").cells)
    asked = qdynbench("run", small_task, "--quiet", "--set", "metrics=[infidelity, echo_infidelity]", "--out", "asked")
    assert asked.returncode == 0, asked.stderr
    cell = Run(tmp_path / "asked").cell("ed", 3, 0)
    assert echo(cell) < 1e-24
    assert [score.metric for score in cell.scores] == ["infidelity", "echo_infidelity"]


def test_a_failed_echo_costs_nothing_else(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    done = qdynbench(
        *(
            "run",
            small_task,
            "--out",
            "runs/small",
            "--plugin",
            ECHOING,
            "--set",
            "reference=none",
            "--set",
            "limits.seconds=10",
        ),
        *("--solver", "sulking", "--solver", "dawdling"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "small")
    failed = "no echo: failed: ValueError: not under this Hamiltonian"
    for size in (2, 3):
        assert run.cell("sulking", size, 0).notes == [failed]
    assert run.cell("dawdling", 2, 0).notes[0].startswith("no echo: timeout: echo took longer than 10 s")
    assert echo(run.cell("dawdling", 3, 0)) > 0  # its process was started anew
    for cell in run.cells:
        assert cell.status is Status.OK
        assert math.isnan(echo(cell)) or not cell.notes
        assert cell.ledger.solve
        assert {score.metric for score in cell.scores} >= {"norm_drift"}
    assert failed in " ".join(done.stdout.split())


FULL = """\
from pathlib import Path
from qdynbench import hookimpl
from qdynbench_exact.taylor import Taylor

class Fills(Taylor):
    # Is in the way of the file of curves that the echo is added to.
    def prepare(self, problem):
        super().prepare(problem)
        for curves in Path({folder!r}).rglob("*.npz"):
            curves.with_name(curves.name + ".partial").mkdir(exist_ok=True)

@hookimpl
def register_solvers(register):
    register("fills", Fills, summary="fills the disk")
"""


def test_a_disk_that_does_not_take_the_echo_ends_the_run(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    # The cell was complete without its echo, for good and without a message.
    (tmp_path / "fills.py").write_text(FULL.format(folder=str(tmp_path / "run")))
    settings = ("--set", "sizes=[2]", "--set", "reference=none", "--set", "metrics=[echo_infidelity]")
    done = qdynbench("run", small_task, "--quiet", "--out", "run", "--plugin", "fills.py", "-s", "fills", *settings)
    assert done.returncode == 1
    assert "run the same command again to go on" in done.stderr.replace("\n", " ")
