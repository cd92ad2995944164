"""What a tensor network has thrown away."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class Truncation(CurveMetric):
    """Accumulated discarded weight (squared Schmidt values) as the solver reports it; left out where it reports none.

    It needs no reference, and it is no error bound: what a time step costs beside it is not seen.
    """

    name = "truncation"
    reads = ("truncation",)
    needs_reference = False

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the weight discarded up to each time, shape `(B, k)`."""
        return pair.prediction.truncation
