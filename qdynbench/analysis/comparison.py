"""One solver against another, case by case: cost ratio with interval, the errors beside it, and the break-even."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass

from qdynbench.analysis.selection import score_of, timing_of
from qdynbench.record.ledger import BreakEven, break_even, paired
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.stats import Interval, apart, holm, ratio_of

EQUAL_ERROR = 2.0
"""Errors within this factor count as equal, whatever their intervals: few states must not make errors look equal."""
ROUNDING = 1e-24
"""Infidelity of states that agree to 12 digits: two errors below it are both rounding and count as equal."""


class Pace(enum.Enum):
    """Which of two solvers takes less time, that they cannot be told apart, or that nothing is known of it."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    UNKNOWN = "unknown"
    """One launch alone has no interval."""


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
        tolerance: infidelity below which errors count as equal.
        ratio: seconds of `first` over seconds of `other`, with its 95 % interval; None when one was not timed.
        probability: how probable so large a difference of times is between equals.
        pace: which is faster, if that stands among all comparisons that were made together; None without a ratio.
        paired: whether they were timed in one race.
        break_even: for which numbers of trajectories the first solver's whole bill is the smaller one.
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
    probability: float = 1.0
    pace: Pace | None = None
    paired: bool = False
    break_even: BreakEven | None = None
    extrapolated: tuple[tuple[str, int], ...] = ()
    gap: Gap | None = None
    tolerance: float = 0.0

    @property
    def accuracy(self) -> Accuracy:
        """How the errors stand to each other."""
        return compare_errors(self.first_error, self.other_error, self.tolerance)


def contests(run: Run, *pairs: tuple[str, str], at: tuple[int, int] | None = None) -> list[list[Contest]]:
    """Return for each pair of solvers a contest at each size, seed and batch size; without a ratio it has the gap.

    Many comparisons would find differences by luck: which ones stand is decided for all of them together.

    Args:
        run: the run.
        pairs: of solvers.
        at: only this size and batch size.
    """
    cases = sorted({(cell.size, cell.seed) for cell in run.cells if at is None or cell.size == at[0]})
    found = [
        [
            one
            for size, seed in cases
            for one in _of_case(run, *pair, size, seed)
            if at is None or one.batch_size == at[1]
        ]
        for pair in pairs
    ]
    timed = [one for same in found for one in same if one.ratio is not None]
    stand = dict(zip(map(id, timed), holm([one.probability for one in timed]), strict=True))
    return [[_judged(one, stands=stand.get(id(one), False)) for one in same] for same in found]


def _judged(contest: Contest, *, stands: bool) -> Contest:
    if contest.ratio is None:
        return contest
    if math.isnan(contest.ratio[1]):
        return dataclasses.replace(contest, pace=Pace.UNKNOWN)
    if stands:
        return dataclasses.replace(contest, pace=Pace.FASTER if contest.ratio[0] < 1 else Pace.SLOWER)
    doubtful = None if contest.break_even is None else contest.break_even.in_doubt()
    return dataclasses.replace(contest, pace=Pace.SAME, break_even=doubtful)


def _of_case(run: Run, first: str, other: str, size: int, seed: int) -> Iterator[Contest]:
    ours, theirs = run.cell(first, size, seed), run.cell(other, size, seed)
    errors = score_of(ours), score_of(theirs)
    gap = _gap(ours) or _gap(theirs)
    if ours is None or theirs is None or gap:
        gap = gap or Gap(first if ours is None else other)
        yield Contest(first, other, size, seed, None, *errors, gap=gap, tolerance=run.tolerance)
        return
    for batch_size in sorted({timing.batch_size for cell in (ours, theirs) for timing in cell.ledger.solve}):
        timed = {cell.solver: timing for cell in (ours, theirs) if (timing := timing_of(cell, batch_size))}
        untimed = next((solver for solver in (first, other) if solver not in timed), None)
        found = _ratio(ours, theirs, batch_size)
        yield Contest(
            *(first, other, size, seed, batch_size, *errors),
            ratio=None if found is None else found[0],
            probability=1.0 if found is None else found[1],
            paired=paired(ours, theirs),
            break_even=break_even(ours, theirs, run.record.fits, batch_size),
            extrapolated=tuple((name, one.timed_states) for name, one in timed.items() if one.extrapolated),
            gap=None if untimed is None else Gap(untimed, Status.OK, batch_size=batch_size),
            tolerance=run.tolerance,
        )


def _gap(cell: CellRecord | None) -> Gap | None:
    if cell is None or (cell.status is Status.OK and cell.ledger.solve):
        return None
    return Gap(cell.solver, cell.status, cell.reason)


def ratio(ours: CellRecord, theirs: CellRecord, batch_size: int) -> Interval | None:
    """Return the time of one cell over that of another of the same case, or None when one was not timed."""
    found = _ratio(ours, theirs, batch_size)
    return None if found is None else found[0]


def _ratio(ours: CellRecord, theirs: CellRecord, batch_size: int) -> tuple[Interval, float] | None:
    above, below = timing_of(ours, batch_size), timing_of(theirs, batch_size)
    if above is None or below is None:
        return None
    return (ratio_of if paired(ours, theirs) else apart)(above.launches, below.launches)


def compare_errors(ours: Score | None, theirs: Score | None, tolerance: float = 0.0) -> Accuracy:
    """Return which error is smaller; values below a tolerance, the reference's own bound or rounding are equal."""
    if ours is None or theirs is None or math.isnan(ours.value + theirs.value):
        return Accuracy.UNKNOWN
    floor = max(ours.bound or 0.0, theirs.bound or 0.0, ROUNDING, tolerance)
    mine, other = max(ours.value, floor), max(theirs.value, floor)
    if mine <= other * EQUAL_ERROR and other <= mine * EQUAL_ERROR:
        return Accuracy.EQUAL
    return Accuracy.BETTER if mine < other else Accuracy.WORSE
