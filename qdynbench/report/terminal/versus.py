"""The table of two solvers: time, ratio, errors and break-even, case by case."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.comparison import Accuracy, Contest, Pace
from qdynbench.analysis.selection import timing_of
from qdynbench.record.results import Run
from qdynbench.report.parts import Column, Span, Table
from qdynbench.report.terminal import numbers
from qdynbench.report.terminal.layout import cut, lines_of, width_of_table, wrapped
from qdynbench.report.terminal.notes import extrapolations, labels
from qdynbench.report.terminal.sentences import ACCURACY, PACE, gap, how_much, words, wrong

PACE_STYLES = {Pace.FASTER: "green", Pace.SLOWER: "red", Pace.SAME: "yellow", Pace.UNKNOWN: "yellow"}
ACCURACY_STYLES = {
    Accuracy.BETTER: "green",
    Accuracy.EQUAL: "default",
    Accuracy.WORSE: "red",
    Accuracy.UNDECIDED: "yellow",
    Accuracy.UNKNOWN: "yellow",
}
NAMES = (40, 30, 24, 18, 14, 10)
"""Widths to try for the headings; a solver name that is cut there stands in full in the title above."""


def versus(run: Run, first: str, other: str, found: Sequence[Contest], console: Console) -> Iterator[Text]:
    """Yield the table of the first solver against another: for each case its errors, then a row for each batch size."""
    table = Table([], list(_rows(run, found)))
    for name in NAMES:
        names = map(Column, ["  states", cut(first, name), cut(other, name), "ratio"])
        table.columns = [*names, Column("", "left"), Column("break-even")]
        if width_of_table(table) <= console.width:
            break
    title = Text.assemble((first, "bold cyan"), " against ", (other, "bold cyan"))
    title.append(f"  time of one call ± 95 % over launches; {words(run.metric)} at the last step", "dim")
    table.notes = extrapolations(cell for cell in run.cells if cell.solver in {first, other})
    if any(contest.ratio is not None and not contest.paired for contest in found):
        table.notes.append("‡ timed in different races, so that a drift of the machine does not cancel")
    table.notes += labels(run, (first, other))
    yield from wrapped(title, console, console.width, 2)
    yield from lines_of(table, console, console.width)


def _rows(run: Run, found: Sequence[Contest]) -> Iterator[Sequence[str | Text] | Span]:
    several = len(run.task.seeds) > 1
    for (size, seed), case in itertools.groupby(found, key=lambda one: (one.size, one.seed)):
        contests = list(case)
        errors = numbers.score(contests[0].first_error), numbers.score(contests[0].other_error)
        text = Text(write.count(size, "spin") + f", seed {seed}" * several, "bold")
        text = Text.assemble(text, f"  {words(run.metric)} {errors[0]} against {errors[1]}: ")
        accuracy = contests[0].accuracy
        text.append(ACCURACY[accuracy], ACCURACY_STYLES[accuracy])
        yield Span(text.append(how_much(contests[0].errors)), 4)
        if contests[0].wrong:
            yield Span(Text(f"  {wrong(contests[0].first, [size])}", "red"), 4)
        for one in contests:
            if one.gap is not None:
                yield Span(Text(f"  {gap(one.gap)}", "yellow"), 4)
            if one.ratio is None or one.pace is None:
                continue
            times = (timing_of(run.cell(solver, size, seed), one.batch_size) for solver in (one.first, one.other))
            yield [
                str(one.batch_size),
                *map(numbers.call, times),
                write.with_interval(*one.ratio) + ("" if one.paired else "‡"),
                Text(PACE[one.pace], PACE_STYLES[one.pace]),
                numbers.break_even(one.break_even),
            ]
