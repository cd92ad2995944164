"""How long a prediction can be trusted."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.metric import Metric
from qdynbench.contract.window import Pair, ScoreContext


class ValidTime(Metric):
    """First time of the grid (not interpolated) at which the infidelity is above `threshold`; one value a sample.

    A prediction that never passes the threshold has the last time of the grid: read that as "at least".
    """

    name = "valid_time"
    unit = "1/energy"
    better = "higher"
    per_time = False
    threshold: ClassVar[float] = 0.01

    def __init__(self, context: ScoreContext) -> None:
        super().__init__(context)
        self._first = torch.full((len(context.initial),), len(context.times) - 1)

    def update(self, pair: Pair) -> None:
        """Look for the first time above the threshold in this window."""
        above = (pair.infidelity > self.threshold).cpu()
        # argmax of booleans is the first True
        first = torch.where(above.any(1), pair.prediction.start + above.int().argmax(1), self._first)
        self._first = torch.minimum(self._first, first)

    def result(self) -> NDArray[np.float64]:
        """Return the valid time of each sample, shape `(B,)`."""
        return np.take(self.context.times, self._first.numpy())
