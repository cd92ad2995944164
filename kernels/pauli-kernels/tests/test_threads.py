"""Work shared among threads: every part once, also when one fails."""

from __future__ import annotations

import os
import threading

import pytest
from pauli_kernels._threads import share


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_every_part_is_done_once(threads: int, count: int) -> None:
    done: list[int] = []
    share(threads, count, lambda begin, end: done.extend(range(begin, end)))
    assert sorted(done) == list(range(count))


def test_parts_run_at_the_same_time_on_any_core_of_the_process() -> None:
    """Two parts that wait for each other: neither would end if one thread did both."""
    meeting, cores = threading.Barrier(2, timeout=20), {}

    def allowed() -> set[int] | None:
        return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

    def work(begin: int, end: int) -> None:
        if begin < 2:
            meeting.wait()
        cores[threading.get_ident()] = allowed()

    share(2, 4, work)
    assert len(cores) == 2
    assert threading.get_ident() not in cores
    assert all(found == allowed() for found in cores.values())


@pytest.mark.parametrize("wrong", [0, 7])
def test_a_part_that_fails_is_reported(wrong: int) -> None:
    def work(begin: int, end: int) -> None:
        if begin <= wrong < end:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        share(2, 8, work)
