"""The weight that a tensor network has discarded."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class Truncation(CurveMetric):
    """Accumulated discarded weight (squared Schmidt values) as the solver reports it; left out if it reports none.

    It needs no reference. It is no bound on the error, since it does not contain the errors of the time steps.
    """

    name = "truncation"
    reads = ("truncation",)
    needs_reference = False

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the weight discarded up to each time, shape `(B, k)`."""
        return pair.prediction.truncation
