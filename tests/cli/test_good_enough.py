"""What is good enough, and by which error, is the user's to say: `--metric` and `--tolerance`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
SOLVERS = ("--solver", "ed", "--solver", "trotter[order=2]", "--solver", "persistence")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def trotter(qdynbench: Command, small_task: Path) -> Callable[..., str]:
    """Return a function that shows a run of a product formula with an error of some 1e-3 of the spins."""
    fixed = ["run", small_task, "--out", "small", "--set", "times.dt=0.1", *SOLVERS]
    assert qdynbench(*fixed).returncode == 0

    def shown(*arguments: object) -> str:
        done = qdynbench(*(arguments if "compare" in arguments else ("report", "small", *arguments)))
        assert done.returncode == 0, done.stderr
        return words(done.stdout)

    return shown


def test_solvers_are_compared_by_the_error_that_is_asked_for(trotter: Callable[..., str]) -> None:
    assert "The fastest solver as accurate as ed" in trotter()
    by_spins = trotter("--metric", "spin_error", "--tolerance", "0.1")
    assert "The fastest solver with a spin error of at most 1e-1" in by_spins
    assert "solver N spin error 1 state" in by_spins
    assert "Spin error against time" in by_spins
    pair = ("compare", "trotter[order=2]", "ed", "--run", "small")
    strict, loose = (
        trotter(*pair, "--metric", "spin_error"),
        trotter(*pair, "--metric", "spin_error", "--tolerance", "0.1"),
    )
    assert "less accurate" in strict
    assert "equally accurate" not in strict
    assert "2 spins spin error" in loose
    assert "less accurate" not in loose


def test_a_solver_that_cannot_reach_the_tolerance_is_not_the_fastest(trotter: Callable[..., str]) -> None:
    strict = trotter("--metric", "spin_error", "--tolerance", "1e-9", "--quiet")
    assert strict.startswith("The fastest solver with a spin error of at most 1e-9, 2 states a call: ed at N = 2, 3.")


def test_a_solver_no_better_than_standing_still_is_wrong_and_not_slow(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    (tmp_path / "backward.py").write_text(
        """\
from qdynbench import Block, Knowledge, Solver, hookimpl
import torch

class Backward(Solver):
    \"""Evolves under -H.\"""

    knowledge = Knowledge.HAMILTONIAN

    def prepare(self, problem):
        super().prepare(problem)
        matrix = torch.as_tensor(problem.hamiltonian.to_dense(), dtype=torch.complex128)
        self.step = torch.linalg.matrix_exp(1j * problem.dt * matrix).T

    def solve(self, given):
        psi = given.states
        yield Block(0, psi[:, None])
        for number in range(self.problem.steps):
            psi = psi @ self.step
            yield Block(number + 1, psi[:, None])

@hookimpl
def register_solvers(register):
    register("backward", Backward, summary="has the sign of H wrong")
"""
    )
    options = ["--plugin", "backward.py", "--solver", "backward", *SOLVERS, "--set", "times.dt=0.05"]
    done = qdynbench("run", small_task, "--out", "small", *options, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "backward is wrong at N = 2, 3: no better than standing still." in words(done.stdout)
    compared = words(qdynbench("compare", "backward", "ed", "--run", "small").stdout)
    assert "backward is wrong at N = 2, 3: no better than standing still." in compared
    assert "times faster" not in compared.partition("backward against ed:")[2]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("valid_time", "of this the larger is the better"),
        ("spin_eror", "did you mean 'spin_error'?"),
        ("energy_drift", ""),
    ],
)
def test_a_metric_that_cannot_decide_is_refused_before_anything_runs(
    qdynbench: Command, small_task: Path, metric: str, expected: str
) -> None:
    done = qdynbench("run", small_task, "--metric", metric, "--dry-run")
    assert (done.returncode, expected in done.stderr) == (2 if expected else 0, True)
    few = qdynbench("run", small_task, "--metric", metric, "--set", "metrics=[infidelity]", "--dry-run")
    assert few.returncode == 2
    assert "spin_eror" in few.stderr or "larger" in few.stderr or "does not measure it" in few.stderr
