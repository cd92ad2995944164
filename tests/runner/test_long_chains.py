"""Chains that have no state vector: 40 spins, as spinors, to solvers that need no more."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.testing.oracles import xx_open_chain

Command = Callable[..., subprocess.CompletedProcess[str]]

with_quimb = pytest.mark.skipif(
    importlib.util.find_spec("quimb") is None, reason="not applicable: quimb is an optional peer"
)
VECTORLESS = Path(__file__).parents[1] / "data" / "vectorless.py"


@pytest.fixture
def long_task(tmp_path: Path) -> Path:
    """Return the XX chain of 40 spins from the Neel state, for a short time."""
    path = tmp_path / "long.yaml"
    path.write_text(
        """\
model: {family: heisenberg, J: 1.0, delta: 0.0}
sizes: [40]
ensemble: neel
times: {dt: 0.1, steps: 3}
reference: none
solvers: [persistence]
timing: {batch_sizes: [1], rounds: 3, seconds: 0.1, launches: 1}
limits: {seconds: 120, memory: 2 GB}
"""
    )
    return path


@with_quimb
def test_tensor_networks_beside_solvers_that_need_the_vector(
    qdynbench: Command, long_task: Path, tmp_path: Path
) -> None:
    tebd = "quimb-tebd[chi=8,order=2,step=0.1]"
    done = qdynbench("run", long_task, "--solver", tebd, "--solver", "ed", "--solver", "ode", COLUMNS="80")
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "long")
    statuses = {cell.solver: cell.status for cell in run.cells}
    assert statuses[tebd] is statuses["persistence"] is Status.OK
    assert statuses["ed"] is statuses["ode"] is Status.INFEASIBLE
    versions = run.record.provenance["versions"]
    assert versions["quimb"] == metadata.version("quimb")  # what any of its plugins requires
    assert versions["quspin"] == metadata.version("quspin")
    exact = xx_open_chain(40, run.task.times.grid())
    found = run.curves.spin_overlap.sel(solver=tebd, size=40).values[0]
    np.testing.assert_allclose(found, (exact * exact[0]).mean(axis=1), atol=1e-3)
    np.testing.assert_allclose(run.curves.magnetization_z.sel(solver=tebd).values, 0, atol=1e-6)
    scored = {score.metric for score in run.cell(tebd, 40, 0).scores}
    assert scored == {"norm_drift", "energy_drift", "charge_drift", "truncation"}
    assert {score.metric for score in run.cell("persistence", 40, 0).scores} == {"norm_drift", "charge_drift"}
    assert run.cell(tebd, 40, 0).ledger.solve
    assert "Overlap of the spins with time 0 against time, 40 spins" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@with_quimb
def test_another_tensor_network_is_the_reference(qdynbench: Command, long_task: Path, tmp_path: Path) -> None:
    reference = "quimb-tebd[chi=2]"
    tebd = "quimb-tebd[order=2,step=0.1,chi=8]"
    done = qdynbench("run", long_task, "--out", "runs/long", "--set", f"reference='{reference}'", "--solver", tebd)
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "long")
    cell = run.cells[0]
    assert cell.reference is not None
    assert "too large for the second method" in cell.reference.uncertified
    assert any("bond dimension reached its limit 2" in note for note in cell.reference.notes)
    scores = {score.metric: score for score in cell.scores}
    assert set(scores) >= {"spin_error", "entropy_error", "magnetization_error_z", "energy_drift", "truncation"}
    assert 1e-8 < scores["spin_error"].value < 1e-2
    assert scores["spin_error"].resolution is None
    assert {"infidelity", "skill"} <= set(cell.left_out)
    assert "° reference quimb-tebd[chi=2] not certified at N = 40" in done.stdout
    assert "reference quimb-tebd[chi=2] at N = 40: bond dimension reached its limit 2" in " ".join(done.stdout.split())


@with_quimb
def test_a_reference_of_observables_is_certified_where_a_second_method_reaches(
    qdynbench: Command, long_task: Path, tmp_path: Path
) -> None:
    done = qdynbench(
        *(
            "run",
            long_task,
            "--out",
            "runs/long",
            "--quiet",
            "--set",
            "sizes=[6]",
            "--set",
            "reference='quimb-tebd[yields=observables]'",
        ),
        *("--solver", "trotter"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "long")
    scores = {score.metric: score for score in run.cell("trotter", 6, 0).scores}
    assert 0 < (scores["spin_error"].resolution or 0) < 1e-5
    assert "infidelity" not in scores


def test_a_solver_is_held_to_what_it_reads(qdynbench: Command, long_task: Path, tmp_path: Path) -> None:
    solvers = [part for name in ("resting", "grasping", "elsewhere", "ed") for part in ("--solver", name)]
    done = qdynbench(
        *("run", long_task, "--out", "runs/long", "--quiet", "--plugin", VECTORLESS, *solvers, "--set", "reference=ed"),
        *("--set", "sizes=[3, 40]", "--set", "ensemble=random_product", "--set", "states=3"),
    )
    assert done.returncode == 1
    run = Run(tmp_path / "runs" / "long")
    resting, grasping, persistence = (run.cell(name, 3, 0) for name in ("resting", "grasping", "persistence"))
    assert resting.status is grasping.status is run.cell("ed", 3, 0).status is Status.OK
    spins = [
        {score.metric: score.value for score in cell.scores}["spin_error"] for cell in (resting, grasping, persistence)
    ]
    assert spins == pytest.approx([spins[0]] * 3, rel=1e-12)
    for size in (3, 40):
        elsewhere = run.cell("elsewhere", size, 0)
        assert elsewhere.status is Status.INVALID
        assert "the initial state expected at time index 0" in elsewhere.reason
    # None of these predicts a cost but `ed` and `persistence`: spinors alone are evolved, vectors are refused.
    assert run.cell("resting", 40, 0).status is run.cell("persistence", 40, 0).status is Status.OK
    assert run.cell("resting", 40, 0).ledger.solve
    unfit = run.cell("grasping", 40, 0)
    assert unfit.status is Status.INFEASIBLE
    assert unfit.reason == "state vectors of 40 spins take 17.6 TB, limit 2.00 GB"
    assert run.cell("ed", 40, 0).status is Status.INFEASIBLE
    assert "predicted memory" in run.cell("ed", 40, 0).reason


def test_vectors_that_do_not_fit_are_not_drawn(qdynbench: Command, long_task: Path, tmp_path: Path) -> None:
    done = qdynbench("run", long_task, "--out", "runs/long", "--quiet", "--set", "ensemble=haar", "--set", "states=2")
    assert done.returncode == 0, done.stdout + done.stderr
    cell = Run(tmp_path / "runs" / "long").cells[0]
    assert cell.status is Status.INFEASIBLE
    assert cell.reason.startswith("the ensemble haar holds no product states: the 2 states of 40 spins")
    assert "take 35.2 TB, limit 2.00 GB" in cell.reason


def test_a_reference_whose_vectors_do_not_fit_is_none(qdynbench: Command, long_task: Path, tmp_path: Path) -> None:
    done = qdynbench(
        "run", long_task, "--out", "runs/long", "--quiet", "--plugin", VECTORLESS, "--set", "reference=grasping"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cell = Run(tmp_path / "runs" / "long").cells[0]
    assert cell.status is Status.OK
    assert cell.reference is not None
    assert cell.reference.missing == "state vectors of 40 spins take 17.6 TB, limit 2.00 GB"
    assert {score.metric for score in cell.scores} == {"norm_drift", "charge_drift"}


def test_no_trajectories_of_40_spins_are_kept(qdynbench: Command, long_task: Path) -> None:
    done = qdynbench("run", long_task, "--out", "runs/long", "--set", "keep={trajectories: 1}", "--set", "states=1")
    assert done.returncode == 2
    assert "keep.trajectories" in done.stderr
    assert "more than 1 GB" in done.stderr


def test_learned_solvers_at_40_spins(qdynbench: Command, long_task: Path, tmp_path: Path) -> None:
    training = "training={sizes: [2], trajectories: 4, steps: 4, model: {family: heisenberg}}"
    learned = [
        "run",
        long_task,
        "--quiet",
        "--out",
        "runs/long",
        "--set",
        "reference=ed",
        "--solver",
        "local-generator",
    ]
    done = qdynbench(*learned, "--set", training)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {cell.solver: cell for cell in Run(tmp_path / "runs" / "long").cells}
    assert cells["local-generator"].status is Status.INFEASIBLE
    assert cells["linear"].status is Status.UNSUPPORTED  # it has a matrix for each size of the training alone
    assert cells["persistence"].reference is not None
    assert cells["persistence"].reference.missing.startswith("predicted memory")
    refused = qdynbench(*learned, "--set", training.replace("[2]", "[2, 40]"))
    assert refused.returncode == 2
    assert "training.sizes: one trajectory of 40 spins takes" in refused.stderr
