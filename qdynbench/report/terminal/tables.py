"""The two tables of a run: how accurate each solver is, and what it costs; a cell without numbers has its reason."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.analysis.points import Point, points
from qdynbench.analysis.selection import label_of, score_of, states_of, timing_of
from qdynbench.record.ledger import Cheaper
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, FitRecord, Status
from qdynbench.report.parts import Column, Span, Table
from qdynbench.report.terminal import numbers
from qdynbench.report.terminal.layout import GAP, lines_of, status_text, width_of, wrapped
from qdynbench.report.terminal.notes import (
    beside_columns,
    extrapolations,
    metrics_named,
    reference_mark,
    reference_notes,
    resolution_note,
    solver_notes,
    tells_apart,
)

KNOWLEDGE = {
    "hamiltonian": "knows the Hamiltonian",
    "parameters": "knows the model's parameters",
    "trajectories": "knows trajectories alone",
}
ALWAYS = ("mean_relative_entropy", "infidelity", "skill")
WITHOUT_STATES = ("spin_error", "entropy_error", "truncation")
"""In their place where no cell has any of them: what can be compared without state vectors."""
IF_ROOM = ("valid_time", "magnetization_error_z", "spin_error", "magnetization_error_x", "magnetization_error_y")
HEADINGS = {
    "mean_relative_entropy": "MRE",
    "magnetization_error_x": "x error",
    "magnetization_error_y": "y error",
    "magnetization_error_z": "z error",
}
LEGEND = {
    "mean_relative_entropy": "MRE: mean relative entropy of the magnitudes, blind to phases",
    "skill": "skill: 1 - MRE / MRE of persistence; 1 is perfect, 0 no better than standing still",
    "valid_time": "valid time: until the infidelity passes 0.01",
}
"""What headings mean that do not say it themselves."""
TRACK = "track: how a case differs from the training data"
ORIGIN = {
    "fitted": "fitted in this run",
    "shipped": "shipped weights, whose cost is as the plugin says",
    "cache": "weights of an earlier run",
}
SHORT_START_UP = 0.1
"""Seconds that are not worth a note."""


@dataclass(frozen=True)
class Part:
    """A column with its entries, one for each point that has numbers."""

    column: Column
    entries: Sequence[str | Text]

    @cached_property
    def width(self) -> int:
        """How much room it takes with the gap after it."""
        return width_of(self.column, self.entries) + GAP


def tables(run: Run, console: Console) -> Iterator[Text]:
    """Yield the accuracy and the cost of all cells: side by side where the console is wide enough, else stacked."""
    width, every = console.width, points(run)
    found = [point for point in every if not point.silent]
    shown, optional = _metrics(run)
    keys, accuracy, cost = _keys(run, found), [_metric(run, metric, found) for metric in shown], _cost(found)
    brief_keys = [part for part in keys if part.column.heading != "track"]
    if _width([*brief_keys, *cost]) > width:
        cost = [part if part.column.heading == "break-even" else _closed(part) for part in cost]
    divider = Part(Column(""), [""] * len(found))  # no width of its own, but a gap on both sides
    beside = bool(cost) and _width([*keys, *accuracy, divider, *cost]) <= width
    others = [divider, *cost] if beside else []
    for metric in optional:
        if _width([*keys, *accuracy, part := _metric(run, metric, found), *others]) > width:
            break
        accuracy.append(part)
    title = _accuracy_title(run)
    if beside:
        start = sum(part.width for part in [*keys, *accuracy, divider])
        both = wrapped(title, console, start - 4), wrapped(COST, console, width - start)
        for first, second in itertools.zip_longest(*both, fillvalue=Text()):
            yield Text.assemble(first, " " * (start - first.cell_len), second)
        yield from lines_of(_table(run, every, [*keys, *accuracy, *others], shown), console, width)
    else:
        yield from wrapped(title, console, width)
        for piece in _pieces(keys, accuracy, width):
            yield from lines_of(_table(run, every, piece, shown), console, width)
        if cost:
            yield Text()
            yield from wrapped(COST, console, width)
            for piece in _pieces(brief_keys, cost, width):
                yield from lines_of(_table(run, every, piece), console, width)
    for note in _notes(run, found):
        yield from wrapped(note, console, width, 2)


def _metrics(run: Run) -> tuple[list[str], list[str]]:
    """Return the metrics that have a column, and those that get one where there is room."""
    present = {score.metric for cell in run.cells for score in cell.scores}
    named = [metric for metric in metrics_named(run) if metric in present]
    if present & set(ALWAYS):
        shown = [metric for metric in dict.fromkeys([*ALWAYS, run.metric, *named]) if metric in present]
        return shown, [
            metric for metric in IF_ROOM if metric in present and metric not in shown and tells_apart(run, metric)
        ]
    if "spin_error" not in present:
        return sorted(present), []
    return [metric for metric in dict.fromkeys([*WITHOUT_STATES, *named]) if metric in present], []


def _keys(run: Run, found: Sequence[Point]) -> list[Part]:
    """Return the columns that name a row."""
    parts = [Part(Column(" N"), [f"{point.size}{reference_mark(point.cell)}" for point in found])]
    if len(run.task.seeds) > 1:
        parts.append(Part(Column("seeds"), [str(point.seeds) for point in found]))
    return [*parts, Part(Column("track", "left"), [Text(write.plain(point.cell.track), "dim") for point in found])]


def _metric(run: Run, metric: str, found: Sequence[Point]) -> Part:
    longest = run.task.times.dt * run.task.times.steps * (1 - 1e-6)

    def entry(cell: CellRecord) -> Text:
        score = score_of(cell, metric)
        if metric == "valid_time" and score is not None and score.value >= longest:
            return Text(f"≥{write.significant(score.value)}", "dim")
        if metric == "skill":
            text = numbers.skill(score, score_of(cell, "mean_relative_entropy"))
            return Text(text, "red" if score is not None and score.value < 0 else "")
        return Text(numbers.score(score), "dim" if score is not None and score.unresolved else "")

    column = Column(HEADINGS.get(metric, metric.replace("_", " ")), "right" if metric == "skill" else "number")
    return Part(column, [entry(point.cell) for point in found])


def _cost(found: Sequence[Point]) -> list[Part]:
    """Return the columns of the cost."""
    ledgers = [point.cell.ledger for point in found]
    if not any(ledger.prepare_time is not None or ledger.solve for ledger in ledgers):
        return []
    parts = [
        Part(Column("prepare"), [write.duration(ledger.prepare_time) for ledger in ledgers]),
        Part(Column("first"), [write.duration(ledger.first_call_time) for ledger in ledgers]),
    ]
    for batch in sorted({timing.batch_size for ledger in ledgers for timing in ledger.solve}):
        texts = [numbers.call(timing_of(point.cell, batch)) for point in found]
        place = " " * any(text.endswith("*") for text in texts)  # where a row has a `*`, the others keep its place
        entries = [text if text.endswith("*") else text + place for text in texts]
        parts.append(Part(Column(write.count(batch, "state") + place), entries))
    parts.append(Part(Column("memory"), [write.memory(ledger.peak_memory_host) for ledger in ledgers]))
    if any(ledger.peak_memory_device is not None for ledger in ledgers):
        parts.append(Part(Column("on GPU"), [write.memory(ledger.peak_memory_device) for ledger in ledgers]))
    if any(point.break_even for point in found):
        crossings = [(numbers.break_even(point.break_even), _dear(point)) for point in found]
        parts.append(Part(Column("break-even"), [f"({text})" if dear else text for text, dear in crossings]))
    return parts


def _dear(point: Point) -> bool:
    """Return whether a point breaks even at the price of an error that is larger than the reference's, or not known."""
    found = point.break_even
    return found is not None and found.decided and found.cheaper is not Cheaper.NEVER and not point.accuracy.suffices


