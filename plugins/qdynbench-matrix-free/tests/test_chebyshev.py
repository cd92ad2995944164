"""`chebyshev`: its tolerance against scipy's `expm`, stretches, streams, memory, and what it refuses."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_matrix_free import chebyshev
from qdynbench_matrix_free.chebyshev import Chebyshev, count_terms
from scipy.special import jv

from qdynbench import PauliSum, Problem
from qdynbench.testing import ConformanceTests
from qdynbench.testing.exercise import product_initial

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "chebyshev.py"


class TestConformance(ConformanceTests):
    solver = Chebyshev


class TestConformanceSingle(ConformanceTests):
    solver = Chebyshev
    parameters: ClassVar = {"precision": "single", "tolerance": 1e-5}


def pick(models, name: str, size: int):
    return models[name](size, 12) if name == "strings" else models[name](size)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10, 1e-12])
@pytest.mark.parametrize("model", ["strings", "xxz", "kicked"])
def test_tolerance_is_kept_and_used(model, tolerance, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(pick(models, model, 5), dt=0.11, steps=25), product(5)
    found = error(evolve(Chebyshev(tolerance=tolerance), problem, states)[:, -1], exact(problem, states)[:, -1])
    assert 1e-5 * tolerance < found < tolerance


@pytest.mark.parametrize("size", range(1, 10))
def test_all_times_of_all_sizes(size, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["strings"](size, 12), dt=0.05, steps=9), product(size)
    assert error(evolve(Chebyshev(tolerance=1e-11), problem, states), exact(problem, states)) < 1e-11


@pytest.mark.parametrize("size", [3, 7])
def test_single_precision(size, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["strings"](size, 12), dt=0.05, steps=40), product(size)
    solver = Chebyshev(tolerance=1e-5, precision="single")
    assert 1e-9 < error(evolve(solver, problem, states), exact(problem, states)) < 1e-5


def test_stretches_that_do_not_divide_the_grid(monkeypatch, models, posed, evolve, error, product) -> None:
    problem, states = posed(models["xxz"](6), dt=0.02, steps=50), product(6)
    whole = evolve(Chebyshev(tolerance=1e-12), problem, states)
    monkeypatch.setattr(chebyshev, "BLOCK_BYTES", 8 * 3 * 64 * 16.0)
    solver = Chebyshev(tolerance=1e-12)
    parts = evolve(solver, problem, states)
    assert solver._evolutions[0].stretch(3, problem.dt) in {2, 3, 4, 5, 6, 7, 8}
    assert error(parts, whole) < 1e-12


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_streams_of_few_vectors(rows, monkeypatch, models, posed, evolve, error, product) -> None:
    problem, states = posed(models["strings"](6, 12), dt=0.3, steps=7), product(6)
    whole = evolve(Chebyshev(tolerance=1e-12), problem, states)
    monkeypatch.setattr("pauli_kernels._product.operator.LARGEST_IN_CACHE", 0)
    monkeypatch.setattr(chebyshev, "VECTOR_BYTES", rows * 64 * 16.0)
    assert error(evolve(Chebyshev(tolerance=1e-12), problem, states), whole) < 1e-12


@pytest.mark.parametrize("size", [2, 6])
def test_steps_longer_than_a_series(size, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["strings"](size, 12), dt=80.0, steps=2), product(size)
    # scipy's expm loses digits as well, in proportion to |H| t.
    assert error(evolve(Chebyshev(tolerance=1e-9), problem, states), exact(problem, states)) < 1e-9


def test_back_again(models, posed, evolve, error, product) -> None:
    problem, states = posed(models["strings"](11, 12), dt=0.1, steps=12), product(11)
    there = evolve(Chebyshev(), problem, states)[:, -1].clone()
    assert error(there, states) > 0.1
    back = evolve(Chebyshev(), dataclasses.replace(problem, dynamics=-problem.hamiltonian), there)[:, -1]
    assert error(back, states) < 2e-10


@pytest.mark.parametrize("operator", [PauliSum(3, ()), PauliSum(9, ()), PauliSum.from_terms(9, [(0.0, "XY", (0, 1))])])
def test_nothing_moves_without_a_hamiltonian(operator, posed, evolve, error, product) -> None:
    states = product(operator.size)
    trajectory = evolve(Chebyshev(), posed(operator, dt=0.1, steps=4), states)
    assert error(trajectory, states[:, None]) < 1e-14


@pytest.mark.parametrize("z", [0.0, 1e-3, 1.0, 30.0, 200.0])
def test_terms_are_as_few_as_the_bound_allows(z) -> None:
    for tolerance in (1e-3, 1e-9, 1e-15):
        terms = count_terms(z, tolerance)
        tail = 2 * np.abs(jv(np.arange(terms - 1, terms + 300), z))
        assert tail[1:].sum() <= tolerance
        assert terms == 1 or tail.sum() > tolerance


@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-15), ("single", 1e-8), ("double", 2.0)])
def test_tolerances_out_of_reach_are_refused_with_the_figure(precision, tolerance, models, posed) -> None:
    problem = posed(models["xxz"](6), dt=0.01, steps=100)
    reason = Chebyshev(precision=precision, tolerance=tolerance).supports(problem)
    assert reason is not None
    assert f"tolerance={tolerance:g}" in reason


def test_smallest_tolerances_that_are_accepted_are_kept(models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["xxz"](6), dt=0.02, steps=300), product(6)
    for precision in ("double", "single"):
        tolerances = [10 ** (-power / 4) for power in range(64)]
        accepted = [t for t in tolerances if Chebyshev(precision=precision, tolerance=t).supports(problem) is None]
        tolerance = min(accepted)
        found = error(
            evolve(Chebyshev(precision=precision, tolerance=tolerance), problem, states)[:, -1],
            exact(problem, states)[:, -1],
        )
        assert found < tolerance


def test_memory_at_20_spins_is_at_most_8_states_and_as_predicted() -> None:
    command = [sys.executable, str(BENCHMARK), "--part", "memory"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    used, predicted = map(float, re.findall(r"(?:took|predicted) ([0-9.]+)", done.stdout))
    # The caller's state, which is one of the eight, is in neither figure.
    assert predicted <= 7
    assert used == pytest.approx(predicted, abs=0.6)


def test_the_estimate_grows_with_the_state_and_the_time(models, posed) -> None:
    def operations(size: int, steps: int) -> float:
        return Chebyshev().estimate(posed(models["xxz"](size), dt=0.05, steps=steps)).operations

    # By the amplitudes, the flips of a string more in each row, and the norm of H.
    assert 16 < operations(16, 40) / operations(12, 40) < 32
    assert 8 < operations(12, 400) / operations(12, 40) < 15


def test_any_size_can_be_asked_for() -> None:
    operator = PauliSum.from_terms(40, [(1.0, "XX", (i, i + 1)) for i in range(39)])
    cost = Chebyshev().estimate(Problem(size=40, times=np.linspace(0, 1, 11), dynamics=operator))
    assert 16 * 2**40 < cost.bytes < 1e15
    assert 100 * 2.0**40 < cost.operations < 1e20
    assert cost.error == 1e-10


def test_states_of_one_batch_share_nothing(models, posed, evolve, error) -> None:
    problem = posed(models["xxz"](7), dt=0.01, steps=60, batch=70)
    states = product_initial(7, 70, seed=9).states
    together = evolve(Chebyshev(), problem, states)
    alone = evolve(Chebyshev(), problem, states[41:42])
    # Another batch may have another stretch, within the same tolerance.
    assert error(together[41:42], alone) < 2e-10
    assert torch.equal(together[:, 0], states)


def test_registering_imports_neither_torch_nor_numba() -> None:
    code = "import sys, qdynbench_matrix_free; sys.exit(bool({'torch', 'numba', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
