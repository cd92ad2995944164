"""The choice between the kernels of a `local` rollout."""

from __future__ import annotations

import torch

from sru_kernels._local.folded import FoldedLocal
from sru_kernels._local.steps import LocalStep, TorchTables
from sru_kernels._propagator import Propagator
from sru_kernels._rollout import Rollout, Step


class LocalPropagator(Propagator):
    """Starts rollouts of a `local` network.

    Args:
        folded: the network for one size, on the CPU.
        device: "cpu" or "cuda".
    """

    def __init__(self, folded: FoldedLocal, device: str) -> None:
        self._folded = folded
        super().__init__(folded.dimension, device)
        if not self.compiled:
            self._tables = TorchTables(folded, device)

    def _loops(self, states: torch.Tensor) -> Rollout:
        from sru_kernels._local.cpu import CompiledLocalRollout

        return CompiledLocalRollout(self._folded, states)

    def _step(self, states: torch.Tensor) -> Step:
        return LocalStep(self._tables, states)
