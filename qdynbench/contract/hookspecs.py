"""The hooks of a plugin: everything that it can add, each with a name, a target and a summary.

A target is "package.module:Class", imported only when the name is used, or (in a single-file plugin) the class itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pluggy

PROJECT = "qdynbench"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """Adds one name. Registering a name twice is an error that names both plugins.

    `gate` declares a solver as a yardstick, which a task runs even if it does not list it: "always", or "learned" for
    tasks that have training data. Only solvers have it.
    """

    def __call__(self, name: str, target: str | Callable[..., Any], *, summary: str, gate: str = "") -> None:
        """Add one name to the table of the hook's kind."""


@hookspec
def register_solvers(register: Register) -> None:
    """Register subclasses of `qdynbench.Solver`."""


@hookspec
def register_models(register: Register) -> None:
    """Register subclasses of `qdynbench.Model`."""


@hookspec
def register_ensembles(register: Register) -> None:
    """Register subclasses of `qdynbench.Ensemble`."""


@hookspec
def register_metrics(register: Register) -> None:
    """Register subclasses of `qdynbench.Metric`."""


@hookspec
def register_figures(register: Register) -> None:
    """Register subclasses of `qdynbench.Figure`."""


@hookspec
def register_tasks(register: Register) -> None:
    """Register task files: the target is "package:path/inside/package.yaml"."""


@hookspec
def register_commands(register: Register) -> None:
    """Register typer applications or functions, shown as `qdynbench NAME`."""
