"""Infidelity, the measure that sees phases."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class Infidelity(CurveMetric):
    """`1 - |<ref|pred>|**2 / (<ref|ref> <pred|pred>)`: 0 for the same ray, 1 for orthogonal states or no norm at all.

    A global phase and the norm do not count; the norm has a metric of its own.
    """

    name = "infidelity"

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the infidelity of each state at each time, shape `(B, k)`."""
        return pair.infidelity
