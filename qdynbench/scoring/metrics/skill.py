"""Skill against persistence, the forecast that nothing moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.metric import CurveMetric
from qdynbench.contract.window import Pair
from qdynbench.physics.distances import magnitude_divergence
from qdynbench.stats import Interval, bootstrap_ratio_of_means

PERSISTENCE = "persistence_relative_entropy"
"""Name of the curve of persistence's own D, which is kept beside the skill."""

ROUNDING = 1e-26
"""Relative entropy of magnitudes that agree to 13 digits: less than this is rounding and not motion."""


class Skill(CurveMetric):
    """`1 - D / D_persistence`: 1 is perfect, 0 no better than saying that the state stays as it was, below 0 worse.

    D is the relative entropy of `mean_relative_entropy`; persistence predicts the reference's own initial state. Where
    persistence makes no error (at time 0, or for a state that keeps all magnitudes) skill is not defined: nan.
    Over many states the means of both D are compared, as in any skill score: a state that hardly moves, whose own
    quotient may be anything, then hardly counts.
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
        ratio, low, high = bootstrap_ratio_of_means(((1 - skill) * persistence)[defined], persistence[defined])
        return (1 - ratio, 1 - high, 1 - low)
