"""The two tables of a run: how accurate each solver is, and what it costs; a cell without figures has its reason."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.comparison import Error, compare_errors, final_error
from qdynbench.analysis.seeds import over_seeds
from qdynbench.analysis.selection import extrapolations, label_of, score_of, solve_time, solvers_of, states_of
from qdynbench.record.ledger import break_even
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, FitRecord, SolveTiming, Status
from qdynbench.report.terminal.layout import Column, Span, Table, status_text, wrapped
from qdynbench.report.terminal.notes import beside_columns, reference_mark, reference_notes, solver_notes

KNOWLEDGE = {
    "hamiltonian": "knows the Hamiltonian",
    "parameters": "knows the model's parameters",
    "trajectories": "knows trajectories alone",
}
ALWAYS = ("mean_relative_entropy", "infidelity", "skill")
WITHOUT_STATES = ("spin_error", "entropy_error", "truncation")
"""In their place where no cell has any of them: what can be compared without state vectors."""
IF_ROOM = ("valid_time", "magnetization_error_z", "magnetization_error_x", "magnetization_error_y")
HEADINGS = {
    "mean_relative_entropy": "MRE",
    "magnetization_error_x": "x error",
    "magnetization_error_y": "y error",
    "magnetization_error_z": "z error",
}

SHORT_START_UP = 0.1
"""Seconds that are not worth a note."""


@dataclass(frozen=True)
class Part:
    """A column and how to fill it from a cell."""

    column: Column
    entry: Callable[[CellRecord], str | Text]


def tables(run: Run, console: Console) -> Iterator[Text]:
    """Yield the accuracy and the cost of all cells: side by side where the console is wide enough, else stacked."""
    width = console.width
    keys, accuracy = _keys(run), _accuracy(run)
    brief_keys = [part for part in keys if part.column.heading != "track"]
    cost = _cost(run, " ")
    if _filled(run, [*brief_keys, *cost]).width > width:
        cost = _cost(run, "")
    divider = Part(Column(""), lambda _: "")  # no width of its own, but a gap on both sides
    beside = bool(cost) and _filled(run, [*keys, *accuracy, divider, *cost]).width <= width
    others = [divider, *cost] if beside else []
    for part in _if_room(run):
        if _filled(run, [*keys, *accuracy, part, *others]).width > width:
            break
        accuracy.append(part)
    if beside:
        table = _filled(run, [*keys, *accuracy, *others])
        start = table.position(len(keys) + len(accuracy) + 1)
        left = wrapped(_accuracy_title(run), console, start - 4)
        yield from _beside(list(left), list(wrapped(_cost_title(), console, width - start)), start)
        yield from table.lines(console, width)
    else:
        yield from wrapped(_accuracy_title(run), console, width)
        for piece in _pieces(run, keys, accuracy, width):
            yield from _filled(run, piece).lines(console, width)
        if cost:
            yield Text()
            yield from wrapped(_cost_title(), console, width)
            for piece in _pieces(run, brief_keys, cost, width):
                yield from _filled(run, piece, brief=True).lines(console, width)
    yield from _notes(run, console)


def _keys(run: Run) -> list[Part]:
    parts = [Part(Column(" N"), lambda cell: f"{cell.size}{reference_mark(cell)}")]
    if len(run.task.seeds) > 1:
        parts.append(Part(Column("seeds"), lambda cell: str(_seeds(run, cell))))
    return [*parts, Part(Column("track", "left"), lambda cell: Text(write.plain(cell.track), "dim"))]


def _seeds(run: Run, cell: CellRecord) -> int:
    """Return how many seeds a row is the mean over."""
    same = [other for other in run.cells if (other.solver, other.size) == (cell.solver, cell.size)]
    return sum(_ending(other) == _ending(cell) for other in same)


def _accuracy(run: Run) -> list[Part]:
    return [_metric(run, metric) for metric in _shown(run)]


def _shown(run: Run) -> list[str]:
    present = {score.metric for cell in run.cells for score in cell.scores}
    first = ALWAYS if present & set(ALWAYS) else WITHOUT_STATES if "spin_error" in present else sorted(present)
    return [metric for metric in first if metric in present]


def _if_room(run: Run) -> list[Part]:
    present = {score.metric for cell in run.cells for score in cell.scores}
    return [_metric(run, metric) for metric in IF_ROOM if metric in present and present & set(ALWAYS)]


def _metric(run: Run, metric: str) -> Part:
    def entry(cell: CellRecord) -> Text:
        found = score_of(cell, metric)
        if metric == "valid_time" and found is not None and found.value >= run.task.times.grid()[-1] * (1 - 1e-6):
            return Text(f"≥{write.significant(found.value)}", "dim")
        if metric == "skill":
            text = write.skill(found, score_of(cell, "mean_relative_entropy"))
            return Text(text, "red" if found is not None and found.value < 0 else "")
        return Text(write.score(found), "dim" if found is not None and write.below_bound(found) else "")

    return Part(
        Column(HEADINGS.get(metric, metric.replace("_", " ")), "right" if metric == "skill" else "figure"), entry
    )


def _cost(run: Run, space: str) -> list[Part]:
    """Return the columns of the cost; `space` stands between a number and its unit."""
    if not any(cell.ledger.prepare_time is not None or cell.ledger.solve for cell in run.cells):
        return []

    def part(heading: str, entry: Callable[[CellRecord], str]) -> Part:
        return Part(Column(heading), lambda cell: entry(cell).replace(" ", space))

    batches = sorted({timing.batch_size for cell in run.cells for timing in cell.ledger.solve})
    parts = [
        part("prepare", lambda cell: write.duration(cell.ledger.prepare_time)),
        part("first", lambda cell: write.duration(cell.ledger.first_call_time)),
        *(_time_at(run, batch, space) for batch in batches),
        part("memory", lambda cell: write.memory(cell.ledger.peak_memory_host)),
    ]
    if any(cell.ledger.peak_memory_device is not None for cell in run.cells):
        parts.append(part("on GPU", lambda cell: write.memory(cell.ledger.peak_memory_device)))
    if any(not math.isnan(_break_even(run, cell)) for cell in run.cells):
        parts.append(part("break-even", lambda cell: _break_even_entry(run, cell)))
    return parts


def _time_at(run: Run, batch: int, space: str) -> Part:
    """Return the column of one batch size; where a row has a `*`, the others keep its place."""

    def timing_of(cell: CellRecord) -> SolveTiming | None:
        return next((timing for timing in cell.ledger.solve if timing.batch_size == batch), None)

    def entry(cell: CellRecord) -> str:
        timing = timing_of(cell)
        text = write.NOTHING if timing is None else solve_time(timing)
        return text.replace(" ", space) + (" " if starred and not text.endswith("*") else "")

    starred = any(timing.extrapolated for cell in run.cells if (timing := timing_of(cell)) is not None)
    return Part(Column(write.count(batch, "state") + (" " if starred else "")), entry)


def _break_even(run: Run, cell: CellRecord) -> float:
    reference = run.cell(run.task.reference, cell.size, cell.seed)
    if reference is None or reference is cell:
        return math.nan
    return break_even(cell, reference, run.record.fits)


def _break_even_entry(run: Run, cell: CellRecord) -> str:
    text = write.break_even(_break_even(run, cell))
    return f"({text})" if _dearly(run, cell) else text


def _dearly(run: Run, cell: CellRecord) -> bool:
    """Say whether a cell breaks even at the price of an error that is larger than the reference's, or not known."""
    reference = run.cell(run.task.reference, cell.size, cell.seed)
    if reference is None or not math.isfinite(_break_even(run, cell)):
        return False
    return compare_errors(final_error(cell), final_error(reference)) not in {Error.EQUAL, Error.SMALLER}


