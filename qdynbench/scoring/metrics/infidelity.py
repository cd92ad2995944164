"""Infidelity, which depends on the phases of the amplitudes."""

from __future__ import annotations

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair


class Infidelity(CurveMetric):
    """`1 - |<ref|pred>|**2 / (<ref|ref> <pred|pred>)`: 0 for the same ray, 1 for orthogonal states or norm 0.

    It does not depend on a global phase or on the norm; the norm has a metric of its own.
    """

    name = "infidelity"
    order = 2

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the infidelity of each state at each time, shape `(B, k)`."""
        return pair.infidelity
