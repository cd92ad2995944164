"""Where runs are: those below the working directory, and those that were kept elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

from qdynbench.errors import InputError
from qdynbench.files import written_whole

RUNS = Path("runs")
"""Where runs are kept unless a folder is given: below the working directory."""
RECORD = "run.json"


def remember(folder: Path) -> None:
    """Keep in the user's cache where a run is, so that it is found from any working directory."""
    known = [place for place in _remembered() if (Path(place) / RECORD).is_file()]
    with contextlib.suppress(OSError):  # a cache that cannot be written is no reason to lose a run
        _index().parent.mkdir(parents=True, exist_ok=True)
        with written_whole(_index()) as stream:
            stream.write("".join(f"{place}\n" for place in dict.fromkeys([*known, str(folder.resolve())])).encode())


def all_runs() -> list[Path]:
    """Return the folders of all runs, here and elsewhere, the latest first; those here as paths from here."""
    here = Path.cwd()
    found = {path.parent.resolve() for path in RUNS.glob(f"*/{RECORD}")}
    found |= {folder for folder in map(Path, _remembered()) if (folder / RECORD).is_file()}
    latest = sorted(found, key=lambda folder: (folder / RECORD).stat().st_mtime, reverse=True)
    return [folder.relative_to(here) if folder.is_relative_to(here) else folder for folder in latest]


def find_run(run: str | Path | None = None) -> Path:
    """Return the folder of a run given by path or by name, or of the latest run: one below here, if there is any.

    Raises:
        InputError: there is none.
    """
    if run is None:
        runs = all_runs()
        if not runs:
            raise InputError("there is no run yet; start with `qdynbench run ising_mixed`")
        return next((folder for folder in runs if not folder.is_absolute()), runs[0])
    for folder in (Path(run), RUNS / run, RUNS / Path(run).stem):
        if (folder / RECORD).is_file():
            return folder
    named = [folder for folder in all_runs() if folder.name == str(run)]
    if not named:
        raise InputError(f"no run at {str(run)!r}; `qdynbench list runs` shows those there are")
    return named[0]


def _index() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("qdynbench") / "runs.txt"


def _remembered() -> list[str]:
    try:
        return _index().read_text().splitlines()
    except OSError:
        return []
