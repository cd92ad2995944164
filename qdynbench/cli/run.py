"""`qdynbench run`: run a task, watch it, see the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qdynbench.cli.options import Metric, Plugins, Tolerance

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Registry


def run(
    task: Annotated[
        str | None,
        typer.Argument(
            help="A task file, a folder of them, or the name of a shipped task; without it they are listed."
        ),
    ] = None,
    solver: Annotated[
        list[str] | None, typer.Option("--solver", "-s", help="Run this solver and not the task's; may be repeated.")
    ] = None,
    setting: Annotated[
        str | None, typer.Option("--setting", help="A named set of values in the task file, such as full.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the task, such as times.steps=500.")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Train learned solvers anew.")] = False,
    keep_fit: Annotated[
        bool, typer.Option("--keep-fit", help="Take weights that an earlier version of a solver's code has learned.")
    ] = False,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", help="A folder of weights, or SOLVER=FOLDER; may be repeated.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the run in the folder, and measure all of it anew.")
    ] = False,
    plugin: Plugins = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Run directory; default runs/<task name>[-<setting>][-<key=value>]."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    tolerance: Tolerance = None,
    metric: Metric = None,
    details: Annotated[bool, typer.Option("--details", help="End with all tables, curves and tracebacks.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; the answer alone.")] = False,
) -> int:
    """Run a task: every solver on every case, accuracy and cost.

    Of a folder, all tasks are run one after the other.
    """
    from rich.console import Console
    from rich.markup import escape

    from qdynbench import api
    from qdynbench.cli import EXIT_FAILED, EXIT_INPUT, complain, options
    from qdynbench.cli.progress import watch
    from qdynbench.errors import CannotWrite, InputError, QdynbenchError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.results import Run
    from qdynbench.report.terminal.show import show, show_answer
    from qdynbench.runner.fits import Choice
    from qdynbench.task.load import load_task

    console = Console(stderr=True, quiet=quiet)
    registry, changes = Registry.discover(plugin or ()), options.overrides(set_ or [])
    if task is None:
        task = chosen_task(registry)
    folders, status = options.weights(weights or []), 0
    options.judged_by(metric, registry)
    members = task_files(task)

    def measure(member: str) -> int:
        loaded = load_task(member, registry, setting=setting, overrides=changes, solvers=solver or ())
        folder = api.default_folder(loaded, setting, changes) if out is None else out
        if out is not None and len(members) > 1:
            folder = out / Path(member).stem
        if metric is not None and ("metrics", metric) not in loaded.named(registry):
            raise InputError(f"--metric {metric}: task {loaded.name!r} does not measure it; add it to its 'metrics'")
        with watch(console, every_cell=dry_run) as observer:
            if dry_run:
                api.predict(loaded, registry, observer, device=device, threads=threads)
                return 0
            choice = Choice(frozenset(loaded.solvers if refit else ()), folders, keep_fit)
            done = api.measure(
                *(loaded, registry, folder, observer), choice=choice, fresh=fresh, device=device, threads=threads
            )
            observer.drawing(done.task.figures)
            shown = Run(done.folder, tolerance, metric)
            drawn = api.present(shown, registry)
        if quiet:
            show_answer(shown, Console())
        else:
            show(shown, Console(), drawn, details=details)
        options.say_left_out(shown.damaged)
        return done.exit_status

    if len(members) == 1:
        return measure(members[0])
    for number, member in enumerate(members, 1):
        console.rule(escape(f"{member} ({number} of {len(members)})"), align="left")
        try:
            status = max(status, measure(member))
        except CannotWrite:  # the others would not find more room
            raise
        except QdynbenchError as error:  # the other tasks of the folder are none the worse
            status = max(status, complain(str(error), EXIT_INPUT if isinstance(error, InputError) else EXIT_FAILED))
    return status


def chosen_task(registry: Registry) -> str:
    """Return the task that the user chooses on a terminal, from those here and those that are registered.

    Raises:
        InputError: nobody can be asked; the message lists the tasks.
    """
    import sys

    from rich.console import Console
    from rich.prompt import Prompt
    from rich.text import Text

    from qdynbench.errors import InputError
    from qdynbench.text import plain

    here = {str(path): "in this folder" for path in sorted(Path().glob("*.y*ml"))}
    tasks = {**here, **{entry.name: entry.summary for entry in registry.entries["tasks"].values()}}
    shown = [(plain(name), plain(what)) for name, what in tasks.items()]
    width = max(len(name) for name, _ in shown)
    listed = "\n".join(f"{number:3}  {name:{width}}  {what}" for number, (name, what) in enumerate(shown, 1))
    if not sys.stdin.isatty():
        raise InputError(f"which task? `qdynbench run TASK`, one of\n{listed}")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text(listed))
    numbers = [str(number) for number in range(1, len(tasks) + 1)]
    try:
        answer = Prompt.ask("Which task?", choices=numbers, show_choices=False, default="1", console=console)
    except EOFError as error:
        raise InputError("no task was chosen") from error
    return list(tasks)[int(answer) - 1]


def task_files(task: str) -> list[str]:
    """Return the task files of a folder in order of their names, or the task itself when it is no folder.

    Raises:
        InputError: a folder without task files.
    """
    if not os.path.isdir(task):  # and not Path.is_dir, which raises an error where a name is too long
        return [task]
    found = sorted(str(path) for path in Path(task).glob("*.y*ml"))
    if not found:
        from qdynbench.errors import InputError

        raise InputError(f"{task}: a folder without task files (*.yaml)")
    return found
