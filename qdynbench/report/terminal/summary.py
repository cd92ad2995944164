"""The report of a run in brief: the answer, one table that compares, and one chart."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.answer import Answer, Row
from qdynbench.analysis.comparison import Accuracy, Contest, Pace
from qdynbench.analysis.selection import label_of, score_of
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report.parts import Column, Span, Table
from qdynbench.report.terminal.curves import chart
from qdynbench.report.terminal.layout import cut, lines_of, status_text, width_of_table, wrapped
from qdynbench.report.terminal.notes import metrics_named, reference_notes, resolution_note, solver_notes, tells_apart
from qdynbench.report.terminal.sentences import care, error_range, fastest, words, worth, wrong
from qdynbench.report.terminal.tables import HEADINGS, LEGEND

WIDEST_TEXT = 110
"""Lines of prose longer than this are hard to read."""
BETWEEN = 4
"""Blanks between the table and a chart beside it."""
NAMES = (24, 18, 14, 10)
"""Widths to try for the names of solvers; one that is cut stands in full in the answer or in `--details`."""
PACE_STYLES = {Pace.FASTER: "green", Pace.SLOWER: "red", Pace.SAME: "", Pace.UNKNOWN: "", None: ""}
ERROR_STYLES = {
    Accuracy.BETTER: "green",
    Accuracy.EQUAL: "",
    Accuracy.WORSE: "red",
    Accuracy.UNDECIDED: "yellow",
    Accuracy.UNKNOWN: "yellow",
}


def said(answer: Answer) -> Iterator[tuple[str, str, str]]:
    """Yield the answer in words, each a heading, a text and the style of the text."""
    run, reference = answer.run, answer.run.task.reference
    if text := fastest(answer.fastest, reference, run.metric, run.tolerance):
        yield "", text, "bold"
    for one in (one for one in answer.worth if one.scores):
        yield one.solver, worth(one, reference), ""
    for solver, sizes in answer.wrong:
        yield "", wrong(solver, sizes), "red"
    if text := care(answer.care):
        yield "", text, "yellow"


def sentences_of(answer: Answer, console: Console) -> Iterator[Text]:
    """Yield the answer in words, for a console."""
    for heading, text, style in said(answer):
        line = Text.assemble((f"{heading}: " if heading else "", "bold"), (text, style))
        yield from wrapped(line, console, min(console.width, WIDEST_TEXT), 2)


def summary(answer: Answer, console: Console) -> Iterator[Text]:
    """Yield the answer, then the table and a chart, side by side where the console is wide enough."""
    yield from sentences_of(answer, console)
    yield Text()
    run, width = answer.run, console.width
    named = [name for name in metrics_named(run) if name not in {run.metric, "skill"} and tells_apart(run, name)]
    for count, longest in itertools.product(range(len(named), -1, -1), NAMES):
        table = comparison_table(answer, longest, named[:count])
        if width_of_table(table) <= width:
            break
    taken = width_of_table(table)
    left = width - taken - BETWEEN
    beside = left >= 56
    listed = list(lines_of(table, console, taken if beside else width))
    drawn = list(chart(run, console, min(left, WIDEST_TEXT) if beside else min(width, WIDEST_TEXT)))
    if beside and drawn:
        for one, other in itertools.zip_longest(listed, drawn, fillvalue=Text()):
            line = Text.assemble(one, " " * (taken + BETWEEN - one.cell_len), other)
            line.rstrip()
            yield line
    else:
        yield from listed
        if drawn:
            yield Text()
            yield from drawn


def comparison_table(answer: Answer, longest: int = NAMES[0], named: Sequence[str] = ()) -> Table:
    """Return a line for each solver and range of sizes: errors, times over the reference's, how it ended."""
    run = answer.run
    reference, batches = run.task.reference, run.task.timing.batch_sizes
    timed = any(row.solver == reference and any(row.times.values()) for row in answer.rows)
    columns = [Column("solver", "left"), Column("N"), Column(words(run.metric), "number")]
    columns += [Column(HEADINGS.get(name, words(name)), "number") for name in named]
    columns += [Column(write.count(batch, "state")) for batch in batches]
    table = Table(columns)
    for solver, rows in itertools.groupby(answer.rows, key=lambda row: row.solver):
        for number, row in enumerate(rows):
            name = "" if number else cut(solver, longest)
            if row.status is not Status.OK and not row.times:
                reason = write.without_size(row.reason, row.sizes[0])
                head = Text.assemble((f"{name}  ".lstrip(), "bold"), f"N = {write.spans(row.sizes)} ")
                table.rows.append(Span(head.append_text(status_text(row.status, reason)), 4))
                continue
            error = Text(
                error_range(row.scores).replace(" to ", "..") + " wrong" * row.wrong,
                ERROR_STYLES[row.accuracy] if solver != reference else "",
            )
            cells = [_time(row, batch, absolute=solver == reference or not timed) for batch in batches]
            others = [_errors(run, row, metric) for metric in named]
            table.rows.append([Text(name, "bold"), write.spans(row.sizes), error, *others, *cells])
            if row.status is not Status.OK:  # of several seeds, or after it was scored
                text = status_text(row.status, write.without_size(row.reason, row.sizes[0]))
                table.rows.append(Span(Text.assemble(f"  N = {write.spans(row.sizes)}: not all of it: ", text), 4))
    if timed:
        scaled = "; * from fewer states" * any(row.extrapolated for row in answer.rows)
        table.notes.append(f"times: {reference}'s own, others over {reference}'s; (not told apart){scaled}")
    table.notes += [LEGEND[name] for name in named if name in LEGEND]
    table.notes += [*resolution_note(run), *reference_notes(run), *solver_notes(run)]
    for solver in dict.fromkeys(row.solver for row in answer.rows if row.solver in run.record.fits):
        if label := label_of(run, solver):
            table.notes.append(f"{solver}: {label}")
    return table


def _errors(run: Run, row: Row, metric: str) -> str:
    cells = (cell for cell in run.cells if cell.solver == row.solver and cell.size in row.sizes)
    return error_range([found for cell in cells if (found := score_of(cell, metric))]).replace(" to ", "..")


def _time(row: Row, batch: int, *, absolute: bool) -> Text:
    times, found = row.times.get(batch, ()), row.contests.get(batch, ())
    if not times:
        return Text(write.NOTHING, "dim")
    if absolute or not found:
        return Text(_span([write.duration(each[0], digits=2).replace(" ", "") for each in (min(times), max(times))]))
    paces = {one.pace for one in found}
    text = _span([write.significant(ratio, 2) for ratio in _ends(found)]) + "*" * (batch in row.extrapolated)
    if paces <= {Pace.SAME, Pace.UNKNOWN}:
        return Text(f"({text})")
    # A shorter time at a larger error is no speed-up.
    fair = len(paces) == 1 and (Pace.SLOWER in paces or all(one.accuracy.suffices for one in found))
    return Text(text, PACE_STYLES[found[0].pace] if fair and not row.wrong else "dim")


def _ends(found: Sequence[Contest]) -> tuple[float, float]:
    ratios = [one.ratio[0] for one in found if one.ratio is not None]
    return min(ratios), max(ratios)


def _span(ends: Sequence[str]) -> str:
    return ends[0] if ends[0] == ends[1] else f"{ends[0]}..{ends[1]}"
