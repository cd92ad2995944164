"""`taylor`: QuSpin's Taylor series against scipy's `expm`, and the tolerance it is given."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import pytest
import torch
from qdynbench_exact.taylor import Taylor

from qdynbench.testing import ConformanceTests
from qdynbench.testing.exercise import uniform_chain


class TestConformance(ConformanceTests):
    solver = Taylor


class TestConformanceSingle(ConformanceTests):
    solver = Taylor
    parameters: ClassVar = {"precision": "single", "tolerance": 1e-4}


@pytest.mark.parametrize("letters", ["XZ", "XYZ"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_random_strings(size, letters, models, posed, product, evolve, exact, error) -> None:
    problem = posed(models["strings"](size, 3 * size, letters=letters), 0.3, 6)
    states = product(size)
    assert error(evolve(Taylor(), problem, states), exact(problem, states)) < 1e-10


def test_a_driven_model(models, posed, product, evolve, exact, error) -> None:
    # The grid meets the segments in pieces of several lengths.
    problem, states = posed(models["kicked"](4), 0.17, 9), product(4)
    assert error(evolve(Taylor(), problem, states), exact(problem, states)) < 1e-10


@pytest.mark.parametrize("dt", [0.002, 0.5, 6.0])
def test_the_tolerance_is_kept_and_turns_the_error(dt, posed, product, evolve, exact, error) -> None:
    size = 7
    problem = posed(uniform_chain(size), dt, 4, batch=4)
    # A basis state, all of whose weight is one amplitude, beside spread ones: QuSpin looks at the largest amplitude.
    up = torch.zeros(1, 2**size, dtype=torch.complex128)
    up[0, 0] = 1
    states = torch.cat([up, product(size)])
    wanted = exact(problem, states)
    errors = {}
    for tolerance in (1e-2, 1e-6, 1e-10):
        errors[tolerance] = error(evolve(Taylor(tolerance=tolerance), problem, states), wanted)
        assert errors[tolerance] < tolerance
    assert errors[1e-2] > 100 * errors[1e-10]


@pytest.mark.parametrize("dt", [0.002, 1.5])
def test_single_precision(dt, posed, product, evolve, exact, error) -> None:
    problem, states = posed(uniform_chain(6), dt, 4), product(6)
    found = error(evolve(Taylor(precision="single", tolerance=2e-5), problem, states), exact(problem, states))
    assert 1e-9 < found < 2e-5


def test_one_state_goes_another_way_than_several(posed, product, evolve, error) -> None:
    problem, states = posed(uniform_chain(5), 0.02, 50), product(5)
    together = evolve(Taylor(), problem, states)
    assert error(together[1:2], evolve(Taylor(), problem, states[1:2])) < 1e-12


def test_forth_and_back(models, posed, product, evolve, error) -> None:
    operator, states = models["strings"](6, 15), product(6)
    forth = evolve(Taylor(), posed(operator, 0.4, 10), states)[:, -1].contiguous()
    assert error(evolve(Taylor(), posed(-operator, 0.4, 10), forth)[:, -1], states) < 2e-10


def test_a_tolerance_below_rounding_is_refused_with_the_figure(posed) -> None:
    problem = posed(uniform_chain(7), 0.002, 500)
    assert Taylor(tolerance=1e-13).supports(problem) is None
    assert "double precision rounds to about" in (Taylor(tolerance=1e-16).supports(problem) or "")
    assert "single precision rounds to about" in (Taylor(precision="single").supports(problem) or "")
    assert "between 0 and 1" in (Taylor(tolerance=-1.0).supports(problem) or "")
    assert "CPU" in (Taylor().supports(dataclasses.replace(problem, device="cuda")) or "")


def test_the_estimate_grows_with_the_work(posed) -> None:
    small, large = (Taylor().estimate(posed(uniform_chain(size), 0.02, 100, batch=4)) for size in (10, 18))
    assert 200 < large.operations / small.operations < 800
    # 19 entries a row at most in 2**18 rows, of 12 bytes each.
    assert 2**18 * 19 * 12 < large.bytes < 4e9
