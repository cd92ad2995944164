"""Skill against persistence, the forecast that nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from qdynbench.metric import CurveMetric
from qdynbench.metrics._pairs import states_of
from qdynbench.metrics.relative_entropy import magnitude_divergence, relative_entropy

if TYPE_CHECKING:
    from qdynbench.window import Window

ROUNDING = 1e-26
"""Relative entropy of magnitudes that agree to 13 digits: less than this is rounding and not motion."""


class Skill(CurveMetric):
    """`1 - D / D_persistence`: 1 is perfect, 0 no better than saying that the state stays as it was, below 0 worse.

    D is the relative entropy of `mean_relative_entropy`; persistence predicts the reference's own initial state. Where
    persistence makes no error (at time 0, or for a state that keeps all magnitudes) skill is not defined: nan.
    """

    name = "skill"
    summary = "One minus the relative entropy in units of that of persistence, the forecast that nothing moves"
    better = "higher"

    def values(self, prediction: Window, reference: Window) -> torch.Tensor:
        """Return the skill for each state at each time, shape `(B, k)`."""
        exact = states_of(reference)
        unmoved = self.context.initial.to(exact.device).unsqueeze(1).expand_as(exact)
        persistence = magnitude_divergence(exact, unmoved)
        skill = 1 - relative_entropy(prediction, reference) / persistence
        undefined = persistence < ROUNDING
        if reference.start == 0:
            undefined[:, 0] = True
        return skill.masked_fill(undefined, torch.nan)
