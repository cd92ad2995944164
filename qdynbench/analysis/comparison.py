"""One solver against another, case by case: cost ratio with interval, the errors beside it, and the break-even."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qdynbench.analysis.selection import score_of, timing_of
from qdynbench.record.ledger import BreakEven, break_even, paired
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.stats import Interval, apart, holm, ratio_of, typical_ratio

EQUAL_ERROR = 2.0
"""Errors are equal where the whole interval of their ratio lies within this factor."""
ROUNDING = 1e-12
"""Error of states that agree to 12 digits: two errors below it are both rounding and count as equal."""
SQUARES = {"infidelity", "mean_relative_entropy"}
"""Metrics that grow with the square of the error of the state."""
STANDING_STILL = "persistence"
"""The forecast that nothing moves."""


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
    UNDECIDED = "undecided"
    """The test states do not tell."""
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
class Errors:
    """How the errors of two solvers on the same test states stand to each other.

    Attributes:
        accuracy: of the first solver.
        ratio: geometric mean over states of the first error over the other with its 95 % interval; None where both are
            too small to be told apart. One state alone has no interval.
        probability: how probable so large a ratio, or so small a one, is between equals.
    """

    accuracy: Accuracy
    ratio: Interval | None = None
    probability: float = 1.0

    def among_many(self, *, stands: bool) -> Errors:
        """Return the same where a difference does not stand among all that were looked at together."""
        decided = self.accuracy in {Accuracy.BETTER, Accuracy.WORSE} and not math.isnan((self.ratio or (0.0,) * 2)[1])
        return dataclasses.replace(self, accuracy=Accuracy.UNDECIDED) if decided and not stands else self


@dataclass(frozen=True)
class Contest:
    """Two solvers at one size, seed and batch size.

    Attributes:
        first, other: solvers.
        size, seed, batch_size: where.
        first_error, other_error: the run's metric at the last step, mean and interval.
        errors: how they stand to each other, if that stands among all comparisons that were made together.
        wrong: whether the first solver is no better than standing still.
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
    errors: Errors = Errors(Accuracy.UNKNOWN)
    wrong: bool = False

    @property
    def accuracy(self) -> Accuracy:
        """How the first solver's error stands to the other's."""
        return self.errors.accuracy


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
    # The errors of a case are the same at all batch sizes, and are looked at once.
    looks = {(one.first, one.other, one.size, one.seed): one.errors.probability for same in found for one in same}
    differ = dict(zip(looks, holm(list(looks.values())), strict=True))
    return [
        [
            _judged(
                one,
                stands=stand.get(id(one), False),
                errors=one.errors.among_many(stands=differ[one.first, one.other, one.size, one.seed]),
            )
            for one in same
        ]
        for same in found
    ]


def _judged(contest: Contest, *, stands: bool, errors: Errors) -> Contest:
    contest = dataclasses.replace(contest, errors=errors)
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
    scores = score_of(ours, run.metric), score_of(theirs, run.metric)
    errors, wrong = compare_errors(run, [(ours, theirs)]), is_wrong(run, ours)
    gap = _gap(ours) or _gap(theirs)
    if ours is None or theirs is None or gap:
        gap = gap or Gap(first if ours is None else other)
        yield Contest(first, other, size, seed, None, *scores, gap=gap, errors=errors, wrong=wrong)
        return
    for batch_size in sorted({timing.batch_size for cell in (ours, theirs) for timing in cell.ledger.solve}):
        timed = {cell.solver: timing for cell in (ours, theirs) if (timing := timing_of(cell, batch_size))}
        untimed = next((solver for solver in (first, other) if solver not in timed), None)
        found = ratio_of_cells(ours, theirs, batch_size)
        yield Contest(
            *(first, other, size, seed, batch_size, *scores),
            ratio=None if found is None else found[0],
            probability=1.0 if found is None else found[1],
            paired=paired(ours, theirs),
            break_even=break_even(ours, theirs, run.record.fits, batch_size),
            extrapolated=tuple((name, one.timed_states) for name, one in timed.items() if one.extrapolated),
            gap=None if untimed is None else Gap(untimed, Status.OK, batch_size=batch_size),
            errors=errors,
            wrong=wrong,
        )


