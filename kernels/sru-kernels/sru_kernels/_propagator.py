"""A network made ready for one size and device, and the choice of the kernels that carry out its rollouts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from sru_kernels._graphed import Graphed
from sru_kernels._rollout import Restartable, Rollout, Step, SteppedRollout
from sru_kernels._scan import implementation


class Propagator(ABC):
    """Starts rollouts: compiled loops on a CPU, graphs or one fused kernel on a GPU, and else one step after the other.

    Args:
        dimension: number of amplitudes of a state, `2**N`.
        device: "cpu" or "cuda".
    """

    def __init__(self, dimension: int, device: str) -> None:
        self._graphed = Graphed()
        self.compiled = device == "cpu" and implementation("cpu") == "cpu"
        """Whether rollouts are compiled loops on the CPU."""
        if self.compiled:
            # Compiles, where this machine has not done so before: a cost of getting ready, not of the first states.
            one = torch.zeros(1, dimension, dtype=torch.complex128)
            one[0, 0] = 1
            self.start(one).advance(one.new_empty(1, 2, dimension))

    def start(self, states: torch.Tensor) -> Rollout:
        """Begin at initial states, complex128, normalised, shape `(B, 2**N)`; on a GPU this ends the one before."""
        if self.compiled:
            return self._loops(states)
        if states.is_cuda:
            return self._graphed.start(states, lambda: self._step(states), self._fused(states))
        return SteppedRollout(states, self._step(states))

    @abstractmethod
    def _loops(self, states: torch.Tensor) -> Rollout:
        """Begin a rollout by compiled loops on the CPU."""

    @abstractmethod
    def _step(self, states: torch.Tensor) -> Step:
        """Return a step in torch, started at these states."""

    def _fused(self, states: torch.Tensor) -> Callable[[], Restartable] | None:
        """Return what begins a rollout by GPU kernels of our own, or None where there are none."""
        return None
