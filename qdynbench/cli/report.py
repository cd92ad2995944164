"""`qdynbench report RUN`: the terminal report again."""

from __future__ import annotations

from typing import Annotated

import typer

from qdynbench.cli.options import Metric, Plugins, Tolerance


def report(
    run: Annotated[
        str | None, typer.Argument(help="A run directory or the name of a run; default: the latest.")
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="All tables and curves, and tracebacks and logs of failed cells.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The answer and all findings as JSON, for programs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The answer alone.")] = False,
    plugin: Plugins = None,
    tolerance: Tolerance = None,
    metric: Metric = None,
) -> int:
    """Show the report of a run and draw its figures anew."""
    from rich.console import Console

    from qdynbench.analysis.answer import answer, as_json
    from qdynbench.cli.options import judged_by, registry_of, say_left_out
    from qdynbench.record.folders import find_run
    from qdynbench.record.results import Run
    from qdynbench.report.figures.drawing import draw_figures
    from qdynbench.report.terminal.show import show, show_answer

    opened = Run(find_run(run), tolerance, metric)
    if metric is not None:
        judged_by(metric, registry_of(opened, plugin or []))
    if json:
        Console(soft_wrap=True).print_json(data=as_json(answer(opened)))
    elif quiet:
        show_answer(opened, Console())
    else:
        drawn = draw_figures(opened, registry_of(opened, plugin or [])) if opened.task.figures else []
        show(opened, Console(), drawn, details=details)
    say_left_out(opened.damaged)
    return 0
