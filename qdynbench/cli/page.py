"""`qdynbench page RUN... --out page.html`: one file to look at and to send."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qdynbench.cli.options import Metric, Plugins, Tolerance


def page(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Run directories or names of runs; default: the latest.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file; default: page.html in the run's folder, or here for several runs."),
    ] = None,
    plugin: Plugins = None,
    tolerance: Tolerance = None,
    metric: Metric = None,
) -> int:
    """Write the report of one run or several as one HTML file.

    It opens from disk and needs no network.
    """
    from rich.console import Console

    from qdynbench.cli.options import judged_by, registry_of, say_left_out
    from qdynbench.errors import InputError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.folders import find_run
    from qdynbench.record.results import Run
    from qdynbench.record.store import PAGE
    from qdynbench.report.page.page import summaries_of, write_page

    folders = list(dict.fromkeys(map(find_run, runs))) if runs else [find_run()]
    opened = [Run(folder, tolerance, metric) for folder in folders]
    if metric is not None:
        for run in opened:
            judged_by(metric, registry_of(run, plugin or []))
    path = out or (opened[0].page_file() if len(opened) == 1 else Path(PAGE))
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"--out {path}: {'a folder' if path.is_dir() else 'its folder does not exist'}; name a file")
    write_page(opened, path, summaries_of(Registry.discover(plugin or ())))
    for run in opened:
        say_left_out(run.damaged)
    Console().print(str(path), soft_wrap=True, markup=False, highlight=False)
    return 0
