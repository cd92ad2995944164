"""What the graphs of a rollout record and repeat, with a step whose every call is seen in its result."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from sru_kernels import Rollout
from sru_kernels._graphed import LONGEST, Action, GraphedRollout
from sru_kernels._rollout import SteppedRollout


class Rotation:
    """Turns two amplitudes into each other, by another angle in its first step: a step lost or doubled is seen."""

    def __init__(self, states: torch.Tensor) -> None:
        self.psi = torch.empty(*states.shape, 2, dtype=torch.float64)
        self.restart(states)

    def restart(self, states: torch.Tensor) -> None:
        self.psi.copy_(torch.view_as_real(states))
        self.angle = 0.5

    def __call__(self) -> torch.Tensor:
        first, second = self.psi[:, 0].clone(), self.psi[:, 1].clone()
        self.psi[:, 0] = math.cos(self.angle) * first - math.sin(self.angle) * second
        self.psi[:, 1] = math.sin(self.angle) * first + math.cos(self.angle) * second
        self.angle = 0.01
        return self.psi


def filled(rollout: Rollout, lengths: Sequence[int], every: int) -> torch.Tensor:
    parts = [torch.full((2, length, 2), math.nan, dtype=torch.complex128) for length in lengths]
    for part in parts:
        rollout.advance(part, every)
    return torch.cat(parts, 1)


INITIAL = torch.tensor([[1, 0], [0.6, 0.8j]], dtype=torch.complex128)


@pytest.mark.parametrize(
    ("lengths", "every"),
    [([1], 1), ([2, 1], 1), ([5, 0, 300], 1), ([1, 1, 1, 64, 65], 1), ([1, 33], 3), ([2, 0, 3], 200)],
)
def test_steps_are_made_up_of_recordings_without_one_lost_or_done_in_vain(lengths: Sequence[int], every: int) -> None:
    recorded: list[Action] = []

    def record(action: Action) -> Action:
        recorded.append(action)
        return action

    rollout = GraphedRollout(INITIAL, Rotation(INITIAL), record)
    for initial in (INITIAL, INITIAL.flip(1)):
        result = filled(rollout, lengths, every)
        assert torch.equal(result, filled(SteppedRollout(initial, Rotation(initial)), lengths, every))
        assert len(recorded) <= LONGEST.bit_length()
        rollout.restart(INITIAL.flip(1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="not applicable: recording works here")
def test_without_a_gpu_steps_run_one_by_one_and_it_says_so_once() -> None:
    with pytest.warns(RuntimeWarning) as caught:
        result = filled(GraphedRollout(INITIAL, Rotation(INITIAL)), [20, 20], 1)
    (warning,) = caught
    assert str(warning.message).startswith("sru: no CUDA graph (")
    assert "\n" not in str(warning.message)
    assert torch.equal(result, filled(SteppedRollout(INITIAL, Rotation(INITIAL)), [20, 20], 1))
