"""How loops are compiled for the CPU: by numba, on first use, kept on disk for the next process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import torch

OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
"""No fast mathematics that would let a NaN disappear or regroup sums."""

_alone = threading.Lock()
_config: Any = numba.config

if _config.THREADING_LAYER == "default":
    # OpenMP's threads spin where they wait for each other. They are fine alone on a machine, but beside torch's own
    # threads, or on a busy core, a scan of 2 ms takes 8. Numba's own pool sleeps.
    _config.THREADING_LAYER = "workqueue"


@contextmanager
def threads(most: int | None = None) -> Iterator[None]:
    """Let compiled loops use as many threads as torch does, at most so many; one such context at a time.

    Numba's pool ends the process when two Python threads use it at once.
    """
    with _alone:
        allowed = min(torch.get_num_threads(), _config.NUMBA_NUM_THREADS)
        numba.set_num_threads(max(1, allowed if most is None else min(allowed, most)))
        yield
