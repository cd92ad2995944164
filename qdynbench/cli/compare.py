"""`qdynbench compare A B`: ratio, interval, verdict."""

from __future__ import annotations

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
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.results import Run
    from qdynbench.report.terminal.show import show_comparison

    if len(set(solvers)) < 2:
        raise InputError("compare needs at least two different solvers, such as `qdynbench compare sru ed`")
    with watch(Console(stderr=True, quiet=quiet)) as observer:
        done = complete(run, setting, solvers, plugin or [], observer)
    files = (file for file in done.record.plugin_files if Path(file).is_file())
    options.judged_by(metric, Registry.discover([*(plugin or []), *files]))
    shown = Run(done.folder, tolerance, metric)
    show_comparison(api.compare(shown, *solvers), Console())
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
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.folders import RECORD, RUNS, find_run
    from qdynbench.record.results import Run
    from qdynbench.report.figures.drawing import draw_figures
    from qdynbench.runner.earlier import refuse_unlike
    from qdynbench.runner.plan import asked
    from qdynbench.task.load import check_names, load_task

    wanted = list(dict.fromkeys(str(SolverSpec.parse(text)) for text in solvers))
    if source is None and setting is not None:
        raise InputError(f"--setting {setting} belongs to a task; name it with --run")
    is_run = source is None or any((Path(place) / RECORD).is_file() for place in (source, RUNS / source))
    task = None
    if source is not None and (setting is not None or not is_run):
        task = load_task(source, Registry.discover(plugins), setting=setting)
        folder = api.default_folder(task, setting)
        if not (folder / "run.json").is_file():
            return api.run(task, solvers=wanted, plugins=plugins, out=folder, observer=observer)
    else:
        folder = find_run(source)
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
    registry = Registry.discover([*plugins, *(file for file in run.record.plugin_files if Path(file).is_file())])
    check_names(task, registry)
    made = run.record.provenance
    done = api.measure(
        *(task, registry, folder, observer), device=made["device"], threads=made["threads"], replace=False
    )
    observer.drawing(done.task.figures)
    draw_figures(done, registry)
    return done
