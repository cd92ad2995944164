"""Whether the machine gives this process what it has: the speed of its cores, and the time that its threads wait."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_now = time.perf_counter  # bound before a solver is imported
_TASKS = Path("/proc/self/task")
ATTEMPTS = 3
NAP = 0.005
"""Seconds between two looks while a process waits for its cores to run at full speed."""


def yardstick(threads: int) -> float:
    """Return the seconds of a fixed piece of work, some 40 µs: the shortest of three attempts.

    Where a core is slowed from outside, by another guest on its other hardware thread say, it takes longer.
    With more than one thread it is done on every core that this process may use, and the slowest counts.
    """
    if threads == 1 or not hasattr(os, "sched_setaffinity"):
        return _work()
    cores, slowest = os.sched_getaffinity(0), 0.0
    try:
        for core in cores:
            os.sched_setaffinity(0, {core})
            slowest = max(slowest, _work())
    finally:
        os.sched_setaffinity(0, cores)
    return slowest


def settle(threads: int, limit: float, patience: float) -> float:
    """Wait until the yardstick is done within `limit` seconds, for at most `patience` seconds; return the last one."""
    deadline = _now() + patience
    while (found := yardstick(threads)) > limit and _now() < deadline:
        time.sleep(NAP)
    return found


def waited() -> float:
    """Return the seconds that threads of this process have been ready to run and had no core; 0 where unknown."""
    return sum(_delays())


def _work() -> float:
    shortest = float("inf")
    for _ in range(ATTEMPTS):
        begun, total = _now(), 0
        for number in range(1000):
            total += number * number
        shortest = min(shortest, _now() - begun)
    return shortest


def _delays() -> Iterator[float]:
    with contextlib.suppress(OSError):  # not Linux
        for task in _TASKS.iterdir():
            with contextlib.suppress(OSError, IndexError):  # it has just ended, or the kernel keeps no account
                yield int((task / "schedstat").read_text().split()[1]) / 1e9
