"""The Triton scan: `checks/scan_gpu.py` interpreted on every machine, and compiled where there is a GPU.

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


def run(name, interpreted):
    """Run the tests of one file in a process of its own."""
    environment = os.environ | {"TRITON_INTERPRET": "1" if interpreted else "0"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", str(CHECKS / name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_interpreted():
    run("scan_gpu.py", interpreted=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_compiled():
    run("scan_gpu.py", interpreted=False)
