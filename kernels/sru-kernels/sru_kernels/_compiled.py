"""How loops are compiled for the CPU: by numba, on first use, kept on disk for the next process."""

from __future__ import annotations

import os
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import torch

OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""No fast mathematics that would let a NaN disappear or regroup sums."""

_one_at_a_time = threading.Lock()
_config: Any = numba.config

if _config.THREADING_LAYER == "default" and os.environ.get("OMP_WAIT_POLICY", "").upper() != "PASSIVE":
    # OpenMP's threads spin where they wait for each other, unless told to sleep. They are fine alone on a machine, but
    # beside torch's own threads, or on a busy core, a scan of 2 ms takes 8. Numba's own pool sleeps, and wakes late: a
    # rollout of 3 ms takes 1.5 times as long with it as with OpenMP's threads that spin for a moment.
    _config.THREADING_LAYER = "workqueue"


@contextmanager
def threads(most: int | None = None) -> Iterator[None]:
    """Let compiled loops use as many threads as torch does, at most so many; one such context at a time.

    Numba's pool ends the process when two Python threads use it at once.
    """
    with _one_at_a_time:
        allowed = min(torch.get_num_threads(), _config.NUMBA_NUM_THREADS)
        numba.set_num_threads(max(1, allowed if most is None else min(allowed, most)))
        yield


def side_by_side(function: Callable[..., None]) -> Callable[..., None]:
    """Compile loops over `prange` twice: for several threads, and for the thread that calls.

    Numba's pool leaves even the work of one thread to a thread of its own, and the caller sleeps until it is woken: for
    a call of 0.2 ms a detour of half its time, and of a length that chance decides.

    Returns:
        A function that takes the number of tasks, and what `function` takes.
    """
    shared = numba.njit(parallel=True, **OPTIONS)(function)
    copy = types.FunctionType(function.__code__, function.__globals__, f"{function.__name__}_alone")
    copy.__qualname__ = copy.__name__  # numba keeps what it has compiled under this name
    alone = numba.njit(**OPTIONS)(copy)

    def call(tasks: int, *arguments: Any) -> None:
        (alone if tasks == 1 or numba.get_num_threads() == 1 else shared)(*arguments)

    return call
