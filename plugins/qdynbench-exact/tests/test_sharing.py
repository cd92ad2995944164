"""Work shared among threads: every part once, also when one fails."""

from __future__ import annotations

import threading

import pytest
from qdynbench_exact.sharing import share


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_every_part_is_done_once(threads: int, count: int) -> None:
    done: list[int] = []
    share(threads, count, lambda begin, end: done.extend(range(begin, end)))
    assert sorted(done) == list(range(count))


def test_the_caller_works_beside_the_others() -> None:
    """Two parts that wait for each other: neither would end if one thread did both."""
    meeting, found = threading.Barrier(2, timeout=20), set()

    def work(begin: int, end: int) -> None:
        if begin < 2:
            meeting.wait()
        found.add(threading.get_ident())

    share(2, 8, work)
    assert threading.get_ident() in found
    assert len(found) == 2


@pytest.mark.parametrize("wrong", [0, 7])
def test_a_part_that_fails_is_reported(wrong: int) -> None:
    def work(begin: int, end: int) -> None:
        if begin <= wrong < end:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        share(2, 8, work)
