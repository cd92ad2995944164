"""`trotter`: gates against scipy's `expm`, and the order at which the error falls."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from qdynbench_exact.taylor import Taylor
from qdynbench_matrix_free.trotter import Trotter

from qdynbench import InputError, PauliSum, SolverSpec, build
from qdynbench.physics.observables import magnetization
from qdynbench.testing import ConformanceTests
from qdynbench.testing.exercise import uniform_chain
from qdynbench.testing.oracles import tfim_modes


class TestConformance(ConformanceTests):
    solver = Trotter
    parameters: ClassVar = {"order": 4}
    skips = ConformanceTests.skips | ConformanceTests.oracles  # it promises no error to be held to


class TestConformanceSingle(ConformanceTests):
    solver = Trotter
    parameters: ClassVar = {"precision": "single"}
    skips = ConformanceTests.skips | ConformanceTests.oracles  # it promises no error to be held to


def test_oracles(posed, evolve) -> None:
    """Rabi's oscillation is exact; the quench of |+> on a ring of 6 comes near the closed form with small steps."""
    g, up = 0.7, torch.tensor([[1, 0]], dtype=torch.complex128)
    problem = posed(PauliSum.from_terms(1, [(g, "X", (0,))]), 0.1, 40, batch=1)
    weights = evolve(Trotter(), problem, up)[0].abs().square()
    np.testing.assert_allclose(weights[:, 0] - weights[:, 1], np.cos(2 * g * problem.times), atol=1e-12)

    size, coupling = 6, 1.0
    bonds = [(-coupling, "ZZ", (i, (i + 1) % size)) for i in range(size)]
    ring = PauliSum.from_terms(size, [*bonds, *((-g, "X", (i,)) for i in range(size))])
    plus = torch.full((1, 2**size), 2 ** (-size / 2), dtype=torch.complex128)
    problem = posed(ring, 0.05, 40, batch=1)
    found = evolve(Trotter(order=4, step=0.005), problem, plus)
    energy, sine = tfim_modes(size, coupling, g)
    expected = (1 - sine**2 + sine**2 * np.cos(2 * np.outer(problem.times, energy))).mean(axis=1)
    np.testing.assert_allclose(magnetization(found)["x"][0].mean(-1).numpy(), expected, atol=1e-9)


def chain(name: str) -> PauliSum:
    random = np.random.default_rng(3)
    if name == "ising":
        return uniform_chain(5)
    if name == "long strings":
        terms = [(random.normal(), "".join(random.choice(list("XYZ"), 4)), random.permutation(5)[:4]) for _ in range(6)]
        return PauliSum.from_terms(5, [(float(c), p, map(int, s)) for c, p, s in [*terms, (0.3, "X", [2])]])
    longest = {"two": 2, "three": 3}[name]
    terms = [
        (random.normal(), "".join(random.choice(list("XYZ"), length)), random.permutation(5)[:length])
        for length in random.integers(1, longest + 1, 14)
    ]
    return PauliSum.from_terms(5, [(float(c), p, map(int, s)) for c, p, s in terms])


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("name", ["ising", "two", "three", "long strings"])
def test_the_error_falls_with_the_order(name, order, posed, product, evolve, exact, error) -> None:
    problem, states = posed(chain(name), 0.2, 3), product(5)
    wanted = exact(problem, states)
    errors = [error(evolve(Trotter(order=order, step=0.1 / n), problem, states), wanted) for n in (1, 2, 4)]
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert slopes == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("order", [2, 4])
def test_the_error_falls_with_the_order_where_a_state_is_many_tiles(
    order, models, posed, product, evolve, error
) -> None:
    """14 spins: gates on near and far sites, tiles of several kinds, threads; against QuSpin's series."""
    strings = models["strings"](14, 16, longest=4)
    operator = PauliSum(14, (*strings.terms, *uniform_chain(14).terms))
    problem, states = posed(operator, 0.05, 2), product(14, 2)
    wanted = evolve(Taylor(tolerance=1e-12), problem, states)
    errors = [error(evolve(Trotter(order=order, step=0.05 / n), problem, states), wanted) for n in (1, 2)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_layers_that_commute_are_exact(size, posed, product, evolve, exact, error) -> None:
    """A sum of strings of one letter, on one, two, three and all sites: one layer, no error of the formula."""
    for letter in "XYZ":
        sites = [range(0, size, k) for k in range(1, size + 1)]
        operator = PauliSum.from_terms(size, [(0.3 + 0.1 * k, letter * len(s), s) for k, s in enumerate(sites)])
        problem, states = posed(operator, 0.7, 4), product(size)
        assert error(evolve(Trotter(), problem, states), exact(problem, states)) < 1e-13


def test_a_bond_of_the_xxz_chain_is_exact(models, posed, product, evolve, exact, error) -> None:
    problem, states = posed(models["xxz"](2), 0.9, 5), product(2)
    assert error(evolve(Trotter(), problem, states), exact(problem, states)) < 1e-13


def test_a_driven_model(models, posed, product, evolve, exact, error) -> None:
    """Pieces of several lengths, and a kick backwards: its strength is divided like a time."""
    problem, states = posed(models["kicked"](4), 0.17, 9), product(4)
    wanted = exact(problem, states)
    errors = [error(evolve(Trotter(order=4, step=step), problem, states), wanted) for step in (0.02, 0.01)]
    assert errors[1] < 1e-5
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.6)


