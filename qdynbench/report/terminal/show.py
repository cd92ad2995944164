"""The report of a run and of a comparison, for a terminal of 80 columns or more."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.answer import answer
from qdynbench.analysis.findings import Claim, Comparison, Protocol, findings
from qdynbench.analysis.selection import cells_by_solver, score_of
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.record.store import PAGE
from qdynbench.report.parts import Drawing
from qdynbench.report.terminal.curves import curves
from qdynbench.report.terminal.heading import machine_of, setting_of
from qdynbench.report.terminal.layout import STATUS_STYLES, flow, lines_of, say, wrapped
from qdynbench.report.terminal.notes import labels
from qdynbench.report.terminal.sentences import paragraphs, text_of
from qdynbench.report.terminal.summary import sentences_of, summary
from qdynbench.report.terminal.tables import tables
from qdynbench.report.terminal.versus import versus

WIDEST_TEXT = 110
"""Lines of prose longer than this are hard to read."""


def show(run: Run, console: Console, drawn: Sequence[Drawing] = (), *, details: bool = False) -> None:
    """Print the report of a run: the answer, a table that compares and a chart.

    Args:
        run: the run.
        console: where to; what is shown side by side depends on its width.
        drawn: what came of the figures.
        details: print all tables, all curves and the whole verdict, and the tracebacks and logs of what failed.
    """
    _section(console, _header(run, console))
    if details:
        _section(console, tables(run, console))
        _section(console, curves(run, console))
        _section(console, _figures(drawn, console))
        _section(console, _verdict(run, console))
        _section(console, _details(run, drawn, console))
    elif not any(score_of(cell, run.metric) for cell in run.cells):  # nothing that the answer could compare
        _section(console, tables(run, console))
        _section(console, curves(run, console))
        _section(console, _figures(drawn, console))
        _section(console, _verdict(run, console))
    else:
        _section(console, summary(answer(run), console))
        _section(console, _figures(drawn, console))
    say(console, _footer(run, drawn, console))


def show_answer(run: Run, console: Console) -> None:
    """Print the answer of a run alone."""
    say(console, sentences_of(answer(run), console))


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print a comparison: a table for each other solver, then the outcome in words."""
    run, first = comparison.run, comparison.first
    _section(console, _header(run, console))
    for other, found in comparison.contests.items():
        _section(console, versus(run, first, other, found, console))
    texts = [(f"{first} against {other}", text_of(found)) for other, found in comparison.findings.items()]
    _section(console, _prose(texts, console))


def _section(console: Console, lines: Iterator[Text]) -> None:
    found = list(lines)
    if found:
        say(console, [*found, Text()])


def _header(run: Run, console: Console) -> Iterator[Text]:
    yield from wrapped(Text(write.plain(run.task.title or run.task.name), "bold"), console, console.width)
    for items in (setting_of(run), [*machine_of(run), write.plain(str(run.folder))]):
        for line in flow(items, console.width):
            yield Text(line, "dim")


def _verdict(run: Run, console: Console) -> Iterator[Text]:
    found = findings(run)
    if found:
        yield Text("Verdict", "bold cyan")
        yield from _prose(paragraphs(found), console)
        variants = [one.subject for one in found if isinstance(one, Protocol)]
        subjects = [one.subject for one in found if not isinstance(one, Protocol | Claim)]
        for label in labels(run, [*subjects, *variants]):
            yield from wrapped(Text(label, "dim"), console, min(console.width, WIDEST_TEXT), 2)


def _prose(texts: Iterable[tuple[str, str]], console: Console) -> Iterator[Text]:
    for heading, text in texts:
        line = Text.assemble((f"{heading}: ", "bold"), text)
        yield from wrapped(line, console, min(console.width, WIDEST_TEXT), 2)


def _figures(drawn: Sequence[Drawing], console: Console) -> Iterator[Text]:
    """Yield the tables of the figures, then where each was written or why it could not be drawn."""
    if drawn:
        yield Text("Figures", "bold cyan")
    for one in drawn:
        if one.table is not None:
            yield from lines_of(one.table, console, console.width)
            yield Text()
    for one in drawn:
        if one.files:
            kinds = " and ".join(path.suffix for path in one.files[1:])
            yield Text(f"{one.name}: {shlex.quote(str(one.files[0]))}, {kinds}")
        if one.reason:
            text = Text.assemble(f"{one.name}: ", ("cannot be drawn: ", "yellow"), write.plain(one.reason))
            yield from wrapped(text, console, console.width, 2)


def _details(run: Run, drawn: Sequence[Drawing], console: Console) -> Iterator[Text]:
    failed = [(f"fit of {fit.solver}", fit.status, fit.reason, fit.details) for fit in run.record.fits.values()]
    failed += [
        (f"{cell.solver} at {write.count(cell.size, 'spin')}", cell.status, cell.reason, cell.details)
        for cells in cells_by_solver(run).values()
        for cell in cells
    ]
    failed += [(f"figure {one.name}", Status.FAILED, one.reason, one.details) for one in drawn]
    said: dict[str, str] = {}
    for name, status, reason, text in (one for one in failed if one[3] and not one[1].honest):
        head = Text.assemble((name, "bold"), "  ", (status.value, STATUS_STYLES[status]), f"  {write.plain(reason)}")
        yield from wrapped(head, console, console.width, 2)
        if text in said:
            yield Text(f"  as for {said[text]}", "dim")
        else:
            said[text] = name
            yield from (Text(f"  {line.expandtabs(4)}", "dim") for line in text.rstrip().splitlines())


def _footer(run: Run, drawn: Sequence[Drawing], console: Console) -> Iterator[Text]:
    counts = Counter(cell.status for cell in run.cells)
    untimed = sum(not cell.complete and cell.status is Status.OK for cell in run.cells)
    text = Text(f"{write.count(len(run.cells), 'cell')}: ")
    parts = [Text(f"{counts[status]} {status.value}", STATUS_STYLES[status]) for status in Status if counts[status]]
    if untimed:
        parts.append(Text(f"{untimed} not timed yet", "yellow"))
    if run.missing:
        parts.append(Text(f"{run.missing} missing", "yellow"))
    text.append_text(Text(", ").join(parts))
    if run.damaged:
        parts_of = write.count(len(run.damaged), "file")
        text.append(f"; {parts_of} cannot be read, see below")
    if untimed or run.missing:
        text.append("; interrupted: the same `qdynbench run` goes on from here")
    yield from wrapped(text, console, console.width, 2)
    folder = shlex.quote(str(run.folder))
    if pair := _pair(run):
        yield Text(f"next  qdynbench compare {' '.join(map(shlex.quote, pair))} --run {folder}", "dim")
    ended = [cell.details for cell in run.cells if not cell.status.honest]
    told = any([*ended, *(fit.details for fit in run.record.fits.values()), *(one.details for one in drawn)])
    what = "every number, all curves, tracebacks" if told else "every number and all curves"
    yield Text(f"      qdynbench report {folder} --details    {what}", "dim")
    if (run.folder / PAGE).is_file():
        yield Text(f"page  {shlex.quote(str(run.folder / PAGE))}", "dim")


def _pair(run: Run) -> tuple[str, str] | None:
    """Return what one would compare first: a learned solver, or else any, with the reference."""
    solved = [cell for cell in run.cells if cell.status is Status.OK and cell.solver != run.task.reference]
    if not solved or not any(cell.solver == run.task.reference for cell in run.cells):
        return None
    return min(solved, key=lambda cell: cell.solver not in run.record.fits).solver, run.task.reference
