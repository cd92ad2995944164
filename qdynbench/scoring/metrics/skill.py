"""Skill relative to persistence, the forecast that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair
from qdynbench.physics.distances import magnitude_divergence
from qdynbench.stats import Interval, ratio_of_means

PERSISTENCE = "persistence_relative_entropy"
"""Name of the curve of D for persistence, which is kept beside the skill."""

ROUNDING = 1e-26
"""Relative entropy of magnitudes that agree to 13 digits; smaller values are rounding errors."""


class Skill(CurveMetric):
    """`1 - D / D_persistence`: 1 is perfect, 0 is as good as predicting no change, and negative values are worse.

    D is the relative entropy of `mean_relative_entropy`; persistence predicts the initial state of the reference. Where
    persistence makes no error (at time 0, or for a state that keeps all magnitudes) the skill is undefined: nan.
    Over many states the ratio of the means of both D is taken, as usual for skill scores, so that states that hardly
    change, whose own ratio is arbitrary, hardly count.
    """

    name = "skill"
    better = "higher"

    def values(self, pair: Pair) -> torch.Tensor:
        """Return the skill for each state at each time, shape `(B, k)`."""
        exact, _ = pair.states
        start = pair.reference.start
        if start == 0:
            self._unmoved = exact[:, :1].clone()  # a block is only valid until the next one is asked for
        persistence = magnitude_divergence(exact, self._unmoved.expand_as(exact))
        self.keep(PERSISTENCE, start, persistence)
        skill = 1 - pair.relative_entropy / persistence
        undefined = persistence < ROUNDING
        if start == 0:
            undefined[:, 0] = True
        return skill.masked_fill(undefined, torch.nan)

    @classmethod
    def summarise(cls, arrays: Mapping[str, NDArray[np.float64]], step: int | None) -> Interval:
        """Return one minus the ratio of the mean relative entropies over the states where skill is defined."""
        skill, persistence = arrays[cls.name][:, step], arrays[PERSISTENCE][:, step]
        defined = np.isfinite(skill)
        ratio, low, high = ratio_of_means(((1 - skill) * persistence)[defined], persistence[defined])
        return (1 - ratio, 1 - high, 1 - low)
