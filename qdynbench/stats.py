"""Uncertainty: 95 % intervals, over test states for accuracy by bootstrap, over launches for times by Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
NUMBERS_AT_ONCE = 1_000_000
"""Number of values drawn at a time; resampling thousands of samples at once would take hundreds of megabytes."""
Interval = tuple[float, float, float]
"""Estimate, lower end, upper end."""
Launches = Sequence[Sequence[float]]
"""Seconds of a call for each launch and each round of it."""


def bootstrap_mean(values: NDArray[np.float64]) -> Interval:
    """Return the mean over samples and its interval; undefined samples (nan) are left out."""
    return _bootstrap((values[np.isfinite(values)],), lambda sample, axis: np.mean(sample, axis=axis))


def bootstrap_curve(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the mean over samples at each time and the ends of its interval, three arrays of shape `(T,)`.

    The samples are whole curves: the same ones are drawn at all times.

    Args:
        values: shape `(B, T)`; undefined values (nan) are left out.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    count = len(values)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # times without any defined sample stay nan
        mean = filled.sum(axis=0) / known.sum(axis=0)
        means = (drawn @ filled) / (drawn @ known.astype(np.float64))
        low, high = np.nanpercentile(means, [50 * (1 - LEVEL), 50 * (1 + LEVEL)], axis=0)
    return mean, low, high


def bootstrap_ratio_of_means(above: NDArray[np.float64], below: NDArray[np.float64]) -> Interval:
    """Return the ratio of two means over the same samples and its interval."""

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.mean(a, axis=axis) / np.mean(b, axis=axis))

    return _bootstrap((above, below), ratio, paired=True)


def typical(launches: Launches) -> float:
    """Return the seconds of one call, the geometric mean over launches of the medians of their rounds."""
    return float(np.exp(np.mean(np.log([np.median(rounds) for rounds in launches]))))


def time_of(launches: Launches) -> Interval:
    """Return the `typical` seconds of one call and their interval over launches."""
    return _judged(*_spread(np.log([np.median(rounds) for rounds in launches])))[0]


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
            found.append(np.median(np.log(ours[:rounds]) - np.log(theirs[:rounds])))
    return np.array(found)


def apart(above: Launches, below: Launches) -> tuple[Interval, float]:
    """Return the same of two times that were not measured side by side, by Welch's t."""
    logs = (np.log([np.median(rounds) for rounds in launches]) for launches in (above, below))
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


def _bootstrap(
    samples: tuple[NDArray[np.float64], ...], statistic: Callable[..., Any], *, paired: bool = False
) -> Interval:
    from scipy.stats import bootstrap

    if any(len(sample) == 0 for sample in samples):
        return (float("nan"),) * 3
    estimate = float(statistic(*samples, axis=0))
    if len(samples[0]) == 1:
        return (estimate, math.nan, math.nan)  # a single sample has no spread
    if all(np.ptp(sample) == 0 for sample in samples):
        return (estimate, estimate, estimate)
    found = bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, NUMBERS_AT_ONCE // max(len(sample) for sample in samples)),
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        paired=paired,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return (estimate, float(found.low), float(found.high))
