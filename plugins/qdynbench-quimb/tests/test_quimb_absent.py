"""What is said where quimb is absent; these tests need no quimb."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from qdynbench_quimb.tebd import QuimbTebd

from qdynbench import Problem
from qdynbench.testing.exercise import graded_chain


@pytest.mark.parametrize("requirement", ["no-such-peer-of-qdynbench>=1", "quimb>=9000"])
def test_an_absent_or_wrong_version_is_named_with_the_install_line(
    requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdynbench_quimb.tebd.REQUIREMENT", requirement)
    said = QuimbTebd().supports(Problem(3, np.linspace(0, 1, 3), graded_chain(3))) or ""
    assert requirement.partition(">")[0] in said
    assert said.endswith('pip install "qdynbench-quimb[peer]"')


def test_the_solver_is_imported_without_quimb() -> None:
    code = "import sys; sys.modules['quimb'] = None; import qdynbench_quimb.tebd as module; module.QuimbTebd()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
