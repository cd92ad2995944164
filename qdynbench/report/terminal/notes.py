"""What a reader has to know of a row beside its numbers: that it rests on no reference, or what its solver remarks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from qdynbench import text as write
from qdynbench.analysis.comparison import ROUNDING
from qdynbench.analysis.selection import label_of, score_of
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status
from qdynbench.report.terminal.numbers import score

NO_REFERENCE, UNCERTIFIED = "§", "°"
"""Footnotes beside the number of spins."""


def reference_mark(cell: CellRecord) -> str:
    """Return the sign of a footnote where a row's accuracy rests on no reference, or on one that is not certified."""
    if cell.reference is None or cell.status is not Status.OK:
        return ""
    return NO_REFERENCE if cell.reference.missing else UNCERTIFIED if cell.reference.uncertified else ""


def beside_columns(cell: CellRecord, shown: Collection[str]) -> str:
    """Return what could be scored where the columns do not say it: without a reference, or without states."""
    if cell.reference is None:
        return ""
    names = dict.fromkeys(score.metric for score in cell.scores)
    told = names and (names.keys() <= set(shown) if cell.reference.missing else names.keys() & set(shown))
    if told or not (names or cell.reference.missing):
        return ""
    scores = [found for name in names if (found := score_of(cell, name))]
    parts = [f"{found.metric.replace('_', ' ')} {score(found)}" for found in scores]
    return f" {cell.size}{reference_mark(cell)} {', '.join(parts) or 'nothing could be scored'}"


def metrics_named(run: Run) -> list[str]:
    """Return the metrics that the task asks for by name."""
    return [] if run.task.metrics == "all" else list(run.task.metrics)


def tells_apart(run: Run, metric: str) -> bool:
    """Return whether a metric says anything here: the mean z of a Neel state stays 0, whatever a solver does."""
    return any(abs(score.value) > ROUNDING for cell in run.cells if (score := score_of(cell, metric)))


def resolution_note(run: Run) -> Iterator[str]:
    """Yield what a `<` means, where there is one."""
    if any(score.unresolved for cell in run.cells for score in cell.scores):
        states = {cell.reference.states for cell in run.cells if cell.reference and cell.reference.states}
        fewest = f"{min(states)} to " if len(states) > 1 else ""
        on = f", estimated on {fewest}{write.count(max(states), 'test state')}" if states else ""
        yield f"<: below the resolution of the reference{on}"


def reference_notes(run: Run) -> Iterator[str]:
    """Yield a footnote for each reason why there is no reference, or why it is not certified."""
    found: dict[tuple[str, str, str], set[int]] = {}
    for cell in run.cells:
        if cell.reference is None or not (mark := reference_mark(cell)):
            continue
        reason = write.without_size(cell.reference.missing or cell.reference.uncertified, cell.size)
        found.setdefault((mark, cell.reference.solver, reason), set()).add(cell.size)
    for (mark, solver, reason), sizes in found.items():
        where = f"N = {write.spans(sizes)}"
        if mark == NO_REFERENCE:
            yield f"{mark} no reference at {where} ({solver}: {reason}): only what needs none is shown"
        else:
            yield f"{mark} reference {solver} not certified at {where} ({reason}): its own error is not known"
    remarks = [(cell.reference.solver, cell.reference.notes, cell.size) for cell in run.cells if cell.reference]
    for line in _said(remarks):
        yield f"reference {line}"


def solver_notes(run: Run) -> Iterator[str]:
    """Yield what solvers had to say of their own results, once for all sizes that it was said at."""
    return _said((cell.solver, cell.notes, cell.size) for cell in run.cells)


def _said(remarks: Iterable[tuple[str, list[str], int]]) -> Iterator[str]:
    found: dict[tuple[str, str], set[int]] = {}
    for solver, notes, size in remarks:
        for note in notes:
            found.setdefault((solver, write.plain(note)), set()).add(size)
    for (solver, note), sizes in found.items():
        yield f"{solver} at N = {write.spans(sizes)}: {note}"


def extrapolations(cells: Iterable[CellRecord]) -> list[str]:
    """Return a footnote for each solver among the cells with an extrapolated time."""
    found = {
        f"* {cell.solver}: timed on {write.count(timing.timed_states, 'state')}, extrapolated in proportion": None
        for cell in cells
        for timing in cell.ledger.solve
        if timing.extrapolated
    }
    return list(found)


def labels(run: Run, solvers: Iterable[str]) -> list[str]:
    """Return a footnote for each solver with an assumption or protocol that the reader must know."""
    return [f"† {solver}: {label}" for solver in dict.fromkeys(solvers) if (label := label_of(run, solver))]
