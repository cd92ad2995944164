"""The circumstances of a run, and the fingerprints that decide whether its cells can be reused."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from qdynbench.plugins.distributions import code_files, hash_files, required

PRESENTATION = ("analysis", "report", "cli", "testing", "templates")
"""Folders that show, compare and check results, or are copied; code that produces results imports nothing from them."""


@functools.cache
def hardware() -> dict[str, Any]:
    """Return the properties of the machine that affect timings."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions(distributions: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, qdynbench and the named distributions, with all their requirements."""
    found = {name: version for one in ("qdynbench", *distributions) for name, version in required(one).items()}
    return {"python": platform.python_version()} | dict(sorted(found.items()))


@functools.cache
def commit() -> str | None:
    """Return the commit of the checkout of qdynbench, with "+changes" if it is not clean, or None."""
    # `describe --dirty` would write in the checkout, and leave a lock there where it is stopped.
    asked = (["describe", "--always", "--abbrev=12"], ["status", "--porcelain", "--untracked-files=no"])
    git = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent)]
    try:
        known, changes = (
            subprocess.run([*git, *one], capture_output=True, text=True, timeout=10, check=True).stdout for one in asked
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return known.strip() + ("+changes" if changes else "") or None


def provenance(distributions: Iterable[str], threads: int, device: str, memory: int) -> dict[str, Any]:
    """Return the circumstances of a run for `run.json`, with the distributions of its solvers."""
    return {
        "started": now(),
        "hardware": hardware(),
        "versions": versions(distributions),
        "commit": commit(),
        "threads": threads,
        "device": device,
        "memory_limit": memory,
    }


def now() -> str:
    """Return the time in UTC, in seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def fingerprint(parts: Any) -> str:
    """Return a hash of JSON data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@functools.cache
def core_code() -> str:
    """Return a hash of the code of the core that produces results."""
    root = Path(__file__).parent.parent
    files = [path for path in code_files(root) if path.relative_to(root).parts[0] not in PRESENTATION]
    return hash_files(files)
