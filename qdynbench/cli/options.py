"""Reading options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError

if TYPE_CHECKING:
    from qdynbench.plugins.registry import Registry

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
    import yaml

    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (equals and key.strip()):
            raise InputError(f"--set {text!r}: write key=value, such as --set times.steps=500")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {text!r}: {value!r} is not a YAML value") from error
    return found


def weights(texts: Iterable[str]) -> dict[str, Path]:
    """Read `SOLVER=FOLDER` or `FOLDER` options; a folder without a solver is that of "".

    Raises:
        InputError: two folders for one solver.
    """
    found: dict[str, Path] = {}
    for text in texts:
        match = None if Path(text).is_dir() else re.fullmatch(r"([^=\[\]]+(?:\[[^\[\]]*\])?)=(.+)", text)
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
