"""The family of a process: all that it has started, kept together, counted and ended.

On Linux whatever a worker starts stays its descendant, also what moves to a session of its own or loses its parent; on
other systems only the processes of its group are reached.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
PATIENCE = 5.0
"""Seconds for processes that were killed to be gone."""
_PROPORTIONAL = re.compile(rb"^Pss:\s+(\d+) kB", re.MULTILINE)


def die_with(parent: int) -> None:
    """Ask the system to end this process when its parent ends, even by SIGKILL (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def live_on() -> None:
    """Take back `die_with`: it would also end this process with the thread of the parent that has started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)


def adopt() -> None:
    """Have all that descends from this process stay its descendants, whoever of them ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Return the processes that descend from a process, parents before their children."""
    found = children(pid)
    for child in found:  # grows while it is walked
        found += children(child)
    return found


def end(pids: list[int]) -> None:
    """Kill processes, and all that descends from them."""
    for pid in [*pids, *(below for one in pids for below in descendants(one))]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_all() -> None:
    """Kill all that descends from this process, which adopts it, and wait until it is gone."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.suppress(ChildProcessError):  # none is left
        while time.monotonic() < deadline:
            end(children(os.getpid()))
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.001)


def resident(pid: int, *, beyond: float) -> int:
    """Return the bytes of memory that a process and its descendants hold; 0 once it has ended.

    Memory that they share counts once where the sum would otherwise be `beyond` a limit; to find it out takes long.
    """
    try:
        own = int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
    family = descendants(pid)
    if not family:
        return own
    total = own
    for each in family:
        with contextlib.suppress(psutil.Error):
            total += int(psutil.Process(each).memory_info().rss)
    return total if total <= beyond else min(total, sum(_share(each) for each in [pid, *family]))


def _share(pid: int) -> int:
    """Return the bytes that a process holds, each divided by the number of those that share it, where that is known."""
    with contextlib.suppress(OSError):
        if found := _PROPORTIONAL.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes()):
            return int(found[1]) * 1024
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def children(pid: int) -> list[int]:
    """Return the processes whose parent a process is."""
    threads = f"/proc/{pid}/task"
    try:
        lists = [Path(threads, thread, "children").read_text() for thread in os.listdir(threads)]
        return [int(child) for text in lists for child in text.split()]
    except OSError:  # it has ended, or the system has no such list
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []
