"""What all parts of the analysis look up in a run: the one home of selecting cells, scores and times."""

from __future__ import annotations

import itertools

from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, SolveTiming
from qdynbench.stats import Interval, time_of
from qdynbench.text import plain


def cells_by_solver(run: Run) -> dict[str, list[CellRecord]]:
    """Return the cells of each solver, solvers in the order of the task, sizes in order."""
    order = {name: number for number, name in enumerate(run.task.solvers)}
    found = sorted(run.cells, key=lambda cell: (order.get(cell.solver, len(order)), cell.solver, cell.size, cell.seed))
    return {name: list(cells) for name, cells in itertools.groupby(found, key=lambda cell: cell.solver)}


def states_of(run: Run) -> int:
    """Return the number of test states of a case: an ensemble of a single state has one, whatever the task says."""
    kept = (run.curves_of(cell, cell.scores[0].metric) for cell in run.cells if cell.scores)
    curves = next(filter(None, kept), {})
    return min((len(values) for values in curves.values()), default=run.task.states)


def label_of(run: Run, solver: str) -> str:
    """Return the assumption or protocol of a solver that a reader must know, or nothing; for display alone."""
    return next((plain(cell.label) for cell in run.cells if cell.solver == solver and cell.label), "")


def score_of(cell: CellRecord | None, metric: str) -> Score | None:
    """Return a cell's score at the last step that it has, or None."""
    found = [] if cell is None else [score for score in cell.scores if score.metric == metric]
    return max(found, key=lambda score: score.step or 0, default=None)


def timing_of(cell: CellRecord | None, batch_size: int | None) -> SolveTiming | None:
    """Return how a cell was timed at one batch size, or None."""
    found = [] if cell is None else cell.ledger.solve
    return next((timing for timing in found if timing.batch_size == batch_size), None)


def solve_time(timing: SolveTiming) -> Interval:
    """Return the seconds of one call with their interval over launches."""
    return time_of(timing.launches)
