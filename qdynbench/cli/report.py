"""`qdynbench report RUN`: the terminal report again."""

from __future__ import annotations

from typing import Annotated

import typer


def report(
    run: Annotated[
        str | None, typer.Argument(help="A run directory or the name of a run; default: the latest.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Also print tracebacks and logs of failed cells.")] = False,
) -> int:
    """Show the report of a run and draw its figures anew."""
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli.options import run_folder
    from qdynbench.record.results import Run
    from qdynbench.report.terminal.show import show

    opened = Run(run_folder(run))
    show(opened, Console(), api.draw(opened), details=details)
    return 0
