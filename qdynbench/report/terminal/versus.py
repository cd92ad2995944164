"""The table of two solvers: time, ratio, errors and break-even, case by case."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.comparison import Comparison, Cost, Error, Row
from qdynbench.analysis.selection import extrapolations, label_of, solve_time
from qdynbench.record.schema import SolveTiming
from qdynbench.report.terminal.layout import Column, Span, Table, cut, wrapped
from qdynbench.report.terminal.layout import Row as TableRow

COST_STYLES = {Cost.FASTER: "green", Cost.SLOWER: "red", Cost.SAME: "yellow"}
ERROR_STYLES = {Error.SMALLER: "green", Error.EQUAL: "default", Error.LARGER: "red", Error.UNKNOWN: "yellow"}
NAMES = (40, 30, 24, 18, 14, 10)
"""Widths to try for the headings; a solver name that is cut there stands in full in the title above."""


def versus(comparison: Comparison, other: str, console: Console) -> Iterator[Text]:
    """Yield the table of the first solver against another: for each case its errors, then a row for each batch size."""
    run, first = comparison.run, comparison.first
    rows = [row for row in comparison.rows if row.other == other]
    unpaired = any(row.ratio is not None and not row.paired for row in rows)
    entries = list(_entries(comparison, rows))
    for name in NAMES:
        table = Table([*map(Column, ["  states", cut(first, name), cut(other, name), "ratio"])])
        table.columns += [Column("", "left"), Column("break-even")]
        table.rows = entries
        if table.width <= console.width:
            break
    title = Text.assemble((first, "bold cyan"), " against ", (other, "bold cyan"))
    title.append("  time of one call, median ± 95 % over rounds; infidelity at the last step", "dim")
    yield from wrapped(title, console, console.width, 2)
    yield from table.lines(console, console.width)
    cells = [cell for cell in run.cells if cell.solver in {first, other}]
    notes = extrapolations(cells)
    if unpaired:
        notes.append("‡ not paired: timed in different rounds, so that a drift of the machine does not cancel")
    notes += [f"† {name}: {label}" for name in (first, other) if (label := label_of(run, name))]
    for note in notes:
        yield from wrapped(Text(note, "dim"), console, console.width, 2)


def _entries(comparison: Comparison, rows: list[Row]) -> Iterator[TableRow]:
    seeds = len(comparison.run.task.seeds) > 1
    for (_, seed), case in itertools.groupby(rows, key=lambda row: (row.size, row.seed)):
        found = list(case)
        yield Span(_errors(found[0], f"seed {seed}" if seeds else ""), 4)
        for row in found:
            if row.ratio is None or row.cost is None:
                yield Span(Text(f"  {write.plain(row.reason)}", "yellow"), 4)
                continue
            yield [
                str(row.batch_size),
                _time(comparison, row, row.first),
                _time(comparison, row, row.other),
                write.with_interval(*row.ratio) + ("" if row.paired else "‡"),
                Text(row.cost.value, COST_STYLES[row.cost]),
                write.NOTHING if row.cost is Cost.SAME else write.break_even(row.break_even),
            ]


def _errors(row: Row, seed: str) -> Text:
    text = Text.assemble((", ".join(filter(None, [write.count(row.size, "spin"), seed])), "bold"), "  infidelity ")
    text.append(f"{write.score(row.first_error)} against {write.score(row.other_error)}: ")
    return text.append(row.error.value, ERROR_STYLES[row.error])


def _time(comparison: Comparison, row: Row, solver: str) -> str:
    cell = comparison.run.cell(solver, row.size, row.seed)
    timings: list[SolveTiming] = [] if cell is None else cell.ledger.solve
    return next((solve_time(timing) for timing in timings if timing.batch_size == row.batch_size), write.NOTHING)
