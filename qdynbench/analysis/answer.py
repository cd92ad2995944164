"""The answer of a run as data: which solver to use, what each learned one is worth, and what to be careful about."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from qdynbench.analysis.comparison import (
    STANDING_STILL,
    Accuracy,
    Contest,
    Pace,
    compare_errors,
    contests,
    is_wrong,
)
from qdynbench.analysis.findings import PaysOff, findings, no_better, outcomes
from qdynbench.analysis.resolution import OFTEN, disturbed
from qdynbench.analysis.selection import cells_by_solver, score_of, solve_time, timing_of
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.stats import Interval
from qdynbench.text import without_size

_JSON = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="strings"))
WIDE = 0.25
"""Half of an interval of a ratio, relative to it, from which on it is called wide."""
BUSY = 0.25
"""Processes that wait for each core when a run starts, from which on the machine is called busy."""


@dataclass(frozen=True)
class Row:
    """One solver at sizes that turned out alike.

    Attributes:
        solver, sizes: which.
        status, reason: how its cells ended.
        scores: errors at the last step, one for each case that has one.
        accuracy: how they stand to those of the reference.
        wrong: whether it is no better than standing still.
        contests: against the reference, by batch size.
        times: seconds of a call of each case, by batch size.
    """

    solver: str
    sizes: tuple[int, ...]
    status: Status
    reason: str
    scores: tuple[Score, ...]
    accuracy: Accuracy
    wrong: bool
    contests: dict[int, tuple[Contest, ...]]
    times: dict[int, tuple[Interval, ...]]
    extrapolated: frozenset[int] = frozenset()
    """Batch sizes that were timed on fewer states."""

    def _slower(self) -> bool:
        return any(one.pace is Pace.SLOWER for found in self.contests.values() for one in found)

    @property
    def alike(self) -> object:
        """What rows have in common that are one; between two errors that differ, who is faster opens no row."""
        paces = (
            {}
            if self.wrong or (self.accuracy is Accuracy.WORSE and not self._slower())
            else {batch: {one.pace for one in found} for batch, found in self.contests.items()}
        )
        return (
            self.status,
            without_size(self.reason, self.sizes[0]),
            self.accuracy,
            self.wrong,
            paces,
            sorted(self.times),
        )


@dataclass(frozen=True)
class Fastest:
    """The fastest solver that is accurate enough, at sizes where it is the same one, and those that tie with it."""

    sizes: tuple[int, ...]
    batch_size: int
    solvers: tuple[str, ...]
    certain: bool = True
    """Whether all that are accurate enough have an interval of their time."""


@dataclass(frozen=True)
class Worth:
    """What a learned solver, or one that is blind, is worth beside the reference.

    Attributes:
        solver: which.
        scores: errors at the last step, one for each case.
        accuracy: how they stand to those of the reference, without repetition.
        wrong: sizes at which it is worse than standing still.
        beyond: sizes at which its error is not shown to be within the tolerance; none where there is no tolerance.
        timed: its contests with the reference where it is not wrong.
        pays: for which numbers of trajectories it costs less; None where nothing can be said.
        shipped: whether it has weights whose cost is as the plugin says.
        from_elsewhere: whether it is blind and was not fitted, and yet is better than standing still.
    """

    solver: str
    scores: tuple[Score, ...]
    accuracy: frozenset[Accuracy]
    wrong: tuple[int, ...]
    beyond: tuple[int, ...]
    timed: tuple[Contest, ...]
    pays: PaysOff | None
    shipped: bool = False
    from_elsewhere: bool = False

    def of_pace(self, pace: Pace, *, equal: bool = False) -> tuple[Contest, ...]:
        """Return the contests with a pace, where `equal` only those at an equal or smaller error."""
        return tuple(one for one in self.timed if one.pace is pace and (one.accuracy.suffices or not equal))


@dataclass(frozen=True)
class Care:
    """What a reader has to be careful about.

    Attributes:
        load: processes that waited for a core when the run started; 0 where the machine was not busy.
        disturbed: part of the rounds that something slowed down all the same; 0 where it was little.
        wide, timed: in how many comparisons the interval of the ratio is wide or missing, and of how many.
        extrapolated: solvers with times that were scaled up from fewer states.
        faults: cells that ended in a fault.
    """

    load: float = 0.0
    disturbed: float = 0.0
    wide: int = 0
    timed: int = 0
    extrapolated: tuple[str, ...] = ()
    faults: int = 0


@dataclass(frozen=True)
class Answer:
    """What a run says first.

    Attributes:
        run: the run.
        fastest: from small to large sizes; empty without a reference.
        worth: of each solver that has something to prove.
        care: what to be careful about.
        rows: the table.
        wrong: solvers that know the Hamiltonian and are no better than standing still, with the sizes.
    """

    run: Run
    fastest: tuple[Fastest, ...]
    worth: tuple[Worth, ...]
    care: Care
    rows: tuple[Row, ...] = field(default=())
    wrong: tuple[tuple[str, tuple[int, ...]], ...] = ()


def answer(run: Run) -> Answer:
    """Return the answer of a run."""
    reference, solvers = run.task.reference, cells_by_solver(run)
    others = [solver for solver in solvers if solver != reference]
    against: dict[str, list[Contest]] = {}
    if reference in solvers:
        against = dict(zip(others, contests(run, *((one, reference) for one in others)), strict=True))
    rows = tuple(row for solver, cells in solvers.items() for row in _rows(run, cells, against.get(solver, [])))
    proving = [
        solver
        for solver in others
        if solver.partition("[")[0] != STANDING_STILL
        and any(cell.knowledge != "hamiltonian" and cell.scores for cell in solvers[solver])
    ]
    worth = tuple(_worth(run, solver, solvers[solver], against.get(solver, [])) for solver in proving)
    wrong = tuple(
        (solver, sizes) for solver in others if solver not in proving and (sizes := _wrong(run, solvers[solver]))
    )
    return Answer(run, tuple(_fastest(run, solvers)), worth, _care(run, against), rows, wrong)


def _wrong(run: Run, cells: Sequence[CellRecord]) -> tuple[int, ...]:
    return tuple(sorted({cell.size for cell in cells if is_wrong(run, cell)}))


def _rows(run: Run, cells: Sequence[CellRecord], against: Sequence[Contest]) -> Iterator[Row]:
    """Yield the rows of one solver; neighbouring sizes that are alike are one."""
    single = []
    for size, same in itertools.groupby(sorted(cells, key=lambda cell: cell.size), key=lambda cell: cell.size):
        here = list(same)
        worst = next((cell for cell in here if cell.status is not Status.OK), here[0])
        timed = [one for one in against if one.size == size and one.ratio is not None]
        batches = sorted({timing.batch_size for cell in here for timing in cell.ledger.solve})
        accuracies = {one.accuracy for one in against if one.size == size} or {Accuracy.UNKNOWN}
        single.append(
            Row(
                worst.solver,
                (size,),
                worst.status,
                worst.reason,
                tuple(found for cell in here if (found := score_of(cell, run.metric)) is not None),
                accuracies.pop() if len(accuracies) == 1 else Accuracy.UNDECIDED,
                all(is_wrong(run, cell) for cell in here),
                {batch: tuple(one for one in timed if one.batch_size == batch) for batch in batches},
                {
                    batch: tuple(solve_time(timing) for cell in here if (timing := timing_of(cell, batch)))
                    for batch in batches
                },
                frozenset(timing.batch_size for cell in here for timing in cell.ledger.solve if timing.extrapolated),
            )
        )
    merged: list[Row] = []
    for row in single:
        if merged and merged[-1].alike == row.alike:
            merged[-1] = _together(merged[-1], row)
        else:
            merged.append(row)
    yield from merged


def _together(one: Row, other: Row) -> Row:
    return Row(
        one.solver,
        one.sizes + other.sizes,
        one.status,
        one.reason,
        one.scores + other.scores,
        one.accuracy,
        one.wrong,
        {batch: found + other.contests[batch] for batch, found in one.contests.items()},
        {batch: found + other.times[batch] for batch, found in one.times.items()},
        one.extrapolated | other.extrapolated,
    )


def _fastest(run: Run, solvers: dict[str, list[CellRecord]]) -> Iterator[Fastest]:
    """Yield the fastest solver at each size among those as accurate as the reference, for the largest batch."""
    reference, batch = run.task.reference, max(run.task.timing.batch_sizes)
    if reference not in solvers:
        return
    found: list[Fastest] = []
    for size in sorted({cell.size for cell in run.cells}):
        timed: dict[str, float] = {}
        for solver, cells in solvers.items():
            here = [cell for cell in cells if cell.size == size]
            theirs = [run.cell(reference, size, cell.seed) for cell in here]
            good = [enough(run, cell, other) for cell, other in zip(here, theirs, strict=True)]
            seconds = [timing.seconds for cell in here if (timing := timing_of(cell, batch)) is not None]
            if here and all(good) and len(seconds) == len(here):
                timed[solver] = math.exp(sum(map(math.log, seconds)) / len(seconds))
        if not timed:
            continue
        first = min(timed, key=lambda solver: timed[solver])
        # All pairs are judged together, since which is first was read off the same times.
        pairs = list(itertools.combinations(timed, 2))
        judged = zip(pairs, contests(run, *pairs, at=(size, batch)), strict=True)
        paces = {
            other: {one.pace for one in made}
            for pair, made in judged
            if first in pair
            for other in pair
            if other != first
        }
        ties = [solver for solver, seen in paces.items() if Pace.SAME in seen]
        found.append(Fastest((size,), batch, (first, *ties), not any(Pace.UNKNOWN in seen for seen in paces.values())))
    for _, group in itertools.groupby(found, key=lambda one: (frozenset(one.solvers), one.certain)):
        alike = list(group)
        yield Fastest(tuple(one.sizes[0] for one in alike), batch, alike[0].solvers, alike[0].certain)


def enough(run: Run, cell: CellRecord, reference: CellRecord | None) -> bool:
    """Return whether a cell is within the tolerance, or where there is none as accurate as the reference."""
    if cell.status is not Status.OK or is_wrong(run, cell):
        return False
    if run.tolerance:
        return _within(run, score_of(cell, run.metric))
    return compare_errors(run, [(cell, reference)]).accuracy.suffices


def _within(run: Run, error: Score | None) -> bool:
    """Return whether an error is shown to be within the tolerance, with its whole interval where it has one."""
    if error is None or math.isnan(error.value):
        return False
    largest = error.high if math.isfinite(error.high) else error.value
    return max(largest, error.resolution or 0.0) <= run.tolerance


def _worth(run: Run, solver: str, cells: Sequence[CellRecord], against: Sequence[Contest]) -> Worth:
    timed = tuple(one for one in against if one.ratio is not None and not one.wrong)
    skills, fit = [score_of(cell, "skill") for cell in cells], run.record.fits.get(solver)
    errors = [(cell.size, score) for cell in cells if (score := score_of(cell, run.metric)) is not None]
    return Worth(
        solver,
        tuple(score for _, score in errors),
        frozenset(one.accuracy for one in timed),
        _wrong(run, cells),
        tuple(sorted({size for size, score in errors if run.tolerance and not _within(run, score)})),
        timed,
        next((one for one in outcomes(timed) if isinstance(one, PaysOff)), None),
        fit is not None and fit.source == "shipped",
        fit is None and any(skill is not None and not no_better(skill) for skill in skills),
    )


def as_json(found: Answer) -> dict[str, Any]:
    """Return an answer as JSON data, with the findings of the run; what is infinite or unknown is a string."""
    kinds = [{"finding": type(one).__name__, **_data(one)} for one in findings(found.run)]
    whole = {each.name: getattr(found, each.name) for each in dataclasses.fields(found) if each.name != "run"}
    return {"run": str(found.run.folder), **_data(whole), "findings": kinds}


def _data(value: Any) -> Any:
    return json.loads(_JSON.dump_json(value))  # by way of the text, since only there what is infinite becomes a string


def _care(run: Run, against: dict[str, list[Contest]]) -> Care:
    made = run.record.provenance
    cores = int(made.get("hardware", {}).get("cores") or 1)
    load = float(made.get("load") or 0.0)
    timed = [one for found in against.values() for one in found if one.ratio is not None]
    wide = [one for one in timed if one.ratio is not None and not one.ratio[2] / one.ratio[1] < (1 + WIDE) ** 2]
    extrapolated = {cell.solver: None for cell in run.cells for timing in cell.ledger.solve if timing.extrapolated}
    faults = sum(not cell.status.honest for cell in run.cells)
    slowed = disturbed(run)
    return Care(
        load if load > BUSY * cores else 0.0,
        slowed if slowed > OFTEN else 0.0,
        len(wide),
        len(timed),
        tuple(extrapolated),
        faults,
    )
