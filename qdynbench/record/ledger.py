"""The total cost of a number of trajectories in all phases, and the break-even of two solvers."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

from qdynbench.record.schema import CellRecord, FitRecord, SolveTiming
from qdynbench.stats import Interval, apart, difference, ratio_of, time_of


@dataclass(frozen=True)
class Bill:
    """The total cost of `n` trajectories, `fixed + n * each` seconds.

    Attributes:
        fixed: seconds that are paid once: training data, training, imports, preparation and compilation.
        timing: how a call was timed.
    """

    fixed: float
    timing: SolveTiming

    @property
    def each(self) -> float:
        """Seconds of one trajectory."""
        return self.timing.seconds / self.timing.batch_size


class Cheaper(enum.Enum):
    """For which numbers of trajectories a solver is the cheaper one."""

    ALWAYS = "always"
    NEVER = "never"
    FROM = "from"
    BELOW = "below"


@dataclass(frozen=True)
class BreakEven:
    """For which numbers of trajectories one solver costs less than another, in all phases together.

    Attributes:
        cheaper: whether from a number on, below a number, always or never.
        number: that number and its 95 % interval. An upper end that is infinite says that it may never be reached, and
            then the estimate can be infinite as well; without an interval the ends are nan.
    """

    cheaper: Cheaper
    number: Interval

    @property
    def decided(self) -> bool:
        """Whether the interval of times is narrow enough for a number, or for none."""
        return self.cheaper in {Cheaper.ALWAYS, Cheaper.NEVER} or math.isfinite(self.number[2])

    def in_doubt(self) -> BreakEven:
        """Return the same where the two times are not told apart after all."""
        kind = Cheaper.FROM if self.cheaper in {Cheaper.FROM, Cheaper.ALWAYS} else Cheaper.BELOW
        return BreakEven(kind, (self.number[0], self.number[1], math.inf))


def bill(cell: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None) -> Bill | None:
    """Return the bill of a cell, or None when it was not timed.

    Args:
        cell: the cell.
        fits: the fits of the run, whose cost counts even if they were made by an earlier run.
        batch_size: states per call; default: the one with the cheapest trajectory.
    """
    fit, ledger = fits.get(cell.solver), cell.ledger
    learning = (fit.data_time or 0.0) + (fit.fit_time or 0.0) if fit is not None else 0.0
    start = ledger.start_up_time if ledger.start_up_time is not None else ledger.prepare_time or 0.0
    # The batch sizes were called one after the other, so that a later one finds compiled what an earlier one needed.
    compiled = list(itertools.accumulate(timing.compile_time or 0.0 for timing in ledger.solve))
    bills = [
        Bill(learning + start + compiling, timing)
        for timing, compiling in zip(ledger.solve, compiled, strict=True)
        if batch_size in {None, timing.batch_size}
    ]
    return min(bills, key=lambda one: one.each, default=None)


def paired(cell: CellRecord, other: CellRecord) -> bool:
    """Return whether two cells were timed in one race, so that what disturbs the machine affects both."""
    return cell.ledger.rounds_id is not None and cell.ledger.rounds_id == other.ledger.rounds_id


def break_even(
    cell: CellRecord, other: CellRecord, fits: Mapping[str, FitRecord], batch_size: int | None = None
) -> BreakEven | None:
    """Return for which numbers of trajectories `cell` costs less than `other`; None if one of the two was not timed.

    The interval takes in that of the ratio of the two times, that of the other's time, and that of the start-ups.
    """
    ours, theirs = bill(cell, fits, batch_size), bill(other, fits, batch_size)
    if ours is None or theirs is None:
        return None
    together = paired(cell, other) and ours.timing.batch_size == theirs.timing.batch_size
    scale = theirs.timing.batch_size / ours.timing.batch_size
    found, _ = (ratio_of if together else apart)(ours.timing.launches, theirs.timing.launches)
    ratio = [scale * end for end in found]
    apiece = [end / theirs.timing.batch_size for end in time_of(theirs.timing.launches)]
    more, *ends = difference(cell.ledger.starts, other.ledger.starts)
    beyond = ours.fixed - theirs.fixed
    edges = [beyond + end - more for end in ends if math.isfinite(end)] or [beyond]
    saves = ratio[2] < 1 or (not ratio[1] > 1 and beyond > 0)

    def crossing(extra: float, one: float, each: float) -> float:
        """Return where the bills cross: at once the first solver costs so much more, and a trajectory this ratio."""
        sign = 1 if saves else -1
        if sign * extra <= 0:
            return 0.0
        saved = each * (1 - one)
        return extra / saved if sign * saved > 0 else math.inf

    number = (crossing(beyond, ratio[0], apiece[0]), math.nan, math.nan)
    if math.isfinite(ratio[1]):
        corners = [crossing(edge, end, each) for edge in edges for end in ratio[1:] for each in apiece[1:]]
        number = (number[0], min(corners), max(corners))
    if saves:
        return BreakEven(Cheaper.ALWAYS if number[2] == 0 else Cheaper.FROM, number)
    return BreakEven(Cheaper.NEVER if number[2] == 0 else Cheaper.BELOW, number)
