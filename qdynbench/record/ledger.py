"""What a number of trajectories costs, all phases counted, and where two solvers break even."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qdynbench.record.schema import CellRecord, FitRecord


@dataclass(frozen=True)
class Bill:
    """The whole cost of `n` trajectories: `fixed + n * each`, in seconds."""

    fixed: float
    each: float

    def total(self, trajectories: float) -> float:
        """Return the cost of that many trajectories."""
        return self.fixed + trajectories * self.each


def bill(cell: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None) -> Bill | None:
    """Return the bill of a cell, or None when it was not timed.

    Args:
        cell: the cell.
        fits: of the run: data and training are paid before the first trajectory, whenever they were paid.
        batch_size: states per call; default: the one with the cheapest trajectory.
    """
    each = {timing.batch_size: float(np.median(timing.seconds)) / timing.batch_size for timing in cell.ledger.solve}
    if not each or (batch_size is not None and batch_size not in each):
        return None
    fit = fits.get(cell.solver)
    learning = (fit.data_time or 0.0) + (fit.fit_time or 0.0) if fit is not None else 0.0
    fixed = learning + (cell.ledger.prepare_time or 0.0)
    return Bill(fixed, min(each.values()) if batch_size is None else each[batch_size])


def break_even(
    cell: CellRecord, other: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None
) -> float:
    """Return the number of trajectories from which on `cell` costs less than `other`.

    0 when it always does, infinity when it never does, nan when one of them was not timed.
    """
    ours, theirs = bill(cell, fits, batch_size), bill(other, fits, batch_size)
    if ours is None or theirs is None:
        return math.nan
    if ours.each >= theirs.each:
        return math.inf
    return max(0.0, math.ceil((ours.fixed - theirs.fixed) / (theirs.each - ours.each)))