def _closed(part: Part) -> Part:
    """Return a column without the blank before the units; one that keeps the place of a mark stays."""
    texts = map(str, part.entries)
    return Part(part.column, [text.rstrip().replace(" ", "") + text[len(text.rstrip()) :] for text in texts])


def _table(run: Run, every: Sequence[Point], parts: Sequence[Part], shown: Collection[str] | None = None) -> Table:
    """Return a table of the metrics that are shown, or, below it, of cost: without what the one above it has said."""
    table = Table([part.column for part in parts])
    entries = zip(*(part.entries for part in parts), strict=True)
    for solver, rows in itertools.groupby(every, key=lambda point: point.solver):
        here = list(rows)
        table.rows.append(Span(Text(solver, "bold") if shown is None else _solver_line(run, solver, here), 4))
        for (silent, status, reason), same in itertools.groupby(here, key=lambda point: (point.silent, *point.ending)):
            alike = list(same)
            for point in [] if silent else alike:
                table.rows.append(next(entries))
                if shown is not None and (line := beside_columns(point.cell, shown)):
                    table.rows.append(Span(Text(line, "dim"), 4))
            if status is not Status.OK:
                text = status_text(status, "" if shown is None else reason)
                table.rows.append(Span(Text.assemble(f" {write.spans(point.size for point in alike)}  ", text), 4))
    return table


