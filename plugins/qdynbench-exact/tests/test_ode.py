"""`ode`: scipy's Runge-Kutta methods against `expm`, and whether the tolerance means what it says."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest
from qdynbench_exact.ode import AdaptiveOde

from qdynbench.testing import ConformanceTests
from qdynbench.testing.exercise import uniform_chain


class TestConformance(ConformanceTests):
    solver = AdaptiveOde


class TestConformanceRungeKutta45(ConformanceTests):
    solver = AdaptiveOde
    parameters: ClassVar = {"method": "RK45", "tolerance": 1e-5}


@pytest.mark.parametrize("method", ["DOP853", "RK45"])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
@pytest.mark.parametrize("name", ["strings", "xxz"])
def test_the_error_is_about_the_tolerance(name, tolerance, method, models, posed, product, evolve, exact, error):
    operator = models["xxz"](6) if name == "xxz" else models["strings"](6, 14)
    # Many grid points in a step: most states come from the interpolation.
    problem, states = posed(operator, 0.05, 40), product(6)
    found = error(evolve(AdaptiveOde(tolerance=tolerance, method=method), problem, states), exact(problem, states))
    assert 0.05 * tolerance < found < 1.5 * tolerance


def test_a_driven_model(models, posed, product, evolve, exact, error) -> None:
    problem, states = posed(models["kicked"](4), 0.17, 9), product(4)
    assert error(evolve(AdaptiveOde(), problem, states), exact(problem, states)) < 3e-10


def test_forth_and_back(models, posed, product, evolve, error) -> None:
    operator, states = models["strings"](5, 12), product(5)
    solver = AdaptiveOde(tolerance=1e-9)
    forth = evolve(solver, posed(operator, 0.1, 10), states)[:, -1].contiguous()
    assert error(evolve(solver, posed(-operator, 0.1, 10), forth)[:, -1], states) < 3e-9


def test_what_it_cannot_do_is_said(posed) -> None:
    problem = posed(uniform_chain(6), 0.1, 100)
    assert "scipy's smallest rtol leaves about" in (AdaptiveOde(tolerance=1e-13).supports(problem) or "")
    assert "double precision" in (AdaptiveOde(precision="single").supports(problem) or "")
    assert "between 0 and 1" in (AdaptiveOde(tolerance=2.0).supports(problem) or "")
    assert "CPU" in (AdaptiveOde().supports(dataclasses.replace(problem, device="cuda")) or "")


def test_the_estimate_grows_with_the_digits(posed) -> None:
    problem = posed(uniform_chain(12), 0.02, 100)
    for method, order in (("DOP853", 8), ("RK45", 5)):
        rough, fine = (AdaptiveOde(tolerance=t, method=method).estimate(problem).operations for t in (1e-4, 1e-10))
        assert fine / rough == pytest.approx(10 ** (6 / order), rel=0.2)
