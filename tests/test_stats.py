"""Intervals cover what they claim, with every number of launches that is used, and many looks find nothing by luck."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from qdynbench import stats

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]
REPEATS = 4000
KINDS: dict[str, Noise] = {
    "normal": lambda random, count: random.normal(0, 0.02, count),
    "laplace": lambda random, count: random.laplace(0, 0.02, count),
}
"""What differs from launch to launch, as logarithms."""


def times(random: np.random.Generator, noise: Noise, launches: int, rounds: int = 7) -> list[list[float]]:
    found = np.exp(noise(random, launches)[:, None] + random.normal(0, 0.02, (launches, rounds)))
    return found.tolist()  # type: ignore[no-any-return]  # floats in lists


@pytest.mark.parametrize("launches", [3, 4, 5, 10])
@pytest.mark.parametrize("kind", KINDS)
def test_95_per_cent_of_the_intervals_of_a_ratio_of_equals_hold_1(kind: str, launches: int) -> None:
    random, noise, covered, called = np.random.default_rng(launches), KINDS[kind], 0, 0
    for _ in range(REPEATS):
        drift = np.exp(random.normal(0, 0.5, (launches, 7)))
        ours, theirs = (drift * times(random, noise, launches) for _ in range(2))
        (_, low, high), probability = stats.ratio_of(ours.tolist(), theirs.tolist())
        covered += low <= 1 <= high
        called += probability < 0.05
    assert 0.93 <= covered / REPEATS <= 0.975
    assert called == REPEATS - covered


@pytest.mark.parametrize("launches", [3, 5])
def test_95_per_cent_of_the_intervals_of_a_time_hold_it(launches: int) -> None:
    random, covered = np.random.default_rng(launches), 0
    for _ in range(REPEATS):
        _, low, high = stats.time_of(times(random, KINDS["normal"], launches))
        covered += low <= 1 <= high
    assert 0.93 <= covered / REPEATS <= 0.97


def test_times_that_were_not_measured_together_are_known_less_well() -> None:
    random, covered = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        ours, theirs = (times(random, KINDS["normal"], 5) for _ in range(2))
        (_, low, high), _ = stats.apart(ours, theirs)
        covered += low <= 1 <= high
    assert 0.93 <= covered / REPEATS <= 0.97
    drift = np.exp(random.normal(0, 0.5, 5))[:, None]
    together, separate = (
        one((drift * ours).tolist(), (drift * theirs).tolist())[0] for one in (stats.ratio_of, stats.apart)
    )
    assert separate[2] / separate[1] > 3 * together[2] / together[1]


def test_a_slowdown_is_found() -> None:
    random, found = np.random.default_rng(2), 0
    for _ in range(400):
        ours, theirs = (np.array(times(random, lambda r, n: r.normal(0, 0.01, n), 5)) for _ in range(2))
        (estimate, low, high), _ = stats.ratio_of((1.05 * ours).tolist(), theirs.tolist())
        found += low > 1
        assert low < estimate < high
    assert found / 400 > 0.9


def test_one_launch_has_no_interval() -> None:
    once = [[1.0, 1.1, 0.9]]
    assert stats.typical(once) == 1.0
    for interval, probability in (stats.ratio_of(once, [[2.0, 2.2, 1.8]]), stats.apart(once, once * 5)):
        assert all(map(math.isnan, interval[1:]))
        assert probability == 1
    assert stats.ratio_of(once, [[2.0, 2.2, 1.8]])[0][0] == pytest.approx(0.5)
    assert all(map(math.isnan, stats.bootstrap_mean(np.array([0.3]))[1:]))


def test_among_many_equals_none_is_called_different() -> None:
    """In 95 of 100 families of 20 comparisons; one by one there would be a false one in 64 of them."""
    random, wrong = np.random.default_rng(3), 0
    for _ in range(1000):
        wrong += any(stats.holm(random.random(20).tolist()))
    assert wrong / 1000 < 0.07
    assert stats.holm([0.04, 1e-6, 0.9]) == [False, True, False]
    assert stats.holm([0.02, 1e-6, 0.9]) == [True, True, False]
    assert stats.holm([]) == []
