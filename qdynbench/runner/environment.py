"""The environment of the workers of a run on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil

from qdynbench.errors import InputError, suggestion
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment

SHARE_OF_MEMORY = 0.8


def environment_of(
    task: Task, device: str, threads: int | None, logs: Path, log: Callable[[Path], None] = lambda _: None
) -> Environment:
    """Return the environment of the workers of a run.

    Args:
        task: the task, which may limit the memory.
        device: "cpu" or "cuda".
        threads: CPU threads of every solver; None for all cores.
        logs: folder for the output of the workers.
        log: is told of each file there before it is made.

    Raises:
        InputError: the device is unknown or missing, or there are too many threads.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = cores if threads is None else threads
    if not 1 <= threads <= cores:
        raise InputError(f"{threads} threads asked for; this machine has {cores} cores")
    if device not in {"cpu", "cuda"}:
        raise InputError(f"unknown device {device!r}{suggestion(device, ['cpu', 'cuda'])}")
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InputError("device 'cuda' was asked for, but torch finds no CUDA device here")
    memory = task.limits.memory or int(SHARE_OF_MEMORY * psutil.virtual_memory().total)
    return Environment(threads=threads, device=device, memory=int(memory), logs=logs.resolve(), log=log)
