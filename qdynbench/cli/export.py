"""`qdynbench export RUN --out FOLDER`: a folder for an archive, which a reader opens without qdynbench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qdynbench.cli.options import Metric, Tolerance


def export(
    run: Annotated[
        str | None, typer.Argument(help="A run directory or the name of a run; default: the latest.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new folder; default: the run's name and -export, here.")
    ] = None,
    license: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--license", help="Under which others may use it: an address or a name.")
    ] = "",
    author: Annotated[list[str] | None, typer.Option("--author", help="Who made it; may be repeated.")] = None,
    tolerance: Tolerance = None,
    metric: Metric = None,
) -> int:
    """Write a run as a folder for an archive: tables, curves, the page, the task, and a README that explains them."""
    from rich.console import Console

    from qdynbench.cli.options import judged_by, registry_of, say_left_out
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.folders import find_run
    from qdynbench.record.results import Run
    from qdynbench.report.archive.archive import write_archive

    opened = Run(find_run(run), tolerance, metric)
    if metric is not None:
        judged_by(metric, registry_of(opened, []))
    folder = out or Path(f"{opened.folder.resolve().name}-export")
    write_archive(opened, folder, Registry.discover(), license=license, authors=author or ())
    say_left_out(opened.damaged)
    Console().print(str(folder), soft_wrap=True, markup=False, highlight=False)
    return 0
