"""Infidelity, the measure that sees phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.contract.metric import CurveMetric
from qdynbench.physics.observables import probability, summed
from qdynbench.scoring.metrics._pairs import once_per_pair, states_of

if TYPE_CHECKING:
    from qdynbench.contract.window import Window


class Infidelity(CurveMetric):
    """`1 - |<ref|pred>|**2 / (<ref|ref> <pred|pred>)`: 0 for the same ray, 1 for orthogonal states or no norm at all.

    A global phase and the norm do not count; the norm has a metric of its own.
    """

    name = "infidelity"

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the infidelity of each state at each time, shape `(B, k)`."""
        return infidelity(prediction, reference)


@once_per_pair
def infidelity(prediction: Window, reference: Window) -> torch.Tensor:
    """Return the infidelity of prediction and reference, shape `(B, k)`."""
    return ray_distance(states_of(reference), states_of(prediction))


def ray_distance(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Return the infidelity for states of one shape `(..., 2**N)`, between 0 and 1, shape `(...)`.

    It is the squared norm of the part of `prediction` that is orthogonal to `reference`, in units of its own: one minus
    an overlap would resolve nothing below 1e-16, this resolves 1e-31.
    """
    reference_weight, prediction_weight, real, imaginary = summed(_products, reference, prediction).unbind(-1)
    tiny = torch.finfo(torch.float64).tiny
    overlap = torch.complex(real, imaginary) / reference_weight.clamp_min(tiny)
    orthogonal = summed(_orthogonal, reference, prediction, given=(overlap,))
    share = (orthogonal / prediction_weight.clamp_min(tiny)).clamp_max(1)
    return torch.where(reference_weight * prediction_weight == 0, torch.ones_like(share), share)


def _products(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Return `<ref|ref>`, `<pred|pred>` and the real and imaginary part of `<ref|pred>`, over the last dimension."""
    overlap = (reference.conj() * prediction).sum(-1)
    weights = [probability(reference).sum(-1), probability(prediction).sum(-1)]
    return torch.stack([*weights, overlap.real, overlap.imag], dim=-1)


def _orthogonal(reference: torch.Tensor, prediction: torch.Tensor, overlap: torch.Tensor) -> torch.Tensor:
    return probability(prediction - overlap * reference).sum(-1)
