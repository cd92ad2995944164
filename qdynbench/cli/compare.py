"""`qdynbench compare A B`: ratio, interval, verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    from qdynbench.cli.missing import complete
    from qdynbench.cli.progress import watch
    from qdynbench.errors import InputError
    from qdynbench.report.terminal.show import show_comparison

    if len(set(solvers)) < 2:
        raise InputError("compare needs at least two different solvers, such as `qdynbench compare sru ed`")
    with watch(Console(stderr=True, quiet=quiet)) as observer:
        done = complete(run, solvers, plugin or (), observer, setting)
    show_comparison(api.compare(done, *solvers), Console())
    return 0
