"""What this user has run on this machine before: plugin files and brought weights, by their place and contents.

A run may come from a stranger and name any file. What it names is used without being asked for only if it lies where
this user has run it, as it was then.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import platformdirs

from qdynbench.files import read
from qdynbench.plugins.imports import contents_of

LARGEST = 10_000_000
"""Bytes of the record of one place."""


def _record(place: Path) -> Path:
    name = hashlib.sha256(str(place).encode(errors="surrogateescape")).hexdigest()[:32]
    return platformdirs.user_cache_path("qdynbench") / "run-here" / name


def remember(place: Path, contents: str) -> None:
    """Keep that something with this hash of its contents was run from this place.

    Where it cannot be kept, it has to be named again.
    """
    if holds(place, contents):
        return
    path = _record(place)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(f"{contents}\n")


def holds(place: Path, contents: str) -> bool:
    """Return whether this was run from there."""
    path = _record(place)
    try:
        return contents in read(path.parent, path.name, LARGEST).decode("ascii", "replace").split("\n")
    except OSError:
        return False


def holds_file(path: Path) -> bool:
    """Return whether a plugin file was run as it is now, with all that it imports from outside the distributions."""
    if not (path.is_absolute() and _record(path).is_file()):  # a stranger's path is not even read
        return False
    try:
        return holds(path, contents_of(path))
    except (OSError, ValueError, RecursionError, MemoryError):
        return False