def test_forth_and_back_is_exact_but_for_rounding(models, posed, product, evolve, error) -> None:
    """The formulas are symmetric: with -H each step undoes one with H."""
    operator, states = models["strings"](6, 15), product(6)
    for order in (2, 4):
        solver = Trotter(order=order, step=0.1)
        forth = evolve(solver, posed(operator, 0.4, 10), states)[:, -1].contiguous()
        assert error(evolve(solver, posed(-operator, 0.4, 10), forth)[:, -1], states) < 1e-11


def test_states_do_not_depend_on_threads_or_companions(posed, product, evolve, error) -> None:
    states = product(13, 5)
    many = evolve(Trotter(), posed(uniform_chain(13), 0.05, 3, threads=2), states)
    one = evolve(Trotter(), posed(uniform_chain(13), 0.05, 3, threads=1), states[3:4])
    assert error(many[3:4], one) < 1e-14


def test_without_a_hamiltonian_nothing_moves(posed, product, evolve, error) -> None:
    states = product(3)
    found = evolve(Trotter(), posed(PauliSum(3, ()), 0.1, 5), states)
    assert error(found, states[:, None].expand(-1, 6, -1)) < 1e-15


def test_what_it_cannot_do_is_said(posed) -> None:
    long = PauliSum.from_terms(14, [(1.0, "X" * 13, range(13))])
    assert "at most 12 sites" in (Trotter().supports(posed(long, 0.1, 2)) or "")
    diagonal = PauliSum.from_terms(14, [(1.0, "Z" * 13, range(13))])
    assert Trotter().supports(posed(diagonal, 0.1, 2)) is None
    for wrong in ("trotter[order=3]", "trotter[step=0.0]", "trotter[step=-1.0]"):
        with pytest.raises(InputError):
            build(Trotter, "trotter", SolverSpec.parse(wrong).parameters)


def test_the_label_says_order_and_step() -> None:
    assert "order 4, step 0.01" in Trotter(order=4, step=0.01).label
    assert "the grid's step" in Trotter().label


def test_the_estimate_counts_steps_and_gates(posed) -> None:
    problem = posed(uniform_chain(16), 0.02, 100, batch=2)
    coarse, fine = Trotter().estimate(problem), Trotter(step=0.002).estimate(problem)
    assert 8 < fine.operations / coarse.operations < 12
    fourth = Trotter(order=4).estimate(problem)
    assert 4 < fourth.operations / coarse.operations < 6
    assert 3 * 2**16 * 16 < coarse.bytes < 30 * 2**16 * 16
