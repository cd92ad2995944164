"""`ed` against evolution by scipy's `expm`, closed forms, and itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from qdynbench_exact.ed.solver import ExactDiagonalization
from qdynbench_exact.hamiltonian import quspin_hamiltonian

from qdynbench import PauliSum, Problem
from qdynbench.testing import independent, trajectories

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "ed_vs_numpy.py"


def ising(size: int, g: float = -1.05, h: float = 0.5, *, periodic: bool = False) -> PauliSum:
    bonds = [(site, (site + 1) % size) for site in range(size if periodic else size - 1)]
    return PauliSum.from_terms(
        size,
        [
            *((1.0, "ZZ", bond) for bond in bonds),
            *((g, "X", (site,)) for site in range(size)),
            *((h, "Z", (site,)) for site in range(size)),
        ],
    )


def posed(operator: PauliSum, steps: int, dt: float = 0.002, batch: int = 3) -> Problem:
    return trajectories.posed(operator, dt, steps, batch)


def random_states(size: int, batch: int = 3) -> torch.Tensor:
    return trajectories.random_states(size, batch, seed=1)


def evolve(problem: Problem, states: torch.Tensor, **parameters: str) -> torch.Tensor:
    solver = ExactDiagonalization(**parameters)  # type: ignore[arg-type]  # parametrised
    return trajectories.trajectory(solver, problem, states, contiguous=True)


def expected(problem: Problem, states: torch.Tensor, indices: list[int]) -> torch.Tensor:
    """Return the states at some times from `expm(-i H t)` of a matrix of Kronecker products."""
    assert problem.hamiltonian is not None
    matrix = independent.dense(problem.hamiltonian)
    columns = [states.numpy() @ scipy.linalg.expm(-1j * problem.times[index] * matrix).T for index in indices]
    return torch.from_numpy(np.stack(columns, axis=1))


def error(actual: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(trajectories.errors(actual, wanted).max())


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("mode", ["batched", "per_state"])
def test_agrees_with_expm_to_1e_12_over_500_steps(size: int, mode: str) -> None:
    problem, states = posed(ising(size), 500), random_states(size)
    trajectory = evolve(problem, states, mode=mode)
    assert torch.equal(trajectory[:, 0], states)
    indices = [1, 137, 500]
    assert error(trajectory[:, indices], expected(problem, states, indices)) < 1e-12


@pytest.mark.parametrize("letters", ["XZ", "XYZ"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_bit_order_and_signs_of_asymmetric_hamiltonians(size: int, letters: str) -> None:
    operator = trajectories.random_strings(size, 12, seed=0, letters=letters)
    np.testing.assert_allclose(quspin_hamiltonian(operator).toarray(), independent.dense(operator), atol=1e-13)
    problem = posed(operator, 40, dt=0.05)
    first = torch.zeros(1, 2**size, dtype=torch.complex128)
    first[0, 1] = 1  # the last spin down
    for mode in ("batched", "per_state"):
        trajectory = evolve(problem, first, mode=mode)
        assert error(trajectory[:, [7, 40]], expected(problem, first, [7, 40])) < 1e-12


def test_strings_with_an_even_number_of_y_stay_real() -> None:
    operator = PauliSum.from_terms(3, [(0.7, "YY", (2, 0)), (0.3, "ZYY", (0, 1, 2)), (-0.2, "X", (1,))])
    assert quspin_hamiltonian(operator).toarray().dtype == np.float64
    problem, states = posed(operator, 20, dt=0.1), random_states(3)
    assert error(evolve(problem, states)[:, [20]], expected(problem, states, [20])) < 1e-12


def test_periodic_and_site_dependent() -> None:
    operator = PauliSum.from_terms(
        6,
        [
            *((1 + 0.1 * site, "ZZ", (site, (site + 1) % 6)) for site in range(6)),
            *((-1 + 0.3 * site, "X", (site,)) for site in range(6)),
        ],
    )
    problem, states = posed(operator, 100), random_states(6)
    assert error(evolve(problem, states)[:, [100]], expected(problem, states, [100])) < 1e-12


@pytest.mark.parametrize("operator", [PauliSum(2, ()), PauliSum.from_terms(2, [(0.0, "XY", (0, 1))])])
@pytest.mark.parametrize("mode", ["batched", "per_state"])
def test_nothing_moves_without_a_hamiltonian(operator: PauliSum, mode: str) -> None:
    states = random_states(2)
    trajectory = evolve(posed(operator, 5), states, mode=mode)
    assert error(trajectory, states[:, None].expand(-1, 6, -1)) < 1e-14


def test_rabi_oscillation() -> None:
    """One spin, H = g X, from up: <Z>(t) = cos(2 g t)."""
    problem = posed(PauliSum.from_terms(1, [(1.3, "X", (0,))]), 200, dt=0.05)
    up = torch.tensor([[1, 0]], dtype=torch.complex128)
    weights = evolve(problem, up)[0].abs().square()
    np.testing.assert_allclose(weights[:, 0] - weights[:, 1], np.cos(2 * 1.3 * problem.times), atol=1e-12)


def test_single_precision_keeps_its_promise() -> None:
    problem, states = posed(ising(6), 500), random_states(6)
    trajectory = evolve(problem, states, precision="single")
    assert trajectory.dtype == torch.complex64
    promised = ExactDiagonalization(precision="single").estimate(problem).error
    assert promised is not None
    assert 1e-9 < error(trajectory, evolve(problem, states)) < promised


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("letters", ["XZ", "XYZ"])
def test_small_cases_are_multiplied_as_rows_and_others_as_columns(
    letters: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, states = posed(trajectories.random_strings(3, 12, seed=0, letters=letters), 40, dt=0.05), random_states(3)
    rows = evolve(problem, states, precision=precision)
    monkeypatch.setattr("qdynbench.toolkit.eigenbasis.ROWS_DIMENSION", 0)
    monkeypatch.setattr("qdynbench.toolkit.eigenbasis.ROWS_WORK", 0)
    columns = evolve(problem, states, precision=precision)
    assert rows.dtype is columns.dtype
    assert not torch.equal(rows, columns)
    assert error(rows, columns) < (1e-12 if precision == "double" else 1e-5)


def test_promise_on_a_long_grid() -> None:
    problem, states = posed(ising(4), 50, dt=1000.0), random_states(4)
    # Time reversal: the phases |E| t are of order 1e5, and both ways have their own rounding.
    assert problem.hamiltonian is not None
    forth = evolve(problem, states)[:, -1]
    back = evolve(dataclasses.replace(problem, dynamics=-problem.hamiltonian), forth)[:, -1]
    promised = ExactDiagonalization().estimate(problem).error
    assert promised is not None
    assert error(back, states) < 2 * promised < 1e-8


def test_states_do_not_depend_on_their_batch() -> None:
    # 200 states take several blocks, one state takes one.
    problem, states = posed(ising(7), 500, batch=200), random_states(7, 200)
    together = evolve(problem, states)
    alone = evolve(problem, states[17:18])
    assert error(together[17:18], alone) < 1e-13


def test_per_state_equals_batched_over_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdynbench_exact.ed.solver.PER_STATE_BLOCK_BYTES", 1e5)
    problem, states = posed(ising(5), 300, batch=9), random_states(5, 9)
    assert error(evolve(problem, states, mode="per_state"), evolve(problem, states)) < 1e-13


def test_initial_states_are_left_alone() -> None:
    problem, states = posed(ising(3), 10), random_states(3)
    before = states.clone()
    evolve(problem, states)
    evolve(problem, states, mode="per_state")
    assert torch.equal(states, before)


def test_the_protocol_is_named() -> None:
    assert ExactDiagonalization().label == ""
    assert "state by state" in ExactDiagonalization(mode="per_state").label


def test_forty_spins_are_predicted_to_be_infeasible_without_trying() -> None:
    problem = posed(ising(40), 100, batch=200)
    for mode in ("batched", "per_state"):
        cost = ExactDiagonalization(mode=mode).estimate(problem)
        assert 1e24 < cost.bytes < np.inf
        assert 9 * 2.0**120 < cost.operations < 1e38


def test_the_estimate_is_that_of_diagonalisation_and_products() -> None:
    cost = ExactDiagonalization().estimate(posed(ising(7), 500, batch=256))
    assert 1e7 < cost.bytes < 2e8
    assert 4 * 128**2 * 500 * 256 < cost.operations < 1.1 * 4 * 128**2 * 501 * 256
    lone, larger = (ExactDiagonalization().estimate(posed(ising(size), 2, batch=1)) for size in (7, 8))
    assert 7.5 < larger.operations / lone.operations < 8


def test_per_state_says_what_it_cannot_do() -> None:
    problem = posed(ising(2), 2)
    assert "double" in (ExactDiagonalization(mode="per_state", precision="single").supports(problem) or "")
    assert "CPU" in (ExactDiagonalization(mode="per_state").supports(dataclasses.replace(problem, device="cuda")) or "")


def test_registering_imports_neither_torch_nor_quspin() -> None:
    code = "import sys, qdynbench_exact; sys.exit(bool({'torch', 'quspin', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_slower_than_plain_numpy() -> None:
    """The bar is a ratio of 1; CPU time of a single thread is what other work on the machine disturbs least."""
    command = [sys.executable, str(BENCHMARK), "--rounds", "7", "--threads", "1", "--cpu-time"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    ratio = float(next(line for line in lines if line.startswith("best ratio")).removeprefix("best ratio"))
    assert ratio < 1.25, lines
