"""The fits in the cache: what `qdynbench list fits` shows and `qdynbench clean` removes."""

from __future__ import annotations

import re
import shutil
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock

from qdynbench.record.manifest import read_manifest
from qdynbench.runner.fits import cache_folder

PARTS = {"weights", "weights.partial", "work", "progress.json", "progress.json.partial"}
"""What the folder of a fit holds."""


@dataclass(frozen=True)
class KeptFit:
    """A fit in the cache.

    Attributes:
        folder: that holds its weights, or the checkpoints of a fit that was interrupted.
        solver: with its parameters.
        training: sizes and number of trajectories, in words.
        seconds: what the fit took; None where it was interrupted.
        bytes: on disk.
        used: when a run has last read or written it.
    """

    folder: Path
    solver: str
    training: str
    seconds: float | None
    bytes: int
    used: datetime


def kept_fits() -> list[KeptFit]:
    """Return the fits in the cache, the latest first; what holds anything else than a fit is none, nor is a link."""
    found = [_kept(folder) for folder in cache_folder().glob("*") if _is_home(folder)]
    return sorted(found, key=lambda fit: fit.used, reverse=True)


def _is_home(folder: Path) -> bool:
    ours = re.fullmatch(r".+-[0-9a-f]{32}", folder.name) and folder.is_dir() and not folder.is_symlink()
    return bool(ours) and {path.name for path in folder.iterdir()} <= PARTS


def _kept(folder: Path) -> KeptFit:
    manifest = read_manifest(folder / "weights") or {}
    training = manifest.get("training", {})
    sizes, count = training.get("sizes"), training.get("trajectories")
    files = [path.lstat() for path in (folder, *folder.rglob("*"))]
    return KeptFit(
        folder=folder,
        solver=manifest.get("solver") or folder.name.rpartition("-")[0],
        training=f"{count} trajectories each of {', '.join(map(str, sizes))} spins"
        if isinstance(sizes, list)
        else "not finished",
        seconds=manifest.get("fit_time"),
        bytes=sum(file.st_size for file in files if stat.S_ISREG(file.st_mode)),
        used=datetime.fromtimestamp(max(file.st_mtime for file in files), UTC),
    )


def remove_fit(fit: KeptFit) -> bool:
    """Remove a fit from the cache; return False if a run is making it, or has changed it since it was listed."""
    try:
        # The lock itself stays: another run may be waiting for it.
        with filelock.FileLock(fit.folder.with_suffix(".lock"), timeout=0):
            if not _is_home(fit.folder) or _kept(fit.folder) != fit:
                return False
            shutil.rmtree(fit.folder)  # which follows no link
    except filelock.Timeout:
        return False
    return True
