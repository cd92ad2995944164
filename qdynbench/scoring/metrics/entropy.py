"""Error of the entanglement entropy."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class EntropyError(CurveMetric):
    """`|S_pred - S_ref|` with S the von Neumann entropy (natural log) of the left `N // 2` sites.

    The entropies themselves are kept as curves, that of the prediction also where there is no reference.
    """

    name = "entropy_error"
    reads = ("entropy",)
    observes = True

    def values(self, pair: Pair) -> torch.Tensor | None:
        """Return the error for each state at each time, shape `(B, k)`."""
        prediction, exact = pair.prediction, pair.exact
        self.keep("entropy", prediction.start, prediction.entropy)
        if exact is None:
            return None
        self.keep("entropy_reference", exact.start, exact.entropy)
        return (prediction.entropy - exact.entropy).abs()
