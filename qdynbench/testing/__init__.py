"""The conformance kit: does a solver keep the contract, and does it know what is known exactly?

In a plugin's tests, one class is all it takes:

    from qdynbench.testing import ConformanceTests

    class TestMySolver(ConformanceTests):
        solver = MySolver

From Python, `run_checks(MySolver, {})` returns the list that `qdynbench check` prints; `check_model(MyModel)`,
`check_ensemble(MyEnsemble)` and `check_metric(MyMetric)` do the same for what is no solver, and `passed` judges a list.

For tests of your own:

- `qdynbench.testing.trajectories`: pose a problem, run any solver over it, compare with exact evolution.
- `qdynbench.testing.matrix_product`: truncation, observables, drives and long chains of matrix product states.
- `qdynbench.testing.absence`: what a solver says where the package it needs is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdynbench.testing.kit import passed, run_checks
    from qdynbench.testing.others import check_ensemble, check_metric, check_model
    from qdynbench.testing.outcome import CheckResult
    from qdynbench.testing.suite import ConformanceTests

_HOME = {
    "CheckResult": "outcome",
    "ConformanceTests": "suite",
    "check_ensemble": "others",
    "check_metric": "others",
    "check_model": "others",
    "passed": "kit",
    "run_checks": "kit",
}

__all__ = ["CheckResult", "ConformanceTests", "check_ensemble", "check_metric", "check_model", "passed", "run_checks"]


def __getattr__(name: str) -> Any:
    # pytest, which the suite needs, is not a dependency of the package.
    if name in _HOME:
        return getattr(importlib.import_module(f"qdynbench.testing.{_HOME[name]}"), name)
    raise AttributeError(f"module 'qdynbench.testing' has no attribute {name!r}")
