"""The forward-backward echo: the distance to the initial state after an evolution under H and then -H.

It is no metric of a trajectory but a phase of its own, `qdynbench.runner.echo`, with a score.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.physics.distances import ray_distance
from qdynbench.record.schema import ECHO, Score
from qdynbench.stats import mean_of


class Echo:
    """`1 - |<psi(0)| U(-H) U(H) |psi(0)>|**2` of normalised states over the whole grid, one value per sample.

    It needs no reference, since an exact evolution returns to its initial state. A small value is necessary but not
    sufficient: an evolution with a wrong H or a wrong time returns as well.

    Args:
        initial: initial states, shape `(n, 2**N)`.
        returned: the same states after the evolution forward and back.
    """

    def __init__(self, initial: torch.Tensor, returned: NDArray[np.complex128]) -> None:
        self.values: NDArray[np.float64] = ray_distance(initial, torch.from_numpy(returned)).numpy()

    def score(self) -> Score:
        """Return the mean over the states with its interval."""
        value, low, high = mean_of(self.values)
        return Score(metric=ECHO, step=None, value=value, low=low, high=high, unit="1")

    def curve(self, states: int) -> NDArray[np.float32]:
        """Return a value for each of `states` test states; nan for those without an echo."""
        values = np.full(states, np.nan, dtype=np.float32)
        values[: len(self.values)] = self.values
        return values
