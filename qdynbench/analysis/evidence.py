"""What every cell cost and how its time and error stand to the reference, call by call: what a page shows of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qdynbench.analysis.answer import Answer
from qdynbench.analysis.comparison import Accuracy, Contest, floor_of
from qdynbench.analysis.selection import cells_by_solver, score_of, solve_time
from qdynbench.record.ledger import bill
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, SolveTiming
from qdynbench.stats import Curve, Interval, mean_curve, mean_over_seeds


@dataclass(frozen=True)
class Call:
    """A cell at one batch size.

    Attributes:
        timing: how it was timed.
        seconds: of one call, with the 95 % interval over launches.
        fixed: seconds that are paid once: training data, training, start-up and compilation.
        contest: how it stands to the reference; None for the reference, and where one of the two was not timed.
    """

    timing: SolveTiming
    seconds: Interval
    fixed: float
    contest: Contest | None


@dataclass(frozen=True)
class Evidence:
    """What is known of one cell.

    Attributes:
        cell: as it was recorded.
        error: the run's metric at the last step.
        floor: the error below which all are the same; nan without an error.
        accuracy: how its error stands to that of the reference.
        start_up: seconds of a start-up with the 95 % interval over launches, of all that is paid once the only part
            that has one; nan where it was not measured.
        calls: one for each batch size that was timed.
    """

    cell: CellRecord
    error: Score | None
    floor: float
    accuracy: Accuracy
    start_up: Interval
    calls: tuple[Call, ...]


def evidence(answer: Answer) -> Iterator[Evidence]:
    """Yield what is known of each cell of a run, solvers in the order of the task.

    All comparisons are those of the answer, so that the two cannot disagree.
    """
    run = answer.run
    met = {
        (one.first, one.size, one.seed, one.batch_size): one
        for row in answer.rows
        for found in row.contests.values()
        for one in found
    }
    judged = {(row.solver, size): row.accuracy for row in answer.rows for size in row.sizes}
    for solver, cells in cells_by_solver(run).items():
        for cell in cells:
            calls = tuple(
                Call(
                    timing,
                    solve_time(timing),
                    _fixed(run, cell, timing),
                    met.get((solver, cell.size, cell.seed, timing.batch_size)),
                )
                for timing in cell.ledger.solve
            )
            error = score_of(cell, run.metric)
            accuracy = next(
                (one.contest.accuracy for one in calls if one.contest is not None),
                judged.get((solver, cell.size), Accuracy.UNKNOWN),
            )
            # Each launch is a sample of its own, as each seed is there.
            start_up = mean_over_seeds(np.array(cell.ledger.starts or [np.nan]))
            yield Evidence(cell, error, np.nan if error is None else floor_of(run, error), accuracy, start_up, calls)


def _fixed(run: Run, cell: CellRecord, timing: SolveTiming) -> float:
    found = bill(cell, run.record.fits, timing.batch_size)
    return 0.0 if found is None else found.fixed


def curves(
    run: Run, metrics: Iterable[str], steps: NDArray[np.int64], most: int
) -> Iterator[tuple[CellRecord, str, Curve]]:
    """Yield the mean of a metric over the test states of a cell, with its 95 % interval, at some steps.

    Args:
        run: the run.
        metrics: those to look for, the most important first.
        steps: shape `(K,)`.
        most: at most so many curves, since each interval takes some milliseconds; large sizes and first seeds come
            first.
    """
    wanted, count = list(metrics), 0
    for cell in sorted(run.cells, key=lambda cell: (cell.seed, -cell.size)):
        for metric in wanted if cell.scores and count < most else ():
            values = run.curves_of(cell, metric).get(metric)
            if values is not None and values.ndim == 2:
                count += 1
                yield cell, metric, mean_curve(values[:, steps].astype(np.float64))


def observed(
    run: Run, name: str, steps: NDArray[np.int64], most: int
) -> Iterator[tuple[CellRecord, bool, NDArray[np.float64]]]:
    """Yield the mean of an observable over the test states of a cell at some steps, shape `(K,)`.

    Of each case that of the reference comes first, marked as such.

    Args:
        run: the run.
        name: of the observable.
        steps: shape `(K,)`.
        most: at most so many cells; large sizes and first seeds come first.
    """
    told: set[tuple[int, int]] = set()
    for cell in sorted((one for one in run.cells if one.scores), key=lambda cell: (cell.seed, -cell.size))[:most]:
        for reference in (True, False):
            curve = f"{name}_reference" if reference else name
            values = run.curves_of(cell, curve).get(curve)
            if values is None or values.ndim != 2 or (reference and (cell.size, cell.seed) in told):
                continue
            if reference:
                told.add((cell.size, cell.seed))
            known = np.isfinite(values[:, steps]).any(axis=0)
            mean = np.full(len(steps), np.nan)
            mean[known] = np.nanmean(values[:, steps[known]].astype(np.float64), axis=0)
            yield cell, reference, mean
