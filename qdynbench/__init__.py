"""qdynbench: accuracy against real cost for solvers of quantum spin dynamics.

All that is public stands here, in `qdynbench.toolkit` for authors of solvers, and in `qdynbench.testing`.

>>> import qdynbench
>>> run = qdynbench.run("tasks/ising_mixed.yaml")      # doctest: +SKIP
>>> print(qdynbench.compare(run, "sru", "ed"))         # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from qdynbench.api import compare, draw, load_run, load_task, plan, run
    from qdynbench.cli.progress import watch
    from qdynbench.contract.build import build
    from qdynbench.contract.ensemble import Ensemble, ProductEnsemble
    from qdynbench.contract.hookspecs import Register, hookimpl
    from qdynbench.contract.initial import Given, Initial
    from qdynbench.contract.learned import FitContext, LearnedSolver, TrainingData
    from qdynbench.contract.metric import CurveMetric, Metric
    from qdynbench.contract.model import Coupling, Model, Term, bonds_of, spread
    from qdynbench.contract.problem import Knowledge, Problem
    from qdynbench.contract.solver import Block, Cost, Solver, block_length
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.contract.window import Pair, ScoreContext, Window
    from qdynbench.errors import Infeasible, InputError, InvalidOutput, QdynbenchError, Unsupported, suggestion
    from qdynbench.physics import basis, moments, observables, product, symmetries
    from qdynbench.physics.drive import Drive, Segment
    from qdynbench.physics.operators import PauliSum, PauliTerm
    from qdynbench.plugins.distributions import hash_files
    from qdynbench.record import provenance
    from qdynbench.record.manifest import MANIFEST, read_manifest
    from qdynbench.record.results import Run
    from qdynbench.record.schema import CellRecord, Status
    from qdynbench.report.figures.charts import Mark, band, data, logarithmic, step_spread
    from qdynbench.report.figures.figure import CannotDraw, Figure
    from qdynbench.report.parts import Column, Span, Table
    from qdynbench.runner.own_fit import own_fit
    from qdynbench.stats import bootstrap_curve, bootstrap_median
    from qdynbench.task.spec import Task
    from qdynbench.text import rounded_up, significant

_HOME = {
    "api": (
        "compare",
        "draw",
        "load_run",
        "load_task",
        "plan",
        "run",
    ),
    "errors": (
        "Infeasible",
        "InputError",
        "InvalidOutput",
        "QdynbenchError",
        "Unsupported",
        "suggestion",
    ),
    "text": (
        "rounded_up",
        "significant",
    ),
    "stats": (
        "bootstrap_curve",
        "bootstrap_median",
    ),
    "physics.drive": (
        "Drive",
        "Segment",
    ),
    "physics.operators": (
        "PauliSum",
        "PauliTerm",
    ),
    "contract.build": ("build",),
    "contract.hookspecs": (
        "Register",
        "hookimpl",
    ),
    "contract.initial": (
        "Given",
        "Initial",
    ),
    "contract.learned": (
        "FitContext",
        "LearnedSolver",
        "TrainingData",
    ),
    "contract.problem": (
        "Knowledge",
        "Problem",
    ),
    "contract.solver": (
        "Block",
        "Cost",
        "Solver",
        "block_length",
    ),
    "contract.spec": ("SolverSpec",),
    "contract.metric": (
        "CurveMetric",
        "Metric",
    ),
    "contract.window": (
        "Pair",
        "ScoreContext",
        "Window",
    ),
    "contract.model": (
        "Coupling",
        "Model",
        "Term",
        "bonds_of",
        "spread",
    ),
    "contract.ensemble": (
        "Ensemble",
        "ProductEnsemble",
    ),
    "task.spec": ("Task",),
    "record.schema": (
        "CellRecord",
        "Status",
    ),
    "record.results": ("Run",),
    "record.manifest": (
        "MANIFEST",
        "read_manifest",
    ),
    "plugins.distributions": ("hash_files",),
    "runner.own_fit": ("own_fit",),
    "cli.progress": ("watch",),
    "report.figures.figure": (
        "CannotDraw",
        "Figure",
    ),
    "report.figures.charts": (
        "Mark",
        "band",
        "data",
        "logarithmic",
        "step_spread",
    ),
    "report.parts": (
        "Column",
        "Span",
        "Table",
    ),
}
# Read lazily, so that `import qdynbench` costs nothing and the command line starts fast.
_MODULE_OF = {name: f"qdynbench.{module}" for module, names in _HOME.items() for name in names}
_MODULES = {
    "basis": "qdynbench.physics.basis",
    "moments": "qdynbench.physics.moments",
    "observables": "qdynbench.physics.observables",
    "product": "qdynbench.physics.product",
    "symmetries": "qdynbench.physics.symmetries",
    "provenance": "qdynbench.record.provenance",
}

__all__ = [
    "MANIFEST",
    "Block",
    "CannotDraw",
    "CellRecord",
    "Column",
    "Cost",
    "Coupling",
    "CurveMetric",
    "Drive",
    "Ensemble",
    "Figure",
    "FitContext",
    "Given",
    "Infeasible",
    "Initial",
    "InputError",
    "InvalidOutput",
    "Knowledge",
    "LearnedSolver",
    "Mark",
    "Metric",
    "Model",
    "Pair",
    "PauliSum",
    "PauliTerm",
    "Problem",
    "ProductEnsemble",
    "QdynbenchError",
    "Register",
    "Run",
    "ScoreContext",
    "Segment",
    "Solver",
    "SolverSpec",
    "Span",
    "Status",
    "Table",
    "Task",
    "Term",
    "TrainingData",
    "Unsupported",
    "Window",
    "band",
    "basis",
    "block_length",
    "bonds_of",
    "bootstrap_curve",
    "bootstrap_median",
    "build",
    "compare",
    "data",
    "draw",
    "hash_files",
    "hookimpl",
    "load_run",
    "load_task",
    "logarithmic",
    "moments",
    "observables",
    "own_fit",
    "plan",
    "product",
    "provenance",
    "read_manifest",
    "rounded_up",
    "run",
    "significant",
    "spread",
    "step_spread",
    "suggestion",
    "symmetries",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'qdynbench' has no attribute {name!r}")
