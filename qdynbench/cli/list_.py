"""`qdynbench list`: what there is to choose from, and what was kept."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from qdynbench.cli.options import Plugins
from qdynbench.text import SHOWN, duration, memory, plain


class What(str, Enum):  # noqa: UP042 - StrEnum prints its values differently in the help of older typer versions
    """What can be listed."""

    tasks = "tasks"
    solvers = "solvers"
    metrics = "metrics"
    figures = "figures"
    models = "models"
    ensembles = "ensembles"
    runs = "runs"
    fits = "fits"


HEADINGS = {
    What.runs: ("run", "task", "cells", "finished"),
    What.fits: ("solver", "trained", "fit_time", "bytes", "last_used", "folder"),
}
"""Of what is no entry of a plugin."""
ENTRY = ("name", "summary", "plugin")
SHOWN_AS: dict[str, Callable[[Any], str]] = {"fit_time": duration, "bytes": memory}


def list_(
    what: Annotated[What, typer.Argument(help="tasks, solvers, metrics, figures, models, ensembles, runs or fits")],
    plugin: Plugins = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As comma-separated values.")] = False,
) -> int:
    """List what there is, and the runs and fits that were kept."""
    if what is What.runs:
        rows = _runs()
    elif what is What.fits:
        rows = _fits()
    else:
        from qdynbench.plugins.registry import Registry

        entries = Registry.discover(plugin or ()).entries[what.value].values()
        rows = ((entry.name, entry.summary, Path(entry.plugin).name) for entry in entries)
    found = [dict(zip(HEADINGS.get(what, ENTRY), row, strict=True)) for row in rows]
    if json:
        print(json_module.dumps(found, indent=1))  # noqa: T201 - for programs: as it is, without a console's wrapping
    elif csv:
        import csv as csv_module
        import sys

        writer = csv_module.writer(sys.stdout, lineterminator="\n")
        writer.writerow(HEADINGS.get(what, ENTRY))
        writer.writerows([plain(str(value)) for value in row.values()] for row in found)
    elif found:
        _show(found)
    else:
        print(f"no {what.value}")  # noqa: T201
    return 0


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = {"name": 12, "summary": 20, "plugin": 6}
    for heading in rows[0]:
        table.add_column(heading.replace("_", " "), min_width=widths.get(heading), overflow="fold")
    for row in rows:
        shown = (SHOWN_AS.get(heading, str)(value) for heading, value in row.items())
        table.add_row(*(Text(plain(text, SHOWN)) for text in shown))
    Console().print(table)


def _runs() -> Iterator[tuple[Any, ...]]:
    from qdynbench.errors import InputError
    from qdynbench.record.folders import all_runs
    from qdynbench.record.store import Store

    for folder in all_runs():
        try:
            record = Store.open(folder).read_run()
            done = sum((folder / "cells" / f"{key}.json").is_file() for key in record.cells)
            finished = record.provenance.get("finished", "interrupted")
            task = plain(str(record.task.get("name")), SHOWN)
            yield str(folder), task, f"{done}/{len(record.cells)}", finished
        except InputError:
            yield str(folder), "?", "?", "cannot be read"


def _fits() -> Iterator[tuple[Any, ...]]:
    from qdynbench.runner.kept_fits import kept_fits

    for fit in kept_fits():
        yield fit.solver, fit.training, fit.seconds, fit.bytes, fit.used.isoformat(" ", "minutes"), str(fit.folder)
