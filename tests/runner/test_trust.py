"""What the accuracy of a row rests on: a certified reference, none at all, and what the solver itself remarks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qdynbench.record.results import Run

Command = Callable[..., subprocess.CompletedProcess[str]]

REMARKS = Path(__file__).parents[1] / "data" / "remarks.py"


def resolutions(run: Run, metric: str) -> list[float]:
    return run.table.query(f"metric == '{metric}'").resolution.tolist()


def test_a_reference_that_is_wrong_resolves_no_more_than_its_error(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    single = "ed[precision=single]"
    fixed = ["run", small_task, "--quiet", "--set", "timing.rounds=3", "--set", f"solvers=[ed, '{single}']"]
    for reference, out in (("ed", "sound"), (single, "wrong")):
        done = qdynbench(*fixed, "--set", f"reference={reference}", "--out", out)
        assert done.returncode == 0, done.stderr
    sound, wrong = Run(tmp_path / "sound"), Run(tmp_path / "wrong")
    assert max(resolutions(sound, "infidelity")) < 1e-26
    # Single precision has errors of 1e-8 to 1e-6 in an amplitude; the infidelity is of second order in these.
    assert 1e-17 < min(resolutions(wrong, "infidelity")) < max(resolutions(wrong, "infidelity")) < 1e-11
    assert 1e-9 < min(resolutions(wrong, "magnetization_error_x")) < 1e-5
    assert np.isnan(resolutions(wrong, "energy_drift")).all()  # does not look at the reference
    exact = wrong.cell("ed", 3, 0)
    shown = qdynbench("report", "wrong").stdout
    infidelity = next(score for score in exact.scores if score.metric == "infidelity")
    assert infidelity.resolution is not None
    assert infidelity.resolution == 4 * (infidelity.reference_error or 0)
    assert infidelity.unresolved
    assert not [power for power in range(20, 40) if f"e-{power}" in shown]
    assert exact.reference is not None
    assert exact.reference.method == "scipy expm_multiply on a sparse matrix, every step"
    assert exact.reference.states == 4


@pytest.mark.parametrize("why", ["none", "infeasible"])
def test_without_a_reference_what_needs_none_is_scored_and_named(
    qdynbench: Command, small_task: Path, tmp_path: Path, why: str
) -> None:
    choice = {
        "none": ["--set", "reference=none"],
        "infeasible": ["--plugin", REMARKS.with_name("faulty.py"), "--set", "reference=expensive"],
    }[why]
    model = "model={family: ising, J: 1.0, g: -1.05, h: 0}"  # conserves the product of all X
    done = qdynbench("run", small_task, "--out", "runs/small", *choice, "--set", model)
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "small")
    cell = run.cell("ed", 3, 0)
    reason = {"none": "the task names none", "infeasible": "predicted time"}
    assert cell.reference is not None
    assert reason[why] in cell.reference.missing
    scores = {score.metric: score.value for score in cell.scores}
    assert set(scores) == {"norm_drift", "energy_drift", "energy_variance_drift", "charge_drift", "echo_infidelity"}
    assert max(scores.values()) < 1e-12
    assert {"infidelity", "skill", "truncation"} <= set(cell.left_out)
    assert "no reference at N = 2, 3" in done.stdout
    assert "charge drift" in done.stdout
    assert cell.ledger.solve  # it is timed all the same


def test_training_needs_a_reference(qdynbench: Command, small_task: Path) -> None:
    training = "training={sizes: [2], trajectories: 4, steps: 5}"
    done = qdynbench("run", small_task, "--out", "runs/small", "--set", "reference=none", "--set", training)
    assert done.returncode == 2
    assert "made by the reference, and the task has none" in done.stderr


def test_remarks_of_a_solver_stand_in_its_row_and_in_the_report(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    solvers = ["--solver", "remarking", "--solver", "truncating", "--plugin", REMARKS]
    done = qdynbench("run", small_task, "--out", "runs/small", *solvers, "--set", "timing.batch_sizes=[2]")
    assert done.returncode == 0, done.stderr
    run = Run(tmp_path / "runs" / "small")
    # Two batches of two states are scored after a first call, and each call has notes of its own.
    note = "bond dimension reached its limit 8 at step 3"
    assert run.cell("remarking", 2, 0).notes == [note]
    assert f"remarking at N = 2, 3: {note}" in done.stdout
    assert run.cell("truncating", 2, 0).notes == []
    weights = run.table.query("metric == 'truncation'").set_index("solver").value
    assert weights.to_dict() == {"truncating": pytest.approx(5e-3)}
    assert "infidelity" in {score.metric for score in run.cell("truncating", 2, 0).scores}
