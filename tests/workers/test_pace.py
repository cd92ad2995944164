"""The yardstick sees the machine, and the account of waiting those who take the cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from qdynbench.workers import pace

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps the account")


def test_the_yardstick_leaves_the_cores_of_the_process_as_they_were() -> None:
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    assert 0 < pace.yardstick(1) < 0.1
    assert 0 < pace.yardstick(2) < 0.1
    assert before is None or os.sched_getaffinity(0) == before


def test_a_round_waits_for_full_speed_and_not_for_ever() -> None:
    begun = time.perf_counter()
    pace.settle(1, float("inf"), 5.0)
    assert time.perf_counter() - begun < 1
    pace.settle(1, 0.0, 0.1)
    assert 0.1 < time.perf_counter() - begun < 2


@linux
def test_waiting_for_a_core_is_seen() -> None:
    cores = os.sched_getaffinity(0)
    core = min(cores)
    os.sched_setaffinity(0, {core})
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # on the same core
    try:
        time.sleep(0.2)
        before, until = pace.waited(), time.perf_counter() + 0.5
        while time.perf_counter() < until:
            pass
        assert 0.05 < pace.waited() - before < 0.5
    finally:
        os.sched_setaffinity(0, cores)
        busy.kill()
        busy.wait()
