"""`qdynbench list`: what there is to choose from."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class What(str, Enum):  # noqa: UP042 - StrEnum prints its values differently in the help of older typer versions
    """What can be listed."""

    tasks = "tasks"
    solvers = "solvers"
    metrics = "metrics"
    figures = "figures"
    models = "models"
    ensembles = "ensembles"
    runs = "runs"


def list_(
    what: Annotated[What, typer.Argument(help="tasks, solvers, metrics, figures, models, ensembles or runs")],
    plugin: Annotated[list[Path] | None, typer.Option("--plugin", help="A single-file plugin to load.")] = None,
) -> int:
    """List tasks, solvers, metrics, figures, models, ensembles or runs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from qdynbench.text import SHOWN, plain

    table = Table(box=None, pad_edge=False, header_style="bold")
    if what is What.runs:
        for heading in ("run", "task", "cells", "finished"):
            table.add_column(heading)
        for row in _runs():
            table.add_row(*(Text(plain(entry, SHOWN)) for entry in row))
    else:
        from qdynbench.plugins.registry import Registry

        for heading, width in (("name", 12), ("summary", 20), ("plugin", 6)):
            table.add_column(heading, min_width=width)
        for entry in Registry.discover(plugin or ()).entries[what.value].values():
            table.add_row(*map(Text, (plain(entry.name), plain(entry.summary, SHOWN), Path(entry.plugin).name)))
    Console().print(table if table.row_count else f"no {what.value}")
    return 0


def _runs() -> list[tuple[str, str, str, str]]:
    from qdynbench.cli.options import all_runs
    from qdynbench.errors import InputError
    from qdynbench.record.store import Store

    rows = []
    for folder in all_runs():
        try:
            record = Store.open(folder).read_run()
            done = sum((folder / "cells" / f"{key}.json").is_file() for key in record.cells)
            finished = record.provenance.get("finished", "interrupted")
            rows.append((str(folder), str(record.task.get("name")), f"{done}/{len(record.cells)}", finished))
        except InputError:
            rows.append((str(folder), "?", "?", "cannot be read"))
    return rows
