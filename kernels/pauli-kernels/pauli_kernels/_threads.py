"""Compiled work shared among threads: loops that release Python's lock, each on a range of what there is to do.

The threads sleep where they wait, and run on any core that the process may use: which cores these are is for whoever
starts the process to say.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""Options of all loops that numba compiles here: machine code is kept on disk, other threads run meanwhile; no fast
mathematics that would let a NaN disappear or regroup sums."""

TASKS = 2
"""Ranges for each thread: one that was held up leaves the rest to the others."""


def share(threads: int, count: int, work: Callable[[int, int], object]) -> None:
    """Call `work(begin, end)` for ranges that together are `0` to `count`, on so many threads.

    With one thread, or one thing to do, that is the calling thread.
    """
    bounds = sorted({count * part // (TASKS * threads) for part in range(TASKS * threads + 1)})
    if threads == 1 or len(bounds) <= 2:
        work(0, count)
        return
    ranges = iter(list(pairwise(bounds)))  # whoever asks takes the next one

    def take() -> None:
        for begin, end in ranges:
            work(begin, end)

    parts = [_pool(threads).submit(take) for _ in range(threads)]
    wait(parts)
    for part in parts:
        part.result()


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "pauli-kernels")
