"""Solvers that go wrong end as rows with the right status and reason, and the rest of the run finishes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

Command = Callable[..., subprocess.CompletedProcess[str]]

FAULTY = Path(__file__).parents[1] / "data" / "faulty.py"

EXPECTED = {
    "frozen": (Status.OK, ""),
    "peeks": (Status.OK, ""),
    "nan": (Status.INVALID, "nan"),
    "wrongshape": (Status.INVALID, "shape"),
    "wrongfirst": (Status.INVALID, "initial state"),
    "rescales": (Status.INVALID, "states of state 0 deviates by"),
    "short": (Status.INVALID, "only 5 came"),
    "raises": (Status.FAILED, "flux capacitor"),
    "raisesinput": (Status.FAILED, "cannot prepare this"),
    "hangs": (Status.TIMEOUT, "longer than 8 s"),
    "exits": (Status.CRASHED, "exited with status 7"),
    "disconnects": (Status.CRASHED, "closed its connection"),
    "segfaults": (Status.CRASHED, "SIGSEGV"),
    "eatsmemory": (Status.OUT_OF_MEMORY, "more than the limit"),
    "refusesmemory": (Status.OUT_OF_MEMORY, "memory"),
    "unsupporting": (Status.UNSUPPORTED, "only chains of 40 spins"),
    "expensive": (Status.INFEASIBLE, "predicted time"),
    "finishes": (Status.INVALID, "an unexpected message came: Invalid value 'FinishCell'"),
    "answers": (Status.INVALID, "an unexpected message came: Invalid value 'Timed'"),
    "babbles": (Status.INVALID, "something other than a message came"),
    "forges": (Status.INVALID, "shape"),
    "hurries": (Status.INVALID, "an unexpected message came: Invalid value 'Piece'"),
    "needs": (Status.INVALID, "an unexpected message came: Invalid value 'Need'"),
    "unbuilt": (Status.FAILED, "solver 'unbuilt': no licence"),
    "unlabelled": (Status.FAILED, "no label"),
    "sumless": (Status.INVALID, "a sum for each state expected"),
    "weightless": (Status.INVALID, "Expected `int` >= 0"),
    "departs": (Status.CRASHED, "exited with status 5"),  # the memory of another process stood in its row
    "timeless": (Status.INVALID, "Expected `array` of length >= 1"),
    "timely": (Status.INVALID, "calls expected, 1000 came"),
    "overtimes": (Status.INVALID, "those of more came"),
}


def test_every_fault_is_a_row_and_the_rest_finishes(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    arguments = [part for name in EXPECTED for part in ("--solver", name)]
    done = qdynbench(
        *("run", small_task, "--out", "runs/small", "--plugin", FAULTY, "--solver", "ed", *arguments),
        *("--set", "limits.seconds=8", "--set", "sizes=[2]", "--set", "limits.memory=1200000000"),
    )
    assert done.returncode == 1, done.stderr
    run = Run(tmp_path / "runs" / "small")
    cells = {cell.solver: cell for cell in run.cells}
    for name, (status, reason) in EXPECTED.items():
        assert cells[name].status is status, (name, cells[name])
        assert reason in cells[name].reason, (name, cells[name])
        assert name in done.stdout
    assert cells["ed"].status is Status.OK
    assert max(score.value for score in cells["ed"].scores if score.metric == "infidelity") < 1e-24
    assert run.missing == 0
    assert set(run.table.solver) >= {*EXPECTED, "ed"}  # no row is dropped
    assert "goodbye from the solver" in cells["exits"].details
    assert not list(tmp_path.rglob("forged*"))  # nothing that a solver asks for reaches the scorer


def test_an_installed_plugin_that_goes_wrong_in_workers_ends_the_cells_of_no_other(
    qdynbench: Command, small_task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every worker, and the scorer, had imported every installed plugin.
    installed = tmp_path / "site" / "qdbad-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: qdbad\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[qdynbench]\nqdbad = qdbad\n")
    (tmp_path / "site" / "qdbad.py").write_text("import os, sys\nif sys.argv[0].endswith('launcher.py'): os._exit(9)\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    arguments = ("run", small_task, "--quiet", "--out", "run", "--set", "sizes=[2]")
    done = qdynbench(*arguments, PYTHONPATH=str(tmp_path / "site"))
    assert done.returncode == 0, done.stderr


STATIC = """\
from qdynbench import Block, Knowledge, Solver, hookimpl

class Static(Solver):
    knowledge = Knowledge.HAMILTONIAN
    reads_in: str = "prepare"
    def read(self, problem, phase):
        if phase == self.reads_in:
            problem.hamiltonian
    def supports(self, problem):
        self.read(problem, "supports")
    def estimate(self, problem):
        self.read(problem, "estimate")
    def prepare(self, problem):
        super().prepare(problem)
        self.read(problem, "prepare")
    def solve(self, given):
        self.read(self.problem, "solve")
        yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))

@hookimpl
def register_solvers(register):
    register("static", Static, summary="reads one Hamiltonian")
"""


def test_a_driven_model_is_unsupported_by_whoever_reads_one_hamiltonian(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    (tmp_path / "static.py").write_text(STATIC)
    phases = ("supports", "estimate", "prepare", "solve", "never")
    solvers = [part for phase in phases for part in ("--solver", f"static[reads_in={phase}]")]
    done = qdynbench(
        *("run", small_task, "--out", "runs/small", "--quiet", "--plugin", "static.py", *solvers, "--set", "sizes=[2]"),
        *("--set", "model={family: kicked_ising, J: 0.7, b: 0.6, h: 0.3}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path / "runs" / "small")
    for phase in phases:
        cell = run.cell(f"static[reads_in={phase}]", 2, 0)
        assert cell.status is (Status.OK if phase == "never" else Status.UNSUPPORTED), (phase, cell)
        assert phase == "never" or cell.reason == "the model is driven, and this solver evolves under one Hamiltonian"