def _gap(cell: CellRecord | None) -> Gap | None:
    if cell is None or (cell.status is Status.OK and cell.ledger.solve):
        return None
    return Gap(cell.solver, cell.status, cell.reason)


def ratio(ours: CellRecord, theirs: CellRecord, batch_size: int) -> Interval | None:
    """Return the time of one cell over that of another of the same case, or None when one was not timed."""
    found = ratio_of_cells(ours, theirs, batch_size)
    return None if found is None else found[0]


def ratio_of_cells(ours: CellRecord, theirs: CellRecord, batch_size: int) -> tuple[Interval, float] | None:
    """Return the same ratio, and how probable so large a difference is between equals."""
    above, below = timing_of(ours, batch_size), timing_of(theirs, batch_size)
    if above is None or below is None:
        return None
    return (ratio_of if paired(ours, theirs) else apart)(above.launches, below.launches)


def is_wrong(run: Run, cell: CellRecord | None) -> bool:
    """Return whether a solver is no better than standing still; how long it takes is then no question."""
    if cell is None or cell.solver.partition("[")[0] == STANDING_STILL or cell.solver == run.task.reference:
        return False
    skill, error = score_of(cell, "skill"), score_of(cell, run.metric)
    still = score_of(run.cell(STANDING_STILL, cell.size, cell.seed), run.metric)
    beaten = error is not None and still is not None and error.value >= still.value > floor_of(run, error, still)
    return beaten or (skill is not None and skill.value <= 0)


def floor_of(run: Run, *scores: Score) -> float:
    """Return the error below which all are the same: the tolerance, the reference's resolution, or rounding."""
    rounding = ROUNDING**2 if run.metric in SQUARES else ROUNDING
    return max(run.tolerance, rounding, *(score.resolution or 0.0 for score in scores))


def compare_errors(run: Run, pairs: Sequence[tuple[CellRecord | None, CellRecord | None]]) -> Errors:
    """Return which of two solvers has the smaller error by the run's metric.

    One pair of cells is judged over its test states, several over the seeds. The mean errors, which is what tables
    show, have to agree: where a few states decide the mean against the rest, nothing is decided.

    Args:
        run: the run.
        pairs: the cells of the two solvers, one pair for each seed.
    """
    logs, means, floors = [], [], []
    for ours, theirs in pairs:
        mine, other = score_of(ours, run.metric), score_of(theirs, run.metric)
        if ours is None or theirs is None or mine is None or other is None or math.isnan(mine.value + other.value):
            return Errors(Accuracy.UNKNOWN)
        floor = floor_of(run, mine, other)
        floors.append(max(mine.value, other.value) <= floor)
        means.append(max(mine.value, floor) / max(other.value, floor))
        values = [found for cell in (ours, theirs) if (found := run.errors_of(cell)) is not None]
        if len(values) == 2 and len(values[0]) == len(values[1]):
            known = np.isfinite(values[0] + values[1])
            logs.append([np.maximum(one[known], floor) for one in values])
        else:  # nothing but the means is known
            logs.append([np.full(1, max(score.value, floor)) for score in (mine, other)])
    if all(floors):
        return Errors(Accuracy.EQUAL)
    if len(pairs) > 1:
        logs = [[np.array([np.exp(np.mean(np.log(one[side]))) for one in logs]) for side in (0, 1)]]
    (above, below), mean = logs[0], float(np.exp(np.mean(np.log(means))))
    ratio, probability = typical_ratio(above, below)
    ends = (mean, mean) if len(above) == 1 else ratio[1:]
    return Errors(_accuracy(*ends, mean), ratio, probability)


def _accuracy(low: float, high: float, mean: float) -> Accuracy:
    """Return what the interval of a ratio says, if the ratio of the means agrees."""
    if low >= 1 / EQUAL_ERROR and high <= EQUAL_ERROR:
        return Accuracy.EQUAL if 1 / EQUAL_ERROR <= mean <= EQUAL_ERROR else Accuracy.UNDECIDED
    if high < 1 and mean < 1:
        return Accuracy.BETTER
    return Accuracy.WORSE if low > 1 and mean > 1 else Accuracy.UNDECIDED
