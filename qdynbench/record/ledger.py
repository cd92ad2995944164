"""The total cost of a number of trajectories in all phases, and the break-even of two solvers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qdynbench.record.schema import CellRecord, FitRecord
from qdynbench.stats import Interval, ends, savings


@dataclass(frozen=True)
class Bill:
    """The total cost of `n` trajectories, `fixed + n * each` seconds.

    Attributes:
        fixed: seconds for training data, training and preparation, which are paid once.
        batch_size: states per call.
        rounds: seconds of one trajectory, a value for each round.
    """

    fixed: float
    batch_size: int
    rounds: NDArray[np.float64]

    @property
    def each(self) -> float:
        """Seconds of one trajectory, the median over rounds."""
        return float(np.median(self.rounds))


def bill(cell: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None) -> Bill | None:
    """Return the bill of a cell, or None when it was not timed.

    Args:
        cell: the cell.
        fits: the fits of the run, whose cost counts even if they were made by an earlier run.
        batch_size: states per call; default: the one with the cheapest trajectory.
    """
    fit = fits.get(cell.solver)
    learning = (fit.data_time or 0.0) + (fit.fit_time or 0.0) if fit is not None else 0.0
    fixed = learning + (cell.ledger.prepare_time or 0.0)
    bills = [
        Bill(fixed, timing.batch_size, np.array(timing.seconds) / timing.batch_size)
        for timing in cell.ledger.solve
        if timing.seconds and batch_size in {None, timing.batch_size}
    ]
    return min(bills, key=lambda one: one.each, default=None)


def paired(cell: CellRecord, other: CellRecord) -> bool:
    """Return whether the rounds of two cells alternated, so that a drift of the machine affects both."""
    return cell.ledger.rounds_id is not None and cell.ledger.rounds_id == other.ledger.rounds_id


def break_even(
    cell: CellRecord, other: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None
) -> Interval | None:
    """Return the number of trajectories from which on `cell` costs less than `other`, with its 95 % interval.

    It is 0 if `cell` always costs less, and infinite if it never does. The interval comes from the rounds of both;
    the fixed costs have none. Return None if one of the two was not timed.
    """
    ours, theirs = bill(cell, fits, batch_size), bill(other, fits, batch_size)
    if ours is None or theirs is None:
        return None
    together = paired(cell, other) and ours.batch_size == theirs.batch_size
    saved = savings(ours.rounds, theirs.rounds, paired=together)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.maximum(0.0, np.ceil((ours.fixed - theirs.fixed) / saved))
    counts = np.where(saved > 0, crossing, np.inf)
    return float(counts[0]), *ends(counts[1:])