def _filled(run: Run, parts: list[Part], *, brief: bool = False) -> Table:
    """Fill a table; `brief` leaves out what the table above it has said of a solver and of a cell without figures."""
    table = Table([part.column for part in parts])
    for solver, cells in solvers_of(run).items():
        table.rows.append(Span(Text(solver, "bold") if brief else _solver_line(run, solver, cells), 4))
        for (silent, status, reason), same in itertools.groupby(cells, key=_ending):
            found = list(same)
            for cell in [] if silent else over_seeds(found):
                table.rows.append([part.entry(cell) for part in parts])
                if not brief and (line := beside_columns(cell, _shown(run))):
                    table.rows.append(Span(Text(line, "dim"), 4))
            if status is not Status.OK:
                sizes = write.spans(cell.size for cell in found)
                text = Text.assemble((f" {sizes}  "), status_text(status, "" if brief else reason))
                table.rows.append(Span(text, 4))
    return table


def _ending(cell: CellRecord) -> tuple[bool, Status, str]:
    """Return what cells on one line have in common: no figures, status, and the reason but for their size."""
    silent = cell.status is not Status.OK and not cell.scores and not cell.ledger.solve
    return silent, cell.status, write.without_size(cell.reason, cell.size)


def _solver_line(run: Run, solver: str, cells: list[CellRecord]) -> Text:
    notes = [KNOWLEDGE.get(next((cell.knowledge for cell in cells if cell.knowledge), ""), "")]
    notes.append("learned" if solver in run.record.fits else "")
    notes.append("reference" if solver == run.task.reference else "")
    notes.append(label_of(run, solver))
    return Text.assemble((solver, "bold"), "  ", (" · ".join(filter(None, notes)), "dim"))


