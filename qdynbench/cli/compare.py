"""`qdynbench compare A B`: ratio, interval, verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qdynbench.cli.options import Metric, Plugins, Tolerance

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
    plugin: Plugins = None,
    tolerance: Tolerance = None,
    metric: Metric = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Compare solvers on a run: ratios, errors, break-even, verdict.

    Ratios of cost have intervals. What the run lacks is measured first.
    """
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli import options
    from qdynbench.cli.progress import watch
    from qdynbench.errors import InputError
    from qdynbench.record.results import Run
    from qdynbench.report.terminal.show import show_comparison

    if len(set(solvers)) < 2:
        raise InputError("compare needs at least two different solvers, such as `qdynbench compare sru ed`")
    with watch(Console(stderr=True, quiet=quiet)) as observer:
        done = complete(run, setting, solvers, plugin or [], observer)
    if metric is not None:
        options.judged_by(metric, options.registry_of(done, plugin or []))
    shown = Run(done.folder, tolerance, metric)
    show_comparison(api.compare(shown, *solvers), Console())
    options.say_left_out(shown.damaged)
    return 0


def complete(
    source: str | None, setting: str | None, solvers: list[str], plugins: list[Path], observer: Observer
) -> Run:
    """Return a run that has all solvers: an earlier one (folder or name), or one of a task; measure what it lacks.

    What an earlier run lacks is measured as the rest of it was: on the same device, with as many threads, with the same
    plugins and limits. What it has is never measured again.

    Raises:
        InputError: no such run or task, an unknown solver, or a run that this machine and version cannot go on with.
    """
    from qdynbench import api
    from qdynbench.cli.options import registry_of
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.folders import find_run, is_run
    from qdynbench.record.results import Run
    from qdynbench.runner.earlier import refuse_unlike
    from qdynbench.runner.plan import asked
    from qdynbench.task.load import check_names, load_task

    wanted = list(dict.fromkeys(str(SolverSpec.parse(text)) for text in solvers))
    if source is None and setting is not None:
        raise InputError(f"--setting {setting} belongs to a task; name it with --run")
    task, folder = None, find_run() if source is None else run_meant(source, setting, plugins)
    if folder is None:
        task = load_task(str(source), Registry.discover(plugins), setting=setting)
        folder = api.default_folder(task, setting)
        if not is_run(folder):
            return api.run(task, solvers=wanted, plugins=plugins, out=folder, observer=observer)
    run = Run(folder)
    if task is None:
        task = run.task
    else:
        refuse_unlike(folder, asked(run.task), asked(task))
    there = {(cell.solver, cell.size, cell.seed) for cell in run.cells if cell.complete}
    cases = [(size, seed) for size in task.sizes for seed in task.seeds]
    lacking = [name for name in wanted if any((name, *case) not in there for case in cases)]
    if not lacking:
        return run
    subset = {name: states for name, states in task.timing.subset.items() if name in lacking}
    timing = task.timing.model_copy(update={"subset": subset})
    task = task.model_copy(update={"solvers": lacking, "timing": timing})
    registry = registry_of(run, plugins)
    check_names(task, registry)
    made = run.record.provenance
    done = api.measure(
        *(task, registry, folder, observer),
        device=made.get("device", "cpu"),
        threads=made.get("threads"),
        replace=False,
    )
    observer.drawing(done.task.figures)
    api.present(done, registry)
    return done


def run_meant(source: str, setting: str | None, plugins: list[Path]) -> Path | None:
    """Return the run of a name or path, or None where a task is meant: one here comes first, a run elsewhere last."""
    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.folders import find_run, run_here

    if setting is not None:
        return None
    if (here := run_here(source)) is not None:
        return here
    if os.path.exists(source) or source in Registry.discover(plugins).entries["tasks"]:
        return None
    try:
        return find_run(source)
    except InputError:  # the error about an unknown task says more
        return None
