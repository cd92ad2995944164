"""Uncertainty: 95 % intervals, over test states for accuracy and over launches for times."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
FEWEST = 40
"""From so many samples on the mean of an error has an interval: with fewer it would not cover what it claims."""
FEWEST_GROUPS = 10
"""From so many groups on a mean over groups has an interval."""
RESAMPLES, NUMBERS = 2000, 4_000_000
"""How often samples are drawn again, and how many numbers that may take, for memory: 32 MB."""
Interval = tuple[float, float, float]
"""Estimate, lower end, upper end."""
Curve = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""The same at each time, three arrays of shape `(T,)`."""
Launches = Sequence[Sequence[float]]
"""Seconds of a call for each launch and each round of it."""


def mean_of(values: NDArray[np.float64]) -> Interval:
    """Return the mean over samples and its interval; undefined samples (nan) are left out.

    Errors have heavy tails over states: a few carry the mean, and what they may be is not seen in a few states. The
    interval is a bootstrap of Student's t, which allows for this skewness; below `FEWEST` samples there is none.
    """
    mean, low, high = mean_curve(values[:, None])
    return float(mean[0]), float(low[0]), float(high[0])


def mean_curve(values: NDArray[np.float64]) -> Curve:
    """Return the mean over samples at each time and the ends of its interval, three arrays of shape `(T,)`.

    The samples are whole curves: the same ones are drawn at all times.

    Args:
        values: shape `(B, T)`; undefined values (nan) are left out.
    """
    known = np.isfinite(values)
    return _ratio_of_sums(np.where(known, values, 0.0), known.astype(np.float64))


def ratio_of_means(above: NDArray[np.float64], below: NDArray[np.float64]) -> Interval:
    """Return the ratio of two means over the same samples and its interval, which is like that of a mean."""
    ratio, low, high = _ratio_of_sums(above[:, None], below[:, None])
    return float(ratio[0]), float(low[0]), float(high[0])


def mean_over_seeds(values: NDArray[np.float64]) -> Interval:
    """Return the mean over a few seeds, each a mean itself, and its interval by Student's t.

    The interval of positive values is one of the logarithm of their mean.
    """
    mean, error, freedom = _spread(values)
    if not freedom:
        return mean, math.nan, math.nan
    half = error * _student(freedom)
    if values[np.isfinite(values)].min() > 0:
        return mean, mean * math.exp(-half / mean), mean * math.exp(min(half / mean, 700))
    return mean, mean - half, mean + half


def typical_ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> tuple[Interval, float]:
    """Return the geometric mean of the ratios of two errors on the same states, and how probable it is between equals.

    The logarithms of the ratios are much less scattered than the errors, because a state that is hard for one solver is
    hard for another, and much less skewed. The skewness that is left is made up for by half of the degrees of freedom
    of Student's t: with three states or more the intervals cover 93 % or more, and with few of them too much.

    Args:
        above: positive errors, shape `(B,)`.
        below: the same of the other solver.
    """
    mean, error, freedom = _spread(np.log(above) - np.log(below))
    return _judged(mean, error, freedom / 2 if freedom > 1 else 0.0)


def mean_over_groups(values: NDArray[np.float64], groups: NDArray[np.int64]) -> Interval:
    """Return the mean over samples and its interval by a bootstrap over groups of samples that belong together.

    Whole groups are drawn, with the seed 0. The expanded percentiles of T. C. Hesterberg, Am. Stat. 69, 371 (2015),
    section 5.2, make up for groups being few; with fewer than `FEWEST_GROUPS` there is no interval. Simulated
    with ranks they cover 89 to 96 %.

    Args:
        values: shape `(B,)`.
        groups: the number of the group of each sample, shape `(B,)`.
    """
    from scipy.special import ndtr

    _, place = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place).astype(np.float64)
    mean, many = float(values.mean()) if len(values) else math.nan, len(counts)
    if many < FEWEST_GROUPS:
        return mean, math.nan, math.nan
    drawn = _draws(many)
    tail = float(ndtr(-math.sqrt(many / (many - 1)) * _student(many - 1)))
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [tail, 1 - tail])
    return mean, float(low), float(high)


def _ratio_of_sums(above: NDArray[np.float64], below: NDArray[np.float64]) -> Curve:
    """Return the ratio of two sums over samples, shape `(B, T)`, at each time, with its interval by a bootstrap of t.

    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 12.5.
    """
    count = len(above)
    with np.errstate(invalid="ignore", divide="ignore"):  # times without any defined sample stay nan
        ratio = above.sum(axis=0) / below.sum(axis=0)
        none = np.full_like(ratio, math.nan)
        if count < FEWEST:
            return ratio, none, none
        rest = above - ratio * below
        error = np.sqrt((rest**2).sum(axis=0)) / below.sum(axis=0)
        drawn = _draws(count)
        total = drawn @ below
        off = drawn @ rest / total
        squares = drawn @ rest**2 - 2 * off * (drawn @ (rest * below)) + off**2 * (drawn @ below**2)
        found = np.nan_to_num(off / (np.sqrt(np.maximum(squares, 0.0)) / total), nan=0.0, posinf=np.inf, neginf=-np.inf)
        edges = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="nearest")
        low, high = (np.where(error > 0, ratio - edge * error, ratio) for edge in edges[::-1])
    if above.min() >= 0:  # neither is then the ratio less than nothing
        low = np.maximum(low, 0.0)
    known = (np.count_nonzero(below, axis=0) >= FEWEST) & np.isfinite(low) & np.isfinite(high)
    return ratio, np.where(known, low, none), np.where(known, high, none)


