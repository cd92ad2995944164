"""What the parts of the report look up in a run."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from qdynbench import text as write
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Score, SolveTiming
from qdynbench.stats import Interval, bootstrap_median


def solvers_of(run: Run) -> dict[str, list[CellRecord]]:
    """Return the cells of each solver, solvers in the order of the task, sizes in order."""
    order = {name: number for number, name in enumerate(run.task.solvers)}
    found = sorted(run.cells, key=lambda cell: (order.get(cell.solver, len(order)), cell.solver, cell.size, cell.seed))
    return {name: list(cells) for name, cells in itertools.groupby(found, key=lambda cell: cell.solver)}


def states_of(run: Run) -> int:
    """Return the number of test states of a case: an ensemble of a single state has one, whatever the task says."""
    kept = (run.curves_of(cell) for cell in run.cells if cell.scores)
    curves = next(filter(None, kept), {})
    return min((len(values) for values in curves.values()), default=run.task.states)


def label_of(run: Run, solver: str) -> str:
    """Return the assumption or protocol of a solver that a reader must know, or nothing."""
    return next((write.plain(cell.label) for cell in run.cells if cell.solver == solver and cell.label), "")


def score_of(cell: CellRecord, metric: str) -> Score | None:
    """Return a cell's score at the last step that it has, or None."""
    found = [score for score in cell.scores if score.metric == metric]
    return max(found, key=lambda score: score.step or 0) if found else None


def solve_time(timing: SolveTiming) -> str:
    """Write the median over rounds with its interval, and a `*` when it is extrapolated."""
    if not timing.seconds:
        return write.NOTHING
    return write.duration(*_median(tuple(timing.seconds))) + ("*" if timing.extrapolated else "")


def extrapolations(cells: list[CellRecord]) -> list[str]:
    """Return a footnote for each solver among the cells with an extrapolated time."""
    notes = {}
    for cell in cells:
        for timing in cell.ledger.solve:
            if timing.extrapolated:
                notes[cell.solver, timing.timed_states] = (
                    f"* {cell.solver}: timed on {write.count(timing.timed_states, 'state')}, extrapolated in proportion"
                )
    return list(notes.values())


@functools.cache
def _median(seconds: tuple[float, ...]) -> Interval:
    return bootstrap_median(np.array(seconds))  # kept, because a table is filled once for each width that is tried
