"""Rollouts on a GPU: what the graphs record, and `checks/gpu_rollout.py` interpreted and, on a GPU, compiled."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from qdynbench_sru.graphed import LONGEST, GraphedRollout
from qdynbench_sru.network import SteppedRollout

CHECKS = Path(__file__).parent / "checks" / "gpu_rollout.py"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="not applicable: triton exists for Linux alone"
)


def run(interpreted):
    """Run the checks in a process of its own: Triton decides at import whether it interprets."""
    environment = os.environ | {"TRITON_INTERPRET": "1" if interpreted else "0"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", str(CHECKS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_triton
def test_interpreted():
    run(interpreted=True)


@needs_triton
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_compiled():
    run(interpreted=False)


class Rotation:
    """Turns two amplitudes into each other, by another angle in its first step: a step lost or doubled is seen."""

    def __init__(self, states):
        self.psi = torch.empty(*states.shape, 2, dtype=torch.float64)
        self.restart(states)

    def restart(self, states):
        self.psi.copy_(torch.view_as_real(states))
        self.angle = 0.5

    def __call__(self):
        first, second = self.psi[:, 0].clone(), self.psi[:, 1].clone()
        self.psi[:, 0] = math.cos(self.angle) * first - math.sin(self.angle) * second
        self.psi[:, 1] = math.sin(self.angle) * first + math.cos(self.angle) * second
        self.angle = 0.01
        return self.psi


def filled(rollout, lengths, every):
    parts = [torch.full((2, length, 2), math.nan, dtype=torch.complex128) for length in lengths]
    for part in parts:
        rollout.advance(part, every)
    return torch.cat(parts, 1)


INITIAL = torch.tensor([[1, 0], [0.6, 0.8j]], dtype=torch.complex128)


@pytest.mark.parametrize(
    ("lengths", "every"),
    [([1], 1), ([2, 1], 1), ([5, 0, 300], 1), ([1, 1, 1, 64, 65], 1), ([1, 33], 3), ([2, 0, 3], 200)],
)
def test_steps_are_made_up_of_recordings_without_one_lost_or_done_in_vain(lengths, every):
    recorded = []

    def record(action):
        recorded.append(action)
        return action

    rollout = GraphedRollout(INITIAL, Rotation(INITIAL), record)
    for initial in (INITIAL, INITIAL.flip(1)):
        result = filled(rollout, lengths, every)
        assert torch.equal(result, filled(SteppedRollout(initial, Rotation(initial)), lengths, every))
        assert len(recorded) <= LONGEST.bit_length()
        rollout.restart(INITIAL.flip(1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="not applicable: recording works here")
def test_without_a_gpu_steps_run_one_by_one_and_it_says_so_once():
    with pytest.warns(RuntimeWarning) as caught:
        result = filled(GraphedRollout(INITIAL, Rotation(INITIAL)), [20, 20], 1)
    (warning,) = caught
    assert str(warning.message).startswith("sru: no CUDA graph (")
    assert "\n" not in str(warning.message)
    assert torch.equal(result, filled(SteppedRollout(INITIAL, Rotation(INITIAL)), [20, 20], 1))
