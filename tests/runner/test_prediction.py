"""From operations to seconds: a first guess, one size, several sizes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from qdynbench.runner.prediction import CALLS, FIRST, Paces, dense_pace


@pytest.fixture
def guess() -> float:
    """Return the seconds of an operation of which nothing is known yet."""
    return FIRST * dense_pace()


def test_an_operation_takes_as_long_as_arithmetic_does() -> None:
    assert 1e-13 < dense_pace() < 1e-8


def test_before_anything_has_run_the_pace_is_a_guess(guess: float) -> None:
    assert Paces().seconds("ed", 1e9) == pytest.approx(CALLS + 1e9 * guess)


def test_a_constant_and_a_pace_are_told_from_two_sizes(guess: float) -> None:
    paces = Paces()
    for operations in (1e8, 1e10):
        paces.learn("ed", operations, 0.1 + 7 * guess * operations)
    for operations in (1e10, 1e11, 1e13):
        assert paces.seconds("ed", operations) == pytest.approx(0.1 + 7 * guess * operations, rel=0.02)
    assert paces.seconds("taylor", 1e9) == Paces().seconds("taylor", 1e9)


@pytest.mark.parametrize("slower", [0.01, 1.0, 100.0])
def test_of_one_size_as_much_grows_as_the_guess_allows(slower: float, guess: float) -> None:
    paces = Paces()
    paces.learn("ed", 1e6, slower * guess * 1e6)
    assert paces.seconds("ed", 1e6) == pytest.approx(slower * guess * 1e6, rel=1e-2)
    assert paces.seconds("ed", 1e9) == pytest.approx((slower + min(1.0, slower) * 999) * guess * 1e6, rel=1e-2)


def test_seeds_of_one_size_are_weighed_against_each_other(guess: float) -> None:
    paces = Paces()
    for seconds in (1.0, 1.1, 1.2):
        paces.learn("ed", 1e6, seconds)
    assert 1.0 < paces.seconds("ed", 1e6) < 1.21


def test_shorter_times_at_larger_sizes_do_not_run_below_zero() -> None:
    paces = Paces()
    for operations, seconds in ((1e6, 3.0), (1e7, 2.0), (1e8, 1.0)):
        paces.learn("ed", operations, seconds)
    assert 0.5 < paces.seconds("ed", 1e9) < 100


def test_nothing_is_learned_from_a_cell_without_operations() -> None:
    paces = Paces()
    paces.learn("persistence", 0.0, 1e-5)
    assert paces.seconds("persistence", 0.0) == CALLS


def test_what_is_new_at_the_last_size_is_kept_as_a_constant(guess: float) -> None:
    """A compilation of 5 s from the second size on is no sign that the rest grows as fast."""
    paces = Paces()
    paces.learn("dynamiqs", 1e7, guess * 1e7)
    paces.learn("dynamiqs", 1e8, 5.0 + guess * 1e8)
    assert paces.seconds("dynamiqs", 1e9) == pytest.approx(5.0 + guess * 1e9, rel=0.1)


def test_huge_numbers_stay_finite() -> None:
    paces = Paces()
    paces.learn("ed", 1e8, 0.1)
    assert np.isfinite(paces.seconds("ed", 1e90))
