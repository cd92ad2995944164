"""Rounding: the error of a state that it makes by itself on a problem's grid, and what it leaves of a tolerance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from qdynbench.toolkit.schedule import piece_count, total_action

if TYPE_CHECKING:
    from qdynbench.contract.problem import Problem

EPSILON = {"double": float(np.finfo(np.float64).eps), "single": float(np.finfo(np.float32).eps)}


def reachable_error(problem: Problem, precision: Literal["double", "single"]) -> float:
    """Return about how large a 2-norm error rounding alone makes by the last time.

    Every step rounds the state anew, and every phase `|E| t` carries the relative error of `E`.
    """
    return EPSILON[precision] * (math.sqrt(problem.steps) + total_action(problem) / 4)


def error_per_piece(problem: Problem, tolerance: float) -> float:
    """Return the truncation error that each piece of the grid may make: half of the tolerance is left to rounding."""
    return 0.5 * tolerance / piece_count(problem)


def refused(problem: Problem, tolerance: float, precision: Literal["double", "single"]) -> str | None:
    """Return why `tolerance` cannot be reached in `precision` on this grid, with the least that can, or None."""
    if not 0 < tolerance < 1:
        return f"tolerance={tolerance:g} is no error of a state: it lies between 0 and 1"
    least = reachable_error(problem, precision)
    if tolerance >= least:
        return None
    return f"tolerance={tolerance:g} is out of reach: {precision} precision rounds to about {least:.1g} on this grid"
