"""Timing side by side: rounds that alternate between the contenders, each number a median with its interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Work = Callable[[], object]
SHORTEST = 2e-3
"""Seconds that one reading should take at least; quicker work is repeated within it."""
REST = 5e-3
"""Seconds between two readings on a CPU: threads that still spin after the work before would slow the next."""
RESAMPLES = 2000
"""Samples that an interval is taken from."""
Interval = tuple[float, float, float]
"""Median and both ends of its 95 % interval."""


@dataclass(frozen=True)
class Reading:
    """Seconds of one contender, a value per round.

    Attributes:
        seconds: of one call.
        peak: bytes of memory that the work needed beyond what was there before; None on a CPU, which counts none.
    """

    seconds: NDArray[np.float64]
    peak: int | None

    @property
    def median(self) -> Interval:
        """Median and 95 % interval, in seconds."""
        return median_of(self.seconds)

    def times_faster_than(self, other: Reading) -> Interval:
        """Return how many times longer another contender took, round by round: median and 95 % interval."""
        return median_of(other.seconds / self.seconds)


def side_by_side(works: Mapping[str, Work], device: str, rounds: int) -> dict[str, Reading]:
    """Measure some works in alternation, after one unmeasured call each.

    Args:
        works: by name.
        device: "cpu" or "cuda"; the latter is waited for on both sides of a reading.
        rounds: readings of each.
    """
    calls, peaks = {}, {}
    for name, work in works.items():
        work()
        peaks[name] = _peak(work, device)
        calls[name] = max(1, round(SHORTEST / max(_seconds(work, 1, device), 1e-7)))
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            if device == "cpu":
                time.sleep(REST)
            seconds[name].append(_seconds(work, calls[name], device))
    return {name: Reading(np.array(values), peaks[name]) for name, values in seconds.items()}


def copy_bandwidth(device: str, rounds: int) -> Reading:
    """Time the copy of a tensor far larger than any cache; `COPIED` bytes are read and as many written."""
    source = torch.ones(COPIED // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    return side_by_side({"copy": lambda: target.copy_(source)}, device, rounds)["copy"]


COPIED = 256 * 1024 * 1024


def median_of(values: NDArray[np.float64]) -> Interval:
    """Return the median over rounds and its 95 % interval, by the percentile bootstrap."""
    drawn = np.random.default_rng(0).choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(np.median(values)), float(low), float(high)


def _seconds(work: Work, calls: int, device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    _wait(device)
    return (time.perf_counter() - start) / calls


def _peak(work: Work, device: str) -> int | None:
    if device.startswith("cuda"):
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        _wait(device)
        return torch.cuda.max_memory_allocated(device) - before
    return None


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
