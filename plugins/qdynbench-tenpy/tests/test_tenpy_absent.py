"""What is said where TeNPy is absent; these tests need no TeNPy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from qdynbench_tenpy.solvers import TenpyTdvp, TenpyTebd

from qdynbench import Problem
from qdynbench.testing.exercise import graded_chain
from qdynbench.toolkit.matrix_product import MatrixProductSolver


@pytest.mark.parametrize("solver", [TenpyTebd, TenpyTdvp])
@pytest.mark.parametrize("requirement", ["no-such-peer-of-qdynbench>=1", "physics-tenpy>=9000"])
def test_an_absent_or_wrong_version_is_named_with_the_install_line(
    solver: type[MatrixProductSolver], requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdynbench_tenpy.solvers.REQUIREMENT", requirement)
    said = solver().supports(Problem(3, np.linspace(0, 1, 3), graded_chain(3))) or ""
    assert requirement.partition(">")[0] in said
    assert said.endswith('pip install "qdynbench-tenpy[peer]"')


def test_the_solvers_are_imported_without_tenpy() -> None:
    code = "import sys; sys.modules['tenpy'] = None; import qdynbench_tenpy.solvers as s; s.TenpyTebd(), s.TenpyTdvp()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
