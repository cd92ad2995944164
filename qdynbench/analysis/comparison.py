"""One solver against another, case by case: cost ratio with interval, the errors beside it, and the break-even."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qdynbench.analysis.selection import score_of, timing_of
from qdynbench.record.ledger import break_even, paired
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.stats import Interval, bootstrap_ratio

EQUAL_ERROR = 2.0
"""Errors within this factor count as equal, whatever their intervals: few states must not make errors look equal."""
ROUNDING = 1e-24
"""Infidelity of states that agree to 12 digits: two errors below it are both rounding and count as equal."""


class Pace(enum.Enum):
    """What the interval of a ratio of times says of the first solver."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"

    @classmethod
    def of(cls, ratio: Interval) -> Pace:
        """Read the interval of a ratio: one that holds 1 does not decide."""
        return cls.FASTER if ratio[2] < 1 else cls.SLOWER if ratio[1] > 1 else cls.SAME


class Accuracy(enum.Enum):
    """How the first solver's error stands to the other's."""

    BETTER = "better"
    EQUAL = "equal"
    WORSE = "worse"
    UNKNOWN = "unknown"

    @property
    def suffices(self) -> bool:
        """Whether a speed-up may be quoted: the error is equal or smaller."""
        return self in {Accuracy.EQUAL, Accuracy.BETTER}


@dataclass(frozen=True)
class Gap:
    """Why two solvers have no ratio.

    Attributes:
        solver: the one that lacks something.
        status: how its cell ended, None where the run has no such cell; where it is `ok`, the cell was not timed.
        reason: as its cell has it.
        batch_size: that it was not timed with; None where it was not timed at all.
    """

    solver: str
    status: Status | None = None
    reason: str = ""
    batch_size: int | None = None


@dataclass(frozen=True)
class Contest:
    """Two solvers at one size, seed and batch size.

    Attributes:
        first, other: solvers.
        size, seed, batch_size: where.
        first_error, other_error: infidelity at the last step, mean and interval.
        ratio: seconds of `first` over seconds of `other`, with its 95 % interval; None when one was not timed.
        paired: whether their rounds alternated.
        break_even: trajectories from which on the first solver's whole bill is the smaller one, with its interval.
        extrapolated: solvers whose time is extrapolated, with the number of states that were timed.
        gap: why there is no ratio.
    """

    first: str
    other: str
    size: int
    seed: int
    batch_size: int | None
    first_error: Score | None
    other_error: Score | None
    ratio: Interval | None = None
    paired: bool = False
    break_even: Interval | None = None
    extrapolated: tuple[tuple[str, int], ...] = ()
    gap: Gap | None = None

    @property
    def pace(self) -> Pace | None:
        """What the ratio says."""
        return None if self.ratio is None else Pace.of(self.ratio)

    @property
    def accuracy(self) -> Accuracy:
        """How the errors stand to each other."""
        return compare_errors(self.first_error, self.other_error)


def contests(run: Run, first: str, other: str) -> list[Contest]:
    """Return a contest for each size, seed and batch size of a run; a case without a ratio has one with the gap."""
    cases = sorted({(cell.size, cell.seed) for cell in run.cells})
    return [contest for size, seed in cases for contest in _of_case(run, first, other, size, seed)]


def _of_case(run: Run, first: str, other: str, size: int, seed: int) -> Iterator[Contest]:
    ours, theirs = run.cell(first, size, seed), run.cell(other, size, seed)
    errors = score_of(ours), score_of(theirs)
    gap = _gap(ours) or _gap(theirs)
    if ours is None or theirs is None or gap:
        gap = gap or Gap(first if ours is None else other)
        yield Contest(first, other, size, seed, None, *errors, gap=gap)
        return
    for batch_size in sorted({timing.batch_size for cell in (ours, theirs) for timing in cell.ledger.solve}):
        timed = {cell.solver: timing for cell in (ours, theirs) if (timing := timing_of(cell, batch_size))}
        untimed = next((solver for solver in (first, other) if solver not in timed), None)
        yield Contest(
            *(first, other, size, seed, batch_size, *errors),
            ratio=ratio(ours, theirs, batch_size),
            paired=paired(ours, theirs),
            break_even=break_even(ours, theirs, run.record.fits, batch_size),
            extrapolated=tuple((name, one.timed_states) for name, one in timed.items() if one.extrapolated),
            gap=None if untimed is None else Gap(untimed, Status.OK, batch_size=batch_size),
        )


def _gap(cell: CellRecord | None) -> Gap | None:
    if cell is None or (cell.status is Status.OK and any(timing.seconds for timing in cell.ledger.solve)):
        return None
    return Gap(cell.solver, cell.status, cell.reason)


def ratio(ours: CellRecord, theirs: CellRecord, batch_size: int) -> Interval | None:
    """Return the time of one cell over that of another of the same case, or None when one was not timed.

    Rounds that ran side by side are compared one by one.
    """
    above, below = timing_of(ours, batch_size), timing_of(theirs, batch_size)
    if above is None or below is None:
        return None
    return bootstrap_ratio(np.array(above.seconds), np.array(below.seconds), paired=paired(ours, theirs))


def compare_errors(ours: Score | None, theirs: Score | None) -> Accuracy:
    """Return which error is smaller; values below the reference's own bound or rounding are equal."""
    if ours is None or theirs is None or math.isnan(ours.value + theirs.value):
        return Accuracy.UNKNOWN
    floor = max(ours.bound or 0.0, theirs.bound or 0.0, ROUNDING)
    mine, other = max(ours.value, floor), max(theirs.value, floor)
    if mine <= other * EQUAL_ERROR and other <= mine * EQUAL_ERROR:
        return Accuracy.EQUAL
    return Accuracy.BETTER if mine < other else Accuracy.WORSE
