"""The installed distributions that a plugin requires, read from metadata without importing anything."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Iterable
from pathlib import Path

CORE = "qdynbench"
CODE = {".py", ".safetensors", ".json", ".yaml"}
"""Suffixes of the files that determine the behaviour of a package: code, weights and data."""
LARGEST = 20_000_000_000
"""Bytes of files that are hashed together."""


@functools.cache
def required(name: str) -> dict[str, str]:
    """Return the versions of a distribution, with its extras, and of all that these require, by name.

    A distribution that is installed from a folder may change while its version stays, so a hash of its code is added.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    waiting = [name]
    name = canonicalize_name(name)
    while waiting:
        wanted = canonicalize_name(waiting.pop())
        if wanted in found:
            continue
        try:
            distribution = importlib.metadata.distribution(wanted)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not there, or a marker for another system
        found[wanted] = _state(distribution)
        if wanted != CORE or name == CORE:  # what the core requires beyond this is in the core's own fingerprint
            waiting += [
                Requirement(text).name for text in distribution.requires or () if _wanted(text, extras=wanted == name)
            ]
    return found


def code_files(folder: Path) -> list[Path]:
    """Return the files in a folder that determine the behaviour of a package."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in CODE)


def hash_files(paths: Iterable[Path]) -> str:
    """Return a hash of the names and contents of files, which are never in memory as a whole.

    Raises:
        ValueError: they are too large, as a file may be that is mostly holes.
    """
    total, size = hashlib.sha256(), 0
    for path in paths:
        with path.open("rb") as file:
            own = os.fstat(file.fileno()).st_size
            if (size := size + own) > LARGEST:
                raise ValueError(f"{str(path)!r} takes the files to {size / 1e9:.3g} GB, {LARGEST / 1e9:g} are allowed")
            total.update(os.fsencode(path.name) + f":{own}:".encode())
            while piece := file.read(1 << 20):
                total.update(piece)
    return total.hexdigest()[:32]


def _state(distribution: importlib.metadata.Distribution) -> str:
    from packaging.utils import canonicalize_name

    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    name = canonicalize_name(distribution.name).replace("-", "_")
    if "dir_info" in origin and name != CORE and (spec := importlib.util.find_spec(name)) is not None:
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        files = [path for folder in folders for path in code_files(folder)]
        files += [Path(spec.origin)] if spec.origin and not folders else []  # a single module
        return f"{distribution.version}+{hash_files(files)[:12]}"
    return distribution.version


def _wanted(text: str, *, extras: bool) -> bool:
    """Return whether a requirement counts here; those of an extra (a peer) count for the plugin itself."""
    from packaging.requirements import Requirement

    marker = Requirement(text).marker
    return marker is None or marker.evaluate({"extra": ""}) or (extras and "extra" in str(marker))
