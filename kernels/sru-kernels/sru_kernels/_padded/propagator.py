"""The choice between the kernels of a `padded` rollout."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sru_kernels._padded.folded import FoldedPadded
from sru_kernels._padded.steps import PaddedStep
from sru_kernels._propagator import Propagator
from sru_kernels._rollout import Restartable, Rollout, Step
from sru_kernels._scan import implementation


class PaddedPropagator(Propagator):
    """Starts rollouts of a `padded` network.

    Args:
        folded: the network for one size.
        device: "cpu" or "cuda".
    """

    def __init__(self, folded: FoldedPadded, device: str) -> None:
        self._folded = folded.to(device)
        super().__init__(folded.dimension, device)

    def _loops(self, states: torch.Tensor) -> Rollout:
        from sru_kernels._padded.cpu import CompiledPaddedRollout

        return CompiledPaddedRollout(self._folded, states)

    def _step(self, states: torch.Tensor) -> Step:
        return PaddedStep(self._folded, states)

    def _fused(self, states: torch.Tensor) -> Callable[[], Restartable] | None:
        if implementation("cuda") != "gpu":
            return None
        from sru_kernels._padded.gpu import padded_rollout

        return lambda: padded_rollout(self._folded, states)
