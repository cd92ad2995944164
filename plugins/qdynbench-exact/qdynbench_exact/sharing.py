"""Compiled work shared among threads: loops that release Python's lock, each on a range of what there is to do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

TASKS = 4
"""Ranges for each thread: one that was held up leaves the rest to the others."""


def share(threads: int, count: int, work: Callable[[int, int], object]) -> None:
    """Call `work(begin, end)` for ranges that together are `0` to `count`; the calling thread takes its part.

    It would rather work than wait: of two threads that are woken at once Linux often puts both on one core, where they
    take turns. With one thread, or one thing to do, nothing else is woken.
    """
    bounds = sorted({count * part // (TASKS * threads) for part in range(TASKS * threads + 1)})
    if threads == 1 or len(bounds) <= 2:
        work(0, count)
        return
    ranges = iter(list(pairwise(bounds)))  # whoever asks takes the next one

    def take() -> None:
        for begin, end in ranges:
            work(begin, end)

    others = [_pool(threads - 1).submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        for other in others:
            other.result()


@functools.lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="qdynbench-exact")
