"""Mean relative entropy, the accuracy measure of Zhang et al., Chin. Phys. Lett. 37, 018401 (2020), eq. 4 to 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.physics.observables import summed
from qdynbench.scoring.metrics._pairs import once_per_pair, states_of

if TYPE_CHECKING:
    from qdynbench.contract.window import Window

FLOOR = 1e-12
"""Smallest predicted share Q(x) of an amplitude that is told apart from zero, so that D(P||Q) stays finite."""


class MeanRelativeEntropy(CurveMetric):
    """Relative entropy D(P||Q), natural log, of the magnitudes of reference (P) and prediction (Q); Fig. 4.

    Eq. 5 and 6 normalise magnitudes and not probabilities: `P = |psi_ref| / sum |psi_ref|`, Q likewise. The mean of
    eq. 7 over the test states is left to the table: values are per state. Blind to phases: read beside infidelity.
    """

    name = "mean_relative_entropy"

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return D(P||Q) of each state at each time, shape `(B, k)`."""
        return relative_entropy(prediction, reference)


@once_per_pair
def relative_entropy(prediction: Window, reference: Window) -> torch.Tensor:
    """Return D(P||Q) of reference (P) and prediction (Q), shape `(B, k)`."""
    return magnitude_divergence(states_of(reference), states_of(prediction))


def magnitude_divergence(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Return D(P||Q) for states of one shape `(..., 2**N)`, not necessarily normalised; at least 0, shape `(...)`.

    Both sums are 1, so eq. 4 is the sum of `P log(P/Q) - P + Q`, whose terms are all at least 0 and of second order in
    Q - P: no rounding error of 1e-16 is left where P log(P/Q) alone would cancel, and values far below that resolve.
    Q is raised to `FLOOR`, but not above P, which changes D by less than `2**N * FLOOR`; 0 log 0 = 0.
    """
    sums = tuple(summed(lambda part: part.abs().sum(-1), states) for states in (reference, prediction))
    return summed(_divergence, reference, prediction, given=sums).clamp_min(0)


def _divergence(
    reference: torch.Tensor, prediction: torch.Tensor, reference_sum: torch.Tensor, prediction_sum: torch.Tensor
) -> torch.Tensor:
    tiny = torch.finfo(torch.float64).tiny
    p = reference.abs() / reference_sum.clamp_min(tiny)
    q = prediction.abs() / prediction_sum.clamp_min(tiny)
    q = torch.maximum(q, p.clamp_max(FLOOR))
    difference = q - p
    # log(Q/P) by log1p of the larger over the smaller less one, exact for near and for very different shares alike.
    # Where P = 0 that quotient is huge but finite, and P times its logarithm is 0 as it should be.
    ratio = torch.log1p(difference.abs() / torch.minimum(p, q).clamp_min(tiny))
    return (difference - p * ratio.copysign(difference)).sum(-1)
