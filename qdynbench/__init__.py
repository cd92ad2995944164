"""qdynbench: accuracy against real cost for solvers of quantum spin dynamics.

>>> import qdynbench
>>> run = qdynbench.run("tasks/ising_mixed.yaml")      # doctest: +SKIP
>>> print(qdynbench.compare(run, "sru", "ed"))         # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from qdynbench.api import compare, draw, load_run, load_task, run
    from qdynbench.contract.hookspecs import hookimpl
    from qdynbench.contract.metric import CurveMetric, Metric, ScoreContext
    from qdynbench.contract.solver import (
        Block,
        Cost,
        FitContext,
        Initial,
        Knowledge,
        Problem,
        Solver,
        TrainingData,
        block_length,
    )
    from qdynbench.contract.window import Window
    from qdynbench.errors import InputError, InvalidOutput, QdynbenchError
    from qdynbench.report.figures.figure import CannotDraw, Figure

_HOME = {
    "qdynbench.api": ("compare", "draw", "load_run", "load_task", "run"),
    "qdynbench.errors": ("InputError", "InvalidOutput", "QdynbenchError"),
    "qdynbench.report.figures.figure": ("CannotDraw", "Figure"),
    "qdynbench.contract.hookspecs": ("hookimpl",),
    "qdynbench.contract.metric": ("CurveMetric", "Metric", "ScoreContext"),
    "qdynbench.contract.window": ("Window",),
    "qdynbench.contract.solver": (
        "Block",
        "Cost",
        "FitContext",
        "Initial",
        "Knowledge",
        "Problem",
        "Solver",
        "TrainingData",
        "block_length",
    ),
}
# Read lazily, so that `import qdynbench` costs nothing and the command line starts fast.
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Block",
    "CannotDraw",
    "Cost",
    "CurveMetric",
    "Figure",
    "FitContext",
    "Initial",
    "InputError",
    "InvalidOutput",
    "Knowledge",
    "Metric",
    "Problem",
    "QdynbenchError",
    "ScoreContext",
    "Solver",
    "TrainingData",
    "Window",
    "block_length",
    "compare",
    "draw",
    "hookimpl",
    "load_run",
    "load_task",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'qdynbench' has no attribute {name!r}")