@functools.lru_cache(maxsize=1)
def _draws(count: int) -> NDArray[np.float64]:
    """Return how often each of so many samples is drawn, for each resample; the same numbers at each call."""
    random = np.random.default_rng(0)
    shares = np.full(count, 1 / count)
    return random.multinomial(count, shares, size=min(RESAMPLES, NUMBERS // count)).astype(np.float64)


def typical(launches: Launches) -> float:
    """Return the seconds of one call, the geometric mean over launches of the medians of their rounds."""
    return float(np.exp(np.mean(np.log([statistics.median(rounds) for rounds in launches]))))


def time_of(launches: Launches) -> Interval:
    """Return the `typical` seconds of one call and their interval over launches."""
    return _judged(*_spread(np.log([statistics.median(rounds) for rounds in launches])))[0]


def ratio_of(above: Launches, below: Launches) -> tuple[Interval, float]:
    """Return the ratio of two times with its interval, and how probable so large a difference is between equals.

    Round by round the two have run side by side, so that what disturbs the machine cancels in their ratio. If one has
    fewer launches or rounds, as many of the other are used.
    """
    return _judged(*_spread(log_ratios(above, below)))


def log_ratios(above: Launches, below: Launches) -> NDArray[np.float64]:
    """Return for each launch the median over rounds of the logarithm of the ratio of two times."""
    found = []
    for ours, theirs in zip(above, below, strict=False):
        rounds = min(len(ours), len(theirs))
        if rounds:
            found.append(statistics.median((np.log(ours[:rounds]) - np.log(theirs[:rounds])).tolist()))
    return np.array(found)


def apart(above: Launches, below: Launches) -> tuple[Interval, float]:
    """Return the same of two times that were not measured side by side, by Welch's t."""
    logs = (np.log([statistics.median(rounds) for rounds in launches]) for launches in (above, below))
    (ours, our_error, our_freedom), (theirs, their_error, their_freedom) = map(_spread, logs)
    return _judged(ours - theirs, *_welch(our_error, our_freedom, their_error, their_freedom))


def difference(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Return the difference of two means over launches with its interval by Welch's t; nan where there is none."""
    (ours, our_error, our_freedom), (theirs, their_error, their_freedom) = map(_spread, map(np.asarray, (above, below)))
    error, freedom = _welch(our_error, our_freedom, their_error, their_freedom)
    half = error * _student(freedom) if freedom else math.nan
    return ours - theirs, ours - theirs - half, ours - theirs + half


def holm(probabilities: Sequence[float]) -> list[bool]:
    """Return which of several differences stand, so that with 95 % confidence none of them is chance.

    S. Holm, Scand. J. Stat. 6, 65 (1979).
    """
    order, stand = np.argsort(probabilities), [False] * len(probabilities)
    for rank, index in enumerate(order):
        if probabilities[index] > (1 - LEVEL) / (len(order) - rank):
            break
        stand[index] = True
    return stand


def _judged(estimate: float, error: float, freedom: float) -> tuple[Interval, float]:
    """Return the exponential of a mean with its interval, and the probability that the mean is 0 but for chance."""
    from scipy.special import stdtr

    if not freedom:
        return (math.exp(estimate), math.nan, math.nan), 1.0
    half = error * _student(freedom)
    probability = 2 * float(stdtr(freedom, -abs(estimate) / error)) if error else float(estimate == 0)
    return (math.exp(estimate), math.exp(estimate - half), math.exp(min(estimate + half, 700))), probability


def _student(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _welch(error: float, freedom: float, other: float, others: float) -> tuple[float, float]:
    """Return the standard error of a difference and its degrees of freedom, 0 where one of the two has none."""
    both = math.hypot(error, other)
    if not freedom or not others:
        return both, 0.0
    terms = error**4 / freedom + other**4 / others
    return both, both**4 / terms if terms else min(freedom, others)


def _spread(values: NDArray[np.float64]) -> tuple[float, float, int]:
    """Return the mean over launches, its standard error, and the degrees of freedom of that; 0 for one launch alone."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return (float(known[0]) if len(known) else math.nan), math.nan, 0
    return float(known.mean()), float(known.std(ddof=1)) / math.sqrt(len(known)), len(known) - 1
