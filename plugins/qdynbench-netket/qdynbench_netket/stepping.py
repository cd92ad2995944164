"""Where the integrator stops on a time grid, and in how many steps it gets there. No JAX here."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SLACK = 1e-9
"""A quotient of floating-point times this close to a whole number is one."""


def stopping_points(count: int, spacing: float, step: float) -> NDArray[np.int64]:
    """Return the indices, of `count` equally spaced times, at most `step` apart where the grid allows it."""
    stride = max(1, math.floor(step / spacing + SLACK))
    return np.append(np.arange(0, count - 1, min(stride, count - 1)), count - 1)


def steps_within(stretch: float, step: float) -> int:
    """Return into how many equal steps of at most `step` a stretch falls."""
    return max(1, math.ceil(stretch / step - SLACK))
