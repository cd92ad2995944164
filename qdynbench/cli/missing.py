"""Finding the run that a comparison needs, and running what it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qdynbench.api import RUNS, default_folder, run
from qdynbench.cli.options import run_folder
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.record.results import Run
from qdynbench.runner.observer import Observer
from qdynbench.task.load import load_task


def complete(
    source: str | None,
    solvers: Sequence[str],
    plugins: Iterable[Path],
    observer: Observer,
    setting: str | None = None,
) -> Run:
    """Return a run that has all `solvers`.

    Args:
        source: a run (folder or name), a task (file or registered name), or None for the latest run.
        solvers: that have to be in it.
        plugins: single-file plugins; those of the run are loaded as well.
        observer: is told of the progress, if something has to be run.
        setting: of a task; `source` is then taken for one.

    Raises:
        InputError: no such run or task, an unknown solver, or a run that is not whole and belongs to another version.
    """
    wanted = [str(SolverSpec.parse(text)) for text in solvers]
    if setting is not None and source is None:
        raise InputError(f"--setting {setting} belongs to a task; name it with --run")
    is_run = source is None or any((Path(place) / "run.json").is_file() for place in (source, RUNS / source))
    if source is not None and (setting is not None or not is_run):
        task = load_task(source, Registry.discover(plugins), setting=setting)
        folder = default_folder(task, setting)
        present: list[str] = []
        if (folder / "run.json").is_file():
            present = list(Run(folder).task.solvers)
    else:
        folder = run_folder(source)
        found = Run(folder)
        task, present = found.task, list(found.task.solvers)
        whole = {cell.solver for cell in found.cells if cell.complete}
        if not found.missing and set(wanted) <= whole:
            return found
        plugins = [*plugins, *(path for path in map(Path, found.record.plugin_files) if path not in set(plugins))]
    everything = dict.fromkeys([*present, *wanted])
    return run(task, solvers=everything, plugins=plugins, out=folder, observer=observer)
