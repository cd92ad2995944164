"""Solvers over all comparisons of several runs: who is accurate enough, who is faster there, and mean ranks.

Times are compared within a run alone, so that runs of different tasks or machines can stand together.
"""

from __future__ import annotations

import enum
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qdynbench.analysis.answer import enough
from qdynbench.analysis.comparison import Accuracy, compare_errors, is_wrong, ratio_of_cells
from qdynbench.analysis.selection import score_of, timing_of
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status
from qdynbench.stats import Interval, holm, mean_over_groups

MOST_MEETINGS = 10_000
"""Ratios of two times that are looked at: each takes 0.2 ms, and ten bytes of a page."""


class Standing(enum.Enum):
    """What became of a solver in a case."""

    ENOUGH = "accurate enough"
    LARGER = "error too large"
    DOUBTFUL = "error not told apart"
    UNTIMED = "not timed"
    UNSUPPORTED = "unsupported"
    INFEASIBLE = "infeasible"
    FAULT = "failed"
    ABSENT = "not reached"

    @property
    def decides(self) -> bool:
        """Whether it says something of the solver: a case that was not reached, not timed or not told does not."""
        return self not in {Standing.DOUBTFUL, Standing.UNTIMED, Standing.ABSENT}


class Verdict(enum.Enum):
    """How two solvers stand to each other in a case, from the side of the first."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "indistinguishable"
    ALONE = "alone accurate enough"
    BEATEN = "the other alone accurate enough"
    NEITHER = "neither accurate enough"
    OPEN = "not decided"

    @property
    def points(self) -> float:
        """What it adds to the rank of the first: 0 where it won, 1 where it lost, else a half."""
        return 0.0 if self in WON else 1.0 if self in LOST else 0.5


WON, LOST = {Verdict.FASTER, Verdict.ALONE}, {Verdict.SLOWER, Verdict.BEATEN}


@dataclass(frozen=True)
class Case:
    """One size, seed and batch size of a run.

    Attributes:
        run: its number.
        size, seed, batch_size: where.
        problem: the same number for cases of the same model, states and time grid, whatever run and batch size.
    """

    run: int
    size: int
    seed: int
    batch_size: int
    problem: int


@dataclass(frozen=True)
class Meeting:
    """Two solvers in a case; `ratio` is the time of the first over that of the other where both are good enough."""

    verdict: Verdict
    ratio: Interval | None = None


@dataclass(frozen=True)
class Field:
    """All solvers over all cases of some runs.

    Attributes:
        cases: of all runs, also those that were not reached.
        standings: of each solver in each case; None where the run was not asked to run it.
        meetings: of each pair of solvers in each case where a run has both; empty where there would be too many.
    """

    cases: tuple[Case, ...]
    standings: Mapping[str, tuple[Standing | None, ...]]
    meetings: Mapping[tuple[str, str], tuple[Meeting | None, ...]]

    def solvers(self, cases: Sequence[int]) -> list[str]:
        """Return the solvers that were asked in all of these cases: only they can be ranked over them."""
        return [name for name, found in self.standings.items() if all(found[case] is not None for case in cases)]

    def ranks(self, cases: Sequence[int]) -> dict[str, Interval]:
        """Return the mean rank of each solver over some cases with its 95 % interval over problems.

        The rank in a case is 1, and 1 for each solver that it lost to, and a half for each where nothing is decided or
        neither is good enough. The interval says how far the mean depends on which problems were chosen; cases of one
        problem are drawn together. It says nothing of the times, whose intervals have gone into the verdicts.
        """
        names, problems = self.solvers(cases), [self.cases[case].problem for case in cases]
        found = {}
        for name in names:
            values = [1 + sum(self._points(name, other, case) for other in names if other != name) for case in cases]
            found[name] = mean_over_groups(np.array(values), np.array(problems))
        return found

    def _points(self, first: str, other: str, case: int) -> float:
        if (first, other) in self.meetings:
            found = self.meetings[first, other][case]
            return 0.5 if found is None else found.verdict.points
        found = self.meetings[other, first][case]
        return 0.5 if found is None else 1 - found.verdict.points


def field(runs: Sequence[Run]) -> Field:
    """Return the field of some runs.

    Which of two times is the smaller one is decided for all pairs and cases of a run together (Holm). These are more
    than the comparisons with the reference, so that less stands here than there.
    """
    cases = tuple(_cases(runs))
    solvers = dict.fromkeys(solver for run in runs for solver in run.task.solvers)
    standings = {solver: tuple(_standing_in(runs[case.run], solver, case) for case in cases) for solver in solvers}
    pairs = list(itertools.combinations(solvers, 2))
    both = [
        (pair, number)
        for pair in pairs
        for number in range(len(cases))
        if all(standings[solver][number] is Standing.ENOUGH for solver in pair)
    ]
    if len(both) > MOST_MEETINGS:
        return Field(cases, standings, {})
    raced = dict(zip(both, _races(runs, cases, both), strict=True))
    meetings = {
        pair: tuple(
            raced.get((pair, number)) or _untimed(*(standings[solver][number] for solver in pair))
            for number in range(len(cases))
        )
        for pair in pairs
    }
    return Field(cases, standings, meetings)


def _cases(runs: Sequence[Run]) -> Iterator[Case]:
    problems: dict[str, int] = {}
    for number, run in enumerate(runs):
        task = run.task
        what = task.model_dump(mode="json", include={"model", "ensemble", "times", "seed"})
        for size, seed, batch in itertools.product(task.sizes, task.seeds, task.timing.batch_sizes):
            key = json.dumps([what, size, seed], sort_keys=True)
            yield Case(number, size, seed, batch, problems.setdefault(key, len(problems)))


def _standing_in(run: Run, solver: str, case: Case) -> Standing | None:
    if solver not in run.task.solvers:
        return None
    cell = run.cell(solver, case.size, case.seed)
    return _standing(run, cell, case.batch_size)


def _standing(run: Run, cell: CellRecord | None, batch_size: int) -> Standing:
    if cell is None:
        return Standing.ABSENT
    if cell.status is not Status.OK:
        kinds = {Status.UNSUPPORTED: Standing.UNSUPPORTED, Status.INFEASIBLE: Standing.INFEASIBLE}
        return kinds.get(cell.status, Standing.FAULT)
    if timing_of(cell, batch_size) is None:
        return Standing.UNTIMED
    reference = run.cell(run.task.reference, cell.size, cell.seed)
    if enough(run, cell, reference):
        return Standing.ENOUGH
    return Standing.LARGER if _too_large(run, cell, reference) else Standing.DOUBTFUL


def _too_large(run: Run, cell: CellRecord, reference: CellRecord | None) -> bool:
    """Return whether an error is shown to be too large, which is more than not shown to be small enough."""
    if is_wrong(run, cell):
        return True
    if not run.tolerance:
        return compare_errors(run, [(cell, reference)]).accuracy is Accuracy.WORSE
    error = score_of(cell, run.metric)
    return error is not None and (error.low if math.isfinite(error.low) else error.value) > run.tolerance


def _races(
    runs: Sequence[Run], cases: Sequence[Case], both: Sequence[tuple[tuple[str, str], int]]
) -> Iterator[Meeting]:
    """Yield the meetings of pairs that are both good enough, those of a run judged together."""
    found: list[tuple[Interval, float]] = []
    for pair, number in both:
        case = cases[number]
        ours, theirs = (runs[case.run].cell(solver, case.size, case.seed) for solver in pair)
        known = None if ours is None or theirs is None else ratio_of_cells(ours, theirs, case.batch_size)
        found.append(known or ((math.nan,) * 3, 1.0))
    stand = [False] * len(both)
    for run in range(len(runs)):
        here = [at for at, (_, number) in enumerate(both) if cases[number].run == run]
        for at, stands in zip(here, holm([found[at][1] for at in here]), strict=True):
            stand[at] = stands
    for (ratio, _), stands in zip(found, stand, strict=True):
        if math.isnan(ratio[1]):
            yield Meeting(Verdict.OPEN, ratio)
        elif not stands:
            yield Meeting(Verdict.SAME, ratio)
        else:
            yield Meeting(Verdict.FASTER if ratio[0] < 1 else Verdict.SLOWER, ratio)


def _untimed(first: Standing | None, other: Standing | None) -> Meeting | None:
    """Return how two solvers stand of which one at most is good enough."""
    if first is None or other is None:
        return None
    if not (first.decides and other.decides):
        return Meeting(Verdict.OPEN)
    if first is Standing.ENOUGH:
        return Meeting(Verdict.ALONE)
    return Meeting(Verdict.BEATEN if other is Standing.ENOUGH else Verdict.NEITHER)
