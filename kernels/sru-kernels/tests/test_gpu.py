"""The Triton kernels: the files in `checks/`, interpreted on every machine, and compiled where there is a GPU.

Triton decides at import whether it interprets, so each way is a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="not applicable: triton exists for Linux alone")

CHECKS = Path(__file__).parent / "checks"
FILES = ["scan_gpu.py", "gpu_rollout.py"]


def run(name: str, *, interpreted: bool) -> None:
    """Run the tests of one file in a process of its own."""
    environment = os.environ | {"TRITON_INTERPRET": "1" if interpreted else "0"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", str(CHECKS / name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_interpreted(name: str) -> None:
    run(name, interpreted=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", FILES)
def test_compiled(name: str) -> None:
    run(name, interpreted=False)