def _pieces(run: Run, keys: list[Part], parts: list[Part], width: int) -> Iterator[list[Part]]:
    """Yield as many columns at a time as fit in a width, each time with those that name the cell."""
    piece = list(keys)
    for part in parts:
        if len(piece) > len(keys) and _filled(run, [*piece, part]).width > width:
            yield piece
            piece = list(keys)
        piece.append(part)
    yield piece


def _accuracy_title(run: Run) -> Text:
    steps, times = run.task.times.steps, run.task.times
    text = Text.assemble(("Accuracy", "bold cyan"), (f" at step {steps} (t = {steps * times.dt:g}); mean", "dim"))
    states, seeds = write.count(states_of(run), "state"), len(run.task.seeds)
    over = states if seeds == 1 else f"{seeds} seeds, each the mean over {states}"
    return text.append(f" ± 95 % over {over}", "dim")


def _cost_title() -> Text:
    note = ": prepare, first call, calls of so many states (median ± 95 %), peak memory"
    return Text.assemble(("Cost", "bold cyan"), (note, "dim"))


def _notes(run: Run, console: Console) -> Iterator[Text]:
    notes = [*reference_notes(run), *solver_notes(run), *extrapolations(run.cells)]
    if any(not math.isnan(_break_even(run, cell)) for cell in run.cells):
        note = f"break-even: trajectories from which on all costs together are below those of {run.task.reference}"
        notes.append(note + ("; (in brackets): not at equal error" if any(_dearly(run, c) for c in run.cells) else ""))
    start_ups = [
        f"{write.plain(cell.solver)} {write.duration(cell.ledger.start_up_time)}"
        for cell in run.cells
        if (cell.ledger.start_up_time or 0.0) > SHORT_START_UP
    ]
    if start_ups:
        notes.append(f"start-up, once per worker (imports, compilation), not in break-even: {', '.join(start_ups)}")
    for note in notes:
        yield from wrapped(Text(note, "dim"), console, console.width, 2)
    for fit in run.record.fits.values():
        yield from wrapped(_fit_line(fit), console, console.width, 2)


def _fit_line(fit: FitRecord) -> Text:
    text = Text.assemble((fit.solver, "bold"), ": ")
    if not fit.status.honest:
        return text.append_text(status_text(fit.status, fit.reason))
    spent = f"data {write.duration(fit.data_time)}, fit {write.duration(fit.fit_time)}"
    made = fit.made
    where = [
        str(made.get("hardware", {}).get("processor", "unknown machine")),
        write.count(made["threads"], "thread") if "threads" in made else "",
        str(made.get("device", "")),
        str(made.get("date", ""))[:10],
    ]
    origin = {
        "fitted": "fitted in this run",
        "shipped": "weights shipped with it",
        "cache": "weights of an earlier run",
    }
    return text.append(
        write.plain(f"{origin.get(fit.source, fit.source)}: {spent} on {', '.join(filter(None, where))}")
    )


def _beside(left: list[Text], right: list[Text], start: int) -> Iterator[Text]:
    for first, second in itertools.zip_longest(left, right, fillvalue=Text()):
        yield Text.assemble(first, " " * (start - first.cell_len), second)
