"""Whole trajectories of the first test states, if the task asks for them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.window import ScoreContext, Window
from qdynbench.record.schema import TRAJECTORIES


class KeptTrajectories:
    """Keeps the first samples of prediction and reference in one portion of test states, complex64.

    Args:
        states: number of samples to keep; it may be negative or larger than the portion.
        context: the context of the portion.
    """

    def __init__(self, states: int, context: ScoreContext) -> None:
        self._states = min(max(0, states), len(context.initial))
        self._shape = (self._states, len(context.times), 2**context.size)
        self.arrays: tuple[NDArray[np.complex64], ...] = ()

    def take(self, prediction: Window, reference: Window) -> None:
        """Keep the same times of both; nothing is kept of a prediction without states."""
        if not self._states or prediction.states is None or reference.states is None:
            return
        if not self.arrays:
            self.arrays = tuple(np.zeros(self._shape, np.complex64) for _ in TRAJECTORIES)
        for array, states in zip(self.arrays, (prediction.states, reference.states), strict=True):
            array[:, prediction.start : prediction.end] = states[: self._states].cpu().numpy()


def joined(portions: Iterable[KeptTrajectories]) -> dict[str, NDArray[np.generic]]:
    """Return the kept arrays of a cell by name, each of shape `(n, T+1, 2**N)`, or none."""
    kept = [portion.arrays for portion in portions if portion.arrays]
    if not kept:
        return {}
    return {name: np.concatenate(arrays) for name, arrays in zip(TRAJECTORIES, zip(*kept, strict=True), strict=True)}
