"""Where runs are: those below the working directory, and those that this user has made elsewhere."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from qdynbench import files
from qdynbench.errors import InputError
from qdynbench.record.store import RUN

RUNS = Path("runs")
"""Where runs are kept unless a folder is given: below the working directory."""
LARGEST_INDEX = 8_000_000
"""Bytes of the list of runs."""


def remember(folder: Path) -> None:
    """Keep in the user's cache where a run is, so that it is found from any working directory."""
    line, index = os.fsencode(folder.resolve()), _index()
    if b"\n" in line or line in _lines():
        return
    with contextlib.suppress(OSError):  # a cache that cannot be written is no reason to lose a run
        index.parent.mkdir(parents=True, exist_ok=True)
        with files.appended(index) as stream:
            stream.write(line + b"\n")


def all_runs() -> list[Path]:
    """Return the folders of all runs, here and elsewhere, the latest first; those here as paths from here."""
    here = Path.cwd()
    found = {path.parent.resolve() for path in RUNS.glob(f"*/{RUN}")}
    found |= {Path(os.fsdecode(line)) for line in _lines()}
    latest = sorted(filter(is_run, found), key=_changed, reverse=True)
    return [folder.relative_to(here) if folder.is_relative_to(here) else folder for folder in latest]


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run; there may be no such folder."""
    return os.path.isfile(folder / RUN)  # and not Path.is_file, which raises an error where a name is too long


def run_here(run: str | Path) -> Path | None:
    """Return the folder of a run given by path, or by its name below `runs/`; None if there is none."""
    return next((folder for folder in (Path(run), RUNS / run, RUNS / Path(run).stem) if is_run(folder)), None)


def find_run(run: str | Path | None = None) -> Path:
    """Return the folder of a run given by path or by name, or of the latest run: one below here, if there is any.

    Raises:
        InputError: there is none.
    """
    if run is not None and (here := run_here(run)) is not None:
        return here
    runs = all_runs()
    if run is None:
        if not runs:
            raise InputError("there is no run yet; start with `qdynbench run ising_mixed`")
        return next((folder for folder in runs if not folder.is_absolute()), runs[0])
    named = [folder for folder in runs if folder.name == str(run)]
    if not named:
        raise InputError(f"no run at {str(run)!r}; `qdynbench list runs` shows those there are")
    return named[0]


def _changed(folder: Path) -> float:
    try:
        return (folder / RUN).lstat().st_mtime
    except OSError:  # it has gone this moment
        return 0.0


def _index() -> Path:
    return platformdirs.user_cache_path("qdynbench") / "runs.txt"


def _lines() -> list[bytes]:
    try:
        return list(filter(None, files.read(_index().parent, _index().name, LARGEST_INDEX).split(b"\n")))
    except OSError:
        return []
