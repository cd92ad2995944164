"""Error of the spins site by site, and how much of the initial ones is left."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair, Window


class SpinError(CurveMetric):
    """`sqrt((1/N) sum_i |r_i_pred - r_i_ref|**2)` with the Bloch vectors `r_i = (<X_i>, <Y_i>, <Z_i>)`.

    It needs no state vector, and unlike an error of the mean it sees what only moves from one site to another. The
    overlap of the spins with those at time 0, `(1/N) sum_i r_i(0) r_i(t)`, is kept as a curve, that of the prediction
    also where there is no reference: 1 at first for a product state; from the Neel state the staggered magnetization.
    """

    name = "spin_error"
    reads = ("x", "y", "z")
    observes = True

    def values(self, pair: Pair) -> torch.Tensor | None:
        """Return the error for each state at each time, shape `(B, k)`."""
        start, predicted = pair.prediction.start, _vectors(pair.prediction)
        if start == 0:
            self._start = predicted[:, :1].clone()
        self.keep("spin_overlap", start, _overlap(predicted, self._start))
        if pair.exact is None:
            return None
        exact = _vectors(pair.exact)
        if start == 0:
            self._exact_start = exact[:, :1].clone()
        self.keep("spin_overlap_reference", start, _overlap(exact, self._exact_start))
        return (predicted - exact).square().sum(-1).mean(-1).sqrt()


def _vectors(window: Window) -> torch.Tensor:
    """Return the Bloch vectors, shape `(B, k, N, 3)`."""
    spins = window.spins
    return torch.stack([spins["x"], spins["y"], spins["z"]], dim=-1)


def _overlap(vectors: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    return (vectors * start).sum(-1).mean(-1)
