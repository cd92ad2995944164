"""Where and with what a run was made, and the fingerprints that decide whether its cells can be reused."""

from __future__ import annotations

import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

LIBRARIES = ("numpy", "scipy", "torch", "quspin", "numba", "triton", "safetensors")
"""Versions of these decide over results and are part of every fingerprint."""


@functools.cache
def hardware() -> dict[str, Any]:
    """Return the machine as far as it decides over timings."""
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


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python, qdynbench and the numerical libraries, without importing them."""
    found = {"python": platform.python_version()}
    for name in ("qdynbench", *LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def commit() -> str | None:
    """Return the commit of the checkout that qdynbench runs from, "+changes" where it is not clean, or None."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+changes", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def provenance(threads: int, device: str, memory: int) -> dict[str, Any]:
    """Return what `run.json` says of the circumstances of a run."""
    return {
        "started": now(),
        "hardware": hardware(),
        "versions": versions(),
        "commit": commit(),
        "threads": threads,
        "device": device,
        "memory_limit": memory,
    }


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def fingerprint(parts: Any) -> str:
    """Return a hash of JSON data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def hash_files(paths: Iterable[Path]) -> str:
    """Return a hash of files' names and contents."""
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        total.update(f"{path.name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()[:32]


@functools.cache
def core_code() -> str:
    """Return a hash of the core's code that results depend on."""
    root = Path(__file__).parent.parent
    parts = ("physics", "contract", "toolkit", "task", "scoring", "workers", "run")
    return hash_files([path for part in parts for path in sorted((root / part).rglob("*.py"))])
