"""What a reader has to know of a row beside its figures: that it rests on no reference, or what its solver remarks."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from qdynbench import text as write
from qdynbench.analysis.selection import score_of
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status

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
    parts = [f"{found.metric.replace('_', ' ')} {write.score(found)}" for found in scores]
    return f" {cell.size}{reference_mark(cell)} {', '.join(parts) or 'nothing could be scored'}"


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
    said: dict[tuple[str, str], set[int]] = {}
    for cell in run.cells:
        if cell.reference is not None:
            for note in cell.reference.notes:
                said.setdefault((cell.reference.solver, write.plain(note)), set()).add(cell.size)
    for (solver, note), sizes in said.items():
        yield f"reference {solver} at N = {write.spans(sizes)}: {note}"


def solver_notes(run: Run) -> Iterator[str]:
    """Yield what solvers had to say of their own results, once for all sizes that it was said at."""
    found: dict[tuple[str, str], set[int]] = {}
    for cell in run.cells:
        for note in cell.notes:
            found.setdefault((write.plain(cell.solver), write.plain(note)), set()).add(cell.size)
    for (solver, note), sizes in found.items():
        yield f"{solver} at N = {write.spans(sizes)}: {note}"
