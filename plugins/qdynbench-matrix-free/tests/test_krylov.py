"""`krylov`: its tolerance and the error bound that it reports, against scipy's `expm`."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_matrix_free import krylov
from qdynbench_matrix_free.krylov import Krylov

from qdynbench import Given, Initial, PauliSum, Problem
from qdynbench.testing import ConformanceTests
from qdynbench.testing.exercise import product_initial


class TestConformance(ConformanceTests):
    solver = Krylov


class TestConformanceSingle(ConformanceTests):
    solver = Krylov
    parameters: ClassVar = {"precision": "single", "tolerance": 1e-5}


def pick(models, name: str, size: int):
    return models[name](size, 12) if name == "strings" else models[name](size)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
@pytest.mark.parametrize("model", ["strings", "xxz", "kicked"])
def test_bound_holds_and_is_close(model, tolerance, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(pick(models, model, 6), dt=0.11, steps=25), product(6, 1)
    solver = Krylov(tolerance=tolerance)
    found = error(evolve(solver, problem, states)[:, -1], exact(problem, states)[:, -1])
    assert 1e-5 * tolerance < found <= solver.error_bound * (1 + 1e-6) + 1e-13
    assert solver.error_bound < tolerance
    assert solver.error_bound < 100 * found


@pytest.mark.parametrize("size", range(1, 10))
def test_all_times_of_all_sizes(size, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["strings"](size, 12), dt=0.05, steps=9), product(size)
    assert error(evolve(Krylov(tolerance=1e-11), problem, states), exact(problem, states)) < 1e-11


@pytest.mark.parametrize("dimension", [5, 12])
def test_small_spaces_take_more_of_them(dimension, models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["xxz"](6), dt=0.4, steps=3), product(6)
    solver = Krylov(tolerance=1e-6, dimension=dimension)
    found = error(evolve(solver, problem, states)[:, -1], exact(problem, states)[:, -1])
    assert found <= solver.error_bound * (1 + 1e-6) + 1e-13 < 1e-6


def test_the_bound_belongs_to_the_last_solve(models, posed, evolve, product) -> None:
    problem, states = posed(models["xxz"](6), dt=0.1, steps=10), product(6)
    solver = Krylov(tolerance=1e-6)
    evolve(solver, problem, states)
    first = solver.error_bound
    given = Given(Initial(states))
    for _ in solver.solve(given):
        pass
    assert solver.error_bound == pytest.approx(first, rel=1e-6)
    assert first > 0
    [said] = re.findall(r"2-norm error at most (\S+) by its own bound", given.notes[-1])
    assert first <= float(said) < 2 * first


def test_groups_of_states_are_evolved_alike(monkeypatch, models, posed, evolve, error, product) -> None:
    problem, states = posed(models["strings"](6, 12), dt=0.1, steps=11), product(6, 7)
    together = evolve(Krylov(tolerance=1e-12), problem, states)
    monkeypatch.setattr(krylov, "BASIS_BYTES", 2 * 31 * 64 * 16.0)
    assert error(evolve(Krylov(tolerance=1e-12), problem, states), together) < 1e-12


def test_single_precision(models, posed, evolve, exact, error, product) -> None:
    problem, states = posed(models["strings"](6, 12), dt=0.05, steps=40), product(6)
    solver = Krylov(tolerance=1e-5, precision="single")
    assert 1e-9 < error(evolve(solver, problem, states), exact(problem, states)) < 1e-5


def test_invariant_spaces(posed, evolve, error) -> None:
    """States that H leaves in a space of one or two dimensions, beside one that it does not, and one of norm 0."""
    operator = PauliSum.from_terms(4, [(1.0, "ZZ", (0, 1)), (0.7, "X", (3,)), (0.4, "XX", (1, 2)), (0.3, "Z", (1,))])
    energies, vectors = np.linalg.eigh(operator.to_dense())
    eigenstate = torch.from_numpy(vectors[:, 3]) + 0j
    two = (torch.from_numpy(vectors[:, 0] + vectors[:, 9]) + 0j) / 2**0.5
    states = torch.stack([eigenstate, two, product_initial(4, 1, seed=0).states[0], torch.zeros(16) + 0j])
    problem = posed(operator, dt=0.5, steps=4, batch=4)
    found = evolve(Krylov(), problem, states)[:, -1]
    turns = torch.from_numpy(np.exp(-2j * energies))
    turned = torch.from_numpy(vectors) + 0j
    assert error(found, (states @ turned * turns) @ turned.T) < 1e-12


def test_back_again(models, posed, evolve, error, product) -> None:
    problem, states = posed(models["strings"](11, 12), dt=0.1, steps=12), product(11)
    there = evolve(Krylov(), problem, states)[:, -1].clone()
    back = evolve(Krylov(), dataclasses.replace(problem, dynamics=-problem.hamiltonian), there)[:, -1]
    assert error(there, states) > 0.1
    assert error(back, states) < 2e-10


def test_what_is_refused(models, posed) -> None:
    problem = posed(models["xxz"](6), dt=0.01, steps=100)
    assert "dimension=1" in (Krylov(dimension=1).supports(problem) or "")
    assert "tolerance=1e-15" in (Krylov(tolerance=1e-15).supports(problem) or "")
    assert "tolerance=1e-08" in (Krylov(tolerance=1e-8, precision="single").supports(problem) or "")


def test_the_estimate_grows_with_the_state_and_the_time(models, posed) -> None:
    def operations(size: int, steps: int) -> float:
        return Krylov().estimate(posed(models["xxz"](size), dt=0.05, steps=steps)).operations

    # By the amplitudes, the flips of a string more in each row, and the norm of H.
    assert 16 < operations(16, 40) / operations(12, 40) < 32
    assert 8 < operations(12, 400) / operations(12, 40) < 15


def test_any_size_can_be_asked_for() -> None:
    operator = PauliSum.from_terms(40, [(1.0, "XX", (i, i + 1)) for i in range(39)])
    cost = Krylov().estimate(Problem(size=40, times=np.linspace(0, 1, 11), dynamics=operator))
    assert 16 * 2**40 < cost.bytes < 1e16
    assert 100 * 2.0**40 < cost.operations < 1e20
    assert cost.error == 1e-10
