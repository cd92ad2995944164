"""Reading options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.text import plain

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.results import Run

MOST_LINES = 10
"""Files that are named one by one where several are left out."""
Tolerance = Annotated[
    float | None, typer.Option("--tolerance", min=0.0, help="Error that is good enough; default: that of the task.")
]
Metric = Annotated[
    str | None, typer.Option("--metric", help="Error by which solvers are compared; default: the infidelity.")
]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A single-file plugin, or a folder of them, to load.")
]


def overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` options; the value is YAML, so lists and numbers are written as in a task file.

    Raises:
        InputError: not of this form.
    """
    from qdynbench.task.yaml import check_text, parse

    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key.strip()):
            raise InputError(f"--set {text[:80]!r}: write key=value, such as --set times.steps=500")
        key = check_text(key.strip(), "--set")
        found[key] = parse(value, f"--set {key}")
    return found


def weights(texts: Iterable[str]) -> dict[str, Path]:
    """Read `SOLVER=FOLDER` or `FOLDER` options; a folder without a solver is that of "".

    Raises:
        InputError: two folders for one solver.
    """
    found: dict[str, Path] = {}
    for text in texts:
        match = None if os.path.isdir(text) else re.fullmatch(r"([^=\[\]]+(?:\[[^\[\]]*\])?)=(.+)", text)
        name, folder = ("", text) if match is None else (str(SolverSpec.parse(match[1])), match[2])
        if name in found:
            raise InputError(f"--weights {text}: give one folder for each solver, as --weights SOLVER=FOLDER")
        found[name] = Path(folder)
    return found


def judged_by(metric: str | None, registry: Registry) -> None:
    """Check that solvers can be compared by a metric.

    Raises:
        InputError: there is no such metric, or its larger values are the better ones.
    """
    if metric is not None and getattr(registry.load("metrics", metric), "better", "lower") != "lower":
        raise InputError(f"--metric {metric}: solvers are compared by an error, and of this the larger is the better")


def registry_of(run: Run, named: Iterable[Path]) -> Registry:
    """Return the plugins with which a run is shown or gone on with, and say which of its plugin files are left out."""
    from qdynbench.api import plugins_of
    from qdynbench.plugins.registry import Registry

    files, left_out = plugins_of(run, named)
    say_left_out(left_out)
    return Registry.discover(files)


def say_left_out(lines: Sequence[str]) -> None:
    """Say on the standard error what is left out of what is shown."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in lines[:MOST_LINES]:
        console.print(Text(plain(line), "yellow"))
    if len(lines) > MOST_LINES:
        console.print(f"and {len(lines) - MOST_LINES} more")
