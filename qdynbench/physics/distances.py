"""Distances between two states: as rays, and in the magnitudes of their amplitudes."""

from __future__ import annotations

import torch

from qdynbench.physics.observables import probability, summed

FLOOR = 1e-12
"""Smallest predicted share Q(x) of an amplitude. Smaller shares are raised to it, so that D(P||Q) stays finite."""


def ray_distance(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Return the infidelity for states of one shape `(..., 2**N)`, between 0 and 1, shape `(...)`.

    It is computed as the squared norm of the part of `prediction` that is orthogonal to `reference`, divided by the
    squared norm of `prediction`. This resolves values down to 1e-31; one minus an overlap would stop at 1e-16.
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


def magnitude_divergence(reference: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Return D(P||Q) for states of one shape `(..., 2**N)`, not necessarily normalised; at least 0, shape `(...)`.

    P and Q each sum to 1, so eq. 4 equals the sum of `P log(P/Q) - P + Q`. Its terms are at least 0 and of second order
    in Q - P, so they do not cancel, and values far below the rounding error of 1e-16 are resolved. Q is raised to
    `FLOOR`, but not above P, which changes D by less than `2**N * FLOOR`. The convention is 0 log 0 = 0.
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
    # |log(Q/P)| is log1p(larger / smaller - 1), which is accurate for close and for very different shares.
    # Where P = 0 the quotient is huge but finite, and P times its logarithm is 0 as it should be.
    ratio = torch.log1p(difference.abs() / torch.minimum(p, q).clamp_min(tiny))
    return (difference - p * ratio.copysign(difference)).sum(-1)
