"""`qdynbench compare A B`: ratio, interval, verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qdynbench.record.results import Run
    from qdynbench.runner.observer import Observer


def compare(
    solvers: Annotated[list[str], typer.Argument(help="The solver in question, then those to compare it with.")],
    run: Annotated[
        str | None, typer.Option("--run", "-r", help="A run, or a task to run; default: the latest run.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option("--setting", help="With a task as --run: a named set of values in its file.")
    ] = None,
    plugin: Annotated[list[Path] | None, typer.Option("--plugin", help="A single-file plugin to load.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Compare solvers on a run: cost ratios with intervals, errors, break-even and a verdict. Runs what is missing."""
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli.progress import watch
    from qdynbench.errors import InputError
    from qdynbench.report.terminal.show import show_comparison

    if len(set(solvers)) < 2:
        raise InputError("compare needs at least two different solvers, such as `qdynbench compare sru ed`")
    with watch(Console(stderr=True, quiet=quiet)) as observer:
        done = complete(run, setting, solvers, plugin or [], observer)
    show_comparison(api.compare(done, *solvers), Console())
    return 0


def complete(
    source: str | None, setting: str | None, solvers: list[str], plugins: list[Path], observer: Observer
) -> Run:
    """Return a run that has all solvers: an earlier one (folder or name), or one of a task; run what it lacks.

    Raises:
        InputError: no such run or task, an unknown solver, or a run that is not whole and belongs to another version.
    """
    from qdynbench import api
    from qdynbench.cli.options import run_folder
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.results import Run
    from qdynbench.task.load import load_task

    wanted = [str(SolverSpec.parse(text)) for text in solvers]
    if source is None and setting is not None:
        raise InputError(f"--setting {setting} belongs to a task; name it with --run")
    is_run = source is None or any((Path(place) / "run.json").is_file() for place in (source, api.RUNS / source))
    present: list[str] = []
    if source is not None and (setting is not None or not is_run):
        task = load_task(source, Registry.discover(plugins), setting=setting)
        folder = api.default_folder(task, setting)
        if (folder / "run.json").is_file():
            present = Run(folder).task.solvers
    else:
        folder = run_folder(source)
        found = Run(folder)
        if not found.missing and set(wanted) <= {cell.solver for cell in found.cells if cell.complete}:
            return found
        task, present = found.task, found.task.solvers
        plugins = list(dict.fromkeys([*plugins, *map(Path, found.record.plugin_files)]))
    done = api.run(task, solvers=[*dict.fromkeys([*present, *wanted])], plugins=plugins, out=folder, observer=observer)
    assert done is not None  # noqa: S101 - only a dry run returns None; this tells the type checker
    return done
