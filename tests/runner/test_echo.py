"""Forward and back: what an echo tells where no reference does, and that it costs a cell nothing when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qdynbench.contract.problem import Problem
from qdynbench.physics.drive import Drive, Segment
from qdynbench.physics.operators import PauliSum
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status

ECHOING = Path(__file__).parents[1] / "data" / "echoing.py"
KICKED = "model={family: kicked_ising, J: 0.7, b: 0.6, h: 0.3}"


def echo(cell: CellRecord) -> float | None:
    found = [score for score in cell.scores if score.metric == "echo_infidelity"]
    assert len(found) == ("echo_infidelity" not in cell.left_out)
    assert all(score.step is None for score in found)
    return found[0].value if found else None


def test_what_does_not_return_shows_where_there_is_no_reference(qdynbench, small_task, tmp_path):
    loose, tight = "chebyshev[tolerance=1e-4]", "chebyshev[tolerance=1e-11]"
    done = qdynbench(
        *("run", small_task, "--plugin", ECHOING, "--set", "reference=none", "--set", "times.steps=40"),
        *("--set", "sizes=[3]", "--solver", "euler", "--solver", "observing", "--solver", loose, "--solver", tight),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "small")
    found = {cell.solver: echo(cell) for cell in run.cells}
    assert found["persistence"] is found["observing"] is None  # blind, and without states
    assert found["euler"] > 1e-4
    assert {score.metric: score.value for score in run.cell("euler", 3, 0).scores}["norm_drift"] < 1e-12
    assert 1e-22 < found["chebyshev[tolerance=0.0001]"] < 1e-7  # at most the square of twice the tolerance
    assert found["chebyshev[tolerance=1e-11]"] < 1e-21
    values = run.curves.echo_infidelity.sel(solver="euler", size=3).values
    assert np.isfinite(values).sum() == 4
    assert "echo infidelity" in done.stdout
    assert all(cell.ledger.solve and not cell.notes for cell in run.cells)


def test_a_drive_is_followed_back_with_its_kicks(qdynbench, small_task, tmp_path):
    done = qdynbench(
        *("run", small_task, "--quiet", "--set", KICKED, "--set", "times={dt: 0.3, steps: 10}"),
        *("--set", "reference=none", "--solver", "ed", "--solver", "chebyshev[tolerance=1e-10]", "--solver", "ode"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for cell in Run(tmp_path / "runs" / "small").cells:
        if cell.solver != "persistence":
            assert echo(cell) < 1e-15, cell.solver


def test_beside_a_reference_only_on_request(qdynbench, small_task, tmp_path):
    assert qdynbench("run", small_task, "--quiet").returncode == 0
    assert all(echo(cell) is None for cell in Run(tmp_path / "runs" / "small").cells)
    asked = qdynbench("run", small_task, "--quiet", "--set", "metrics=[infidelity, echo_infidelity]", "--out", "asked")
    assert asked.returncode == 0, asked.stderr
    cell = Run(tmp_path / "asked").cell("ed", 3, 0)
    assert echo(cell) < 1e-24
    assert [score.metric for score in cell.scores] == ["infidelity", "echo_infidelity"]


@pytest.mark.parametrize(
    ("solver", "reason"),
    [
        ("sulking", "no echo: failed: ValueError: not under this Hamiltonian"),
        ("dawdling", "no echo: timeout: echo took"),
    ],
)
def test_a_failed_echo_costs_nothing_else(qdynbench, small_task, tmp_path, solver, reason):
    done = qdynbench(
        *("run", small_task, "--plugin", ECHOING, "--set", "reference=none", "--set", "limits.seconds=10"),
        *("--solver", solver, "--set", "sizes=[2, 3]" if solver == "sulking" else "sizes=[2]"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for cell in Run(tmp_path / "runs" / "small").cells:
        assert cell.status is Status.OK
        assert echo(cell) is None
        assert cell.ledger.solve
        assert {score.metric for score in cell.scores} >= {"norm_drift"}
        if cell.solver == solver:
            assert cell.notes[0].startswith(reason)
    assert reason in " ".join(done.stdout.split())


def test_a_drive_backwards_undoes_every_step_last_first():
    field, kick = (PauliSum.from_terms(1, [(c, "X", (0,))]) for c in (0.5, 0.7))
    drive = Drive((Segment(field, 0.5), Segment(kick, 0.0, kick=0.3), Segment(kick, 0.25)))
    there = Problem(1, np.linspace(0, 1.5, 7), drive=drive)
    back = there.backward()
    assert [h.terms[0].coefficient for h in back.hamiltonians] == [-0.5, -0.7, -0.7]
    for step in range(there.steps):
        undone = back.pieces(there.steps - 1 - step)
        assert [k for k, _ in undone] == [k for k, _ in there.pieces(step)][::-1]
        assert [s for _, s in undone] == pytest.approx([s for _, s in there.pieces(step)][::-1])
    assert Drive.from_json(json.loads(json.dumps(back.drive.to_json()))) == back.drive
    static = Problem(1, np.linspace(0, 1, 3), field).backward()
    assert static.hamiltonian == -field
