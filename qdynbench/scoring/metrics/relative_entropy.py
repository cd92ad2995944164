"""Mean relative entropy, the accuracy measure of Zhang et al., Chin. Phys. Lett. 37, 018401 (2020), eq. 4 to 7."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class MeanRelativeEntropy(CurveMetric):
    """Relative entropy D(P||Q), natural log, of the magnitudes of reference (P) and prediction (Q); Fig. 4.

    Eq. 5 and 6 normalise magnitudes and not probabilities: `P = |psi_ref| / sum |psi_ref|`, Q likewise. There is one
    value per state; the table takes the mean of eq. 7. Phases have no effect, so infidelity has to be read as well.
    """

    name = "mean_relative_entropy"
    order = 2

    def values(self, pair: Pair) -> torch.Tensor:
        """Return D(P||Q) of each state at each time, shape `(B, k)`."""
        return pair.relative_entropy
