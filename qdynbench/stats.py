"""Uncertainty: 95 % bootstrap intervals, over samples for accuracy and over rounds for timings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 2000
NUMBERS_AT_ONCE = 1_000_000
"""Number of values drawn at a time; resampling thousands of samples at once would take hundreds of megabytes."""
Interval = tuple[float, float, float]
"""Estimate, lower end, upper end."""


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


def bootstrap_median(values: NDArray[np.float64]) -> Interval:
    """Return the median over rounds and its interval."""
    return _bootstrap((values,), lambda sample, axis: np.median(sample, axis=axis))


def bootstrap_ratio(above: NDArray[np.float64], below: NDArray[np.float64], *, paired: bool) -> Interval:
    """Return the ratio of two medians over rounds and its interval.

    Args:
        above: seconds of the rounds of one solver.
        below: seconds of the rounds of the other.
        paired: whether round i of both ran side by side, so that a drift of the machine cancels in `above/below`. If
            one solver has fewer rounds, only as many first rounds of the other are used.
    """
    if paired:
        common = min(len(above), len(below))
        return bootstrap_median(above[:common] / below[:common])
    return _bootstrap((above, below), lambda a, b, axis: np.median(a, axis=axis) / np.median(b, axis=axis))


def savings(above: NDArray[np.float64], below: NDArray[np.float64], *, paired: bool) -> NDArray[np.float64]:
    """Return the median of `below` minus that of `above`: the estimate, followed by `RESAMPLES` bootstrap draws.

    Paired rounds are drawn together, and the saving is computed as `below (1 - above/below)`. The interval of the
    saving then contains 0 if that of the ratio contains 1. The arguments are those of `bootstrap_ratio`.
    """
    random = np.random.default_rng(0)
    if paired:
        common = min(len(above), len(below))
        drawn = np.vstack([np.arange(common), random.integers(common, size=(RESAMPLES, common))])
        ratios = np.median((above[:common] / below[:common])[drawn], axis=1)
        return np.asarray(np.median(below[drawn], axis=1) * (1 - ratios))
    medians = []
    for rounds in (above, below):
        drawn = random.integers(len(rounds), size=(RESAMPLES, len(rounds)))
        medians.append(np.median(rounds[np.vstack([np.arange(len(rounds)), drawn])], axis=1))
    return np.asarray(medians[1] - medians[0])


def ends(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of the interval of some draws, without interpolation, since draws may be infinite."""
    ordered, cut = np.sort(draws), int(len(draws) * (1 - LEVEL) / 2)
    return float(ordered[cut]), float(ordered[-1 - cut])


def _bootstrap(
    samples: tuple[NDArray[np.float64], ...], statistic: Callable[..., Any], *, paired: bool = False
) -> Interval:
    from scipy.stats import bootstrap

    if any(len(sample) == 0 for sample in samples):
        return (float("nan"),) * 3
    estimate = float(statistic(*samples, axis=0))
    if all(len(sample) == 1 or np.ptp(sample) == 0 for sample in samples):
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