def _solver_line(run: Run, solver: str, rows: Sequence[Point]) -> Text:
    notes = [
        KNOWLEDGE.get(next((point.cell.knowledge for point in rows if point.cell.knowledge), ""), ""),
        "learned" * (solver in run.record.fits),
        "reference" * (solver == run.task.reference),
        label_of(run, solver),
    ]
    return Text.assemble((solver, "bold"), "  ", (" · ".join(filter(None, notes)), "dim"))


def _notes(run: Run, found: Sequence[Point]) -> Iterator[Text]:
    """Yield what stands below the tables: what rows rest on, what marks mean, where weights come from."""
    shown, optional = _metrics(run)
    legend = [LEGEND[metric] for metric in (*shown, *optional) if metric in LEGEND]
    if any(point.cell.track for point in found):
        legend.append(TRACK)
    notes = [*legend, *resolution_note(run), *reference_notes(run), *solver_notes(run), *extrapolations(run.cells)]
    if any(point.break_even for point in found):
        what = "trajectories from which on (or below which) all costs together are less than those of"
        note = f"break-even: {what} {run.task.reference}"
        notes.append(note + "; (in brackets): not at equal error" * any(map(_dear, found)))
    start_ups: dict[str, float] = {}
    for cell in run.cells:
        if (seconds := cell.ledger.start_up_time or 0.0) > SHORT_START_UP:
            start_ups[cell.solver] = max(seconds, start_ups.get(cell.solver, 0.0))
    if start_ups:
        listed = ", ".join(f"{write.plain(name)} {write.duration(seconds)}" for name, seconds in start_ups.items())
        notes.append(f"start-up of a process (imports, compilation, first prepare), at most: {listed}")
    yield from (Text(note, "dim") for note in notes)
    yield from map(fit_line, run.record.fits.values())


def _width(parts: Sequence[Part]) -> int:
    return sum(part.width for part in parts) - GAP


def _pieces(keys: list[Part], parts: list[Part], width: int) -> Iterator[list[Part]]:
    """Yield as many columns at a time as fit in a width, each time with those that name the row."""
    piece = list(keys)
    for part in parts:
        if len(piece) > len(keys) and _width([*piece, part]) > width:
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


COST = Text.assemble(
    ("Cost", "bold cyan"), (": prepare, first call, calls of so many states (± 95 % over launches), peak memory", "dim")
)


def fit_line(fit: FitRecord) -> Text:
    """Write where weights come from and what they had cost."""
    text = Text.assemble((fit.solver, "bold"), ": ")
    if not fit.status.honest:
        return text.append_text(status_text(fit.status, fit.reason))
    made = fit.made
    where = [
        str(made.get("hardware", {}).get("processor", "unknown machine")),
        write.count(made["threads"], "thread") if "threads" in made else "",
        str(made.get("device", "")),
        str(made.get("date", ""))[:10],
    ]
    spent = f"data {write.duration(fit.data_time)}, fit {write.duration(fit.fit_time)}"
    origin = ORIGIN.get(fit.source, fit.source)
    return text.append(write.plain(f"{origin}: {spent} on {', '.join(filter(None, where))}"))
