"""The forward-backward echo: how near an evolution under H and then -H comes to where it began.

It is no metric of a trajectory but a phase of its own, `qdynbench.runner.echo`, with a score.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.physics.distances import ray_distance
from qdynbench.record.schema import Score
from qdynbench.stats import bootstrap_mean

ECHO = "echo_infidelity"


class Echo:
    """`1 - |<psi(0)| U(-H) U(H) |psi(0)>|**2` of normalised states over the whole grid; one value a sample.

    It needs no reference: an exact evolution returns to its initial state. Necessary and not sufficient, as a wrong H
    or a wrong time returns just as well.

    Args:
        initial: states `(n, 2**N)` before.
        returned: the same states after the way there and back.
    """

    def __init__(self, initial: torch.Tensor, returned: NDArray[np.complex128]) -> None:
        self.values: NDArray[np.float64] = ray_distance(initial, torch.from_numpy(returned)).numpy()

    def score(self) -> Score:
        """Return the mean over the states with its interval."""
        value, low, high = bootstrap_mean(self.values)
        return Score(metric=ECHO, step=None, value=value, low=low, high=high, unit="1")

    def curve(self, states: int) -> NDArray[np.float32]:
        """Return a value for each of `states` test states; nan for those that were not led back."""
        values = np.full(states, np.nan, dtype=np.float32)
        values[: len(self.values)] = self.values
        return values
