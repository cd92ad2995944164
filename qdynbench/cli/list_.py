"""`qdynbench list`: what there is to choose from, and what was kept."""

from __future__ import annotations

import json as json_module
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from qdynbench.cli.options import Plugins


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
        rows = [{"name": entry.name, "summary": entry.summary, "plugin": Path(entry.plugin).name} for entry in entries]
    if json:
        print(json_module.dumps(rows, indent=1))  # noqa: T201 - for programs: as it is, without a console's wrapping
    elif csv:
        import csv as csv_module
        import sys

        writer = csv_module.DictWriter(sys.stdout, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        _show(rows, what)
    return 0


def _show(rows: list[dict[str, str]], what: What) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    widths = {"name": 12, "summary": 20, "plugin": 6}
    for heading in rows[0] if rows else ():
        table.add_column(heading, min_width=widths.get(heading), overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row.values()))
    Console().print(table if rows else f"no {what.value}")


def _runs() -> list[dict[str, str]]:
    from qdynbench.record.folders import all_runs

    rows = []
    for folder in all_runs():
        try:
            record = json_module.loads((folder / "run.json").read_text())
            done = sum((folder / "cells" / f"{key}.json").is_file() for key in record["cells"])
            finished = record["provenance"].get("finished", "interrupted")
            task, cells = record["task"]["name"], f"{done}/{len(record['cells'])}"
        except (OSError, ValueError, KeyError, TypeError):
            task, cells, finished = "?", "?", "cannot be read"
        rows.append({"run": str(folder), "task": task, "cells": cells, "finished": finished})
    return rows


def _fits() -> list[dict[str, str]]:
    from qdynbench.runner.fits import kept_fits
    from qdynbench.text import duration, memory

    return [
        {
            "solver": fit.solver,
            "trained": fit.training,
            "time of the fit": duration(fit.seconds),
            "size": memory(fit.bytes),
            "last used": fit.used.isoformat(" ", "minutes"),
            "folder": str(fit.folder),
        }
        for fit in kept_fits()
    ]
