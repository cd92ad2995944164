"""Infidelity, the measure that sees phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.metric import CurveMetric
from qdynbench.metrics._pairs import once_per_pair, states_of
from qdynbench.physics.observables import by_chunks

if TYPE_CHECKING:
    from qdynbench.window import Window


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
    return by_chunks(_orthogonal_share, reference, prediction)


def _orthogonal_share(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    reference_norm = torch.linalg.vector_norm(reference, dim=-1, keepdim=True)
    prediction_norm = torch.linalg.vector_norm(prediction, dim=-1, keepdim=True)
    tiny = torch.finfo(torch.float64).tiny
    a, b = reference / reference_norm.clamp_min(tiny), prediction / prediction_norm.clamp_min(tiny)
    orthogonal = b - a * (a.conj() * b).sum(-1, keepdim=True)
    share = torch.linalg.vector_norm(orthogonal, dim=-1).square().clamp_max(1)
    return torch.where((reference_norm * prediction_norm).squeeze(-1) == 0, torch.ones_like(share), share)
