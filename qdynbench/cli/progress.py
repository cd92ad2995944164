"""The live display of a run: a table of solvers by sizes that fills, and a bar; elsewhere plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from qdynbench.record.schema import Status
from qdynbench.report.terminal.layout import STATUS_STYLES
from qdynbench.runner.observer import Observer
from qdynbench.text import SHOWN, count, duration, memory, plain

if TYPE_CHECKING:
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.record.schema import CellRecord, FitRecord
    from qdynbench.runner.plan import Cell, Plan


REFRESH = 0.2
"""Seconds that pass at least before the display is drawn again for a new phase."""


@contextmanager
def watch(console: Console, *, every_cell: bool = False) -> Iterator[Observer]:
    """Return an observer that shows the run on a console: live on a terminal, a line an event elsewhere.

    Args:
        console: where to.
        every_cell: whether the plan is shown cell by cell, and not by solver.
    """
    if not console.is_terminal:
        yield PlainObserver(console, every_cell=every_cell)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, auto_refresh=False, expand=True)
    # Nothing is drawn between two events, so that no call is timed beside a drawing thread.
    with Live(progress, console=console, auto_refresh=False, transient=True, vertical_overflow="ellipsis") as live:
        yield LiveObserver(console, live, progress, every_cell=every_cell)


class PlainObserver(Observer):
    """Prints one line for each fit and each finished cell."""

    def __init__(self, console: Console, *, every_cell: bool) -> None:
        self._console = console
        self._every_cell = every_cell
        self._started = time.monotonic()
        self._total = 0
        self._done = 0
        self._reported = 0.0

    def starting(self, workers: int) -> None:
        """Say that the workers start."""
        self._say(f"starting {workers} workers")

    def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
        """Say what will be done and its predicted cost, by solver or cell by cell; the seconds are a first guess."""
        self._total = len(plan.cases) * len(plan.task.solvers)
        sizes = ", ".join(str(size) for size in plan.task.sizes)
        self._say(f"{plan.task.name}: {self._total} cells: {len(plan.task.solvers)} solvers, sizes {sizes}")
        for name, fit in fits.items():
            if fit is None:
                self._say(f"fit {name}: to be made, at most {plan.task.limits.fit_seconds:g} s")
        for spec in plan.task.specs:
            cells = [cell for cell in plan.cells if cell.spec == spec]
            if self._every_cell:
                for cell in cells:
                    self._say(f"{spec} at {cell.case.size} spins: {cell.refusal or _cost([cell])}")
            else:
                refused = sum(bool(cell.refusal) for cell in cells)
                note = f", {refused} will not be run" if refused else ""
                self._say(f"{spec}: {len(cells)} cells, {_cost(cells)}{note}")

    def remarked(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def fitting(self, spec: SolverSpec, fraction: float, values: Mapping[str, float]) -> None:
        """Say how a fit goes, every ten seconds."""
        if time.monotonic() - self._reported > 10:
            self._reported = time.monotonic()
            self._say(f"fit {spec}: {_percent(fraction)} {_values(values)}")

    def noted(self, spec: SolverSpec, text: str) -> None:
        """Pass on what a fit has to say."""
        self._say(f"fit {spec}: {text}")

    def fitted(self, record: FitRecord) -> None:
        """Say where a fit came from and what it had cost."""
        self._say(fit_line(record))

    def finished(self, record: CellRecord, *, reused: bool) -> None:
        """Say how a cell ended."""
        self._done += 1
        self._say(f"[{self._done}/{self._total}] {cell_line(record, reused)}")

    def drawing(self, names: Sequence[str]) -> None:
        """Say what is drawn."""
        if names:
            self._say(f"drawing {', '.join(names)}")

    def _say(self, text: str) -> None:
        """Print a line; what plugins have put into it is cleaned here, once for all."""
        elapsed = time.monotonic() - self._started
        self._console.print(
            f"{elapsed:7.1f} s  {plain(text, SHOWN)}",
            markup=False,
            highlight=False,
            soft_wrap=not self._console.is_terminal,
        )


class LiveObserver(PlainObserver):
    """Keeps a table of solvers by sizes with what each cell has come to, and a bar; faults stay as lines above it."""

    def __init__(self, console: Console, live: Live, progress: Progress, *, every_cell: bool) -> None:
        super().__init__(console, every_cell=every_cell)
        self._live, self._progress = live, progress
        self._bar = progress.add_task("starting workers", total=None)
        self._plan: Plan | None = None
        self._found: dict[tuple[str, int], Text] = {}
        self._drawn = 0.0

    def starting(self, workers: int) -> None:
        """Show it on the bar."""
        self._describe(f"starting {workers} workers")

    def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
        """Print the plan, and begin the table."""
        super().planned(plan, fits)
        self._plan = plan
        self._progress.update(self._bar, total=self._total)
        self._describe("planned", now=True)

    def fitting(self, spec: SolverSpec, fraction: float, values: Mapping[str, float]) -> None:
        """Show the fit on the bar."""
        self._describe(f"fit {spec} {_percent(fraction)} {_values(values)}")

    def phase(self, cell: Cell, phase: str) -> None:
        """Show the phase in the table and on the bar."""
        self._found[str(cell.spec), cell.case.size] = Text(phase.partition(" ")[0], "cyan")
        self._describe(f"{cell.case.size} spins  {cell.spec}  {phase}")

    def finished(self, record: CellRecord, *, reused: bool) -> None:
        """Put what came of the cell into the table; a fault stays on the screen."""
        self._done += 1
        self._found[record.solver, record.size] = _entry(record)
        self._progress.advance(self._bar)
        self._describe(cell_line(record, reused), now=True)
        if not record.status.honest:
            self._say(cell_line(record, reused))

    def drawing(self, names: Sequence[str]) -> None:
        """Show it on the bar."""
        if names:
            self._describe(f"drawing {', '.join(names)}", now=True)

    def _describe(self, text: str, *, now: bool = False) -> None:
        self._progress.update(self._bar, description=escape(plain(text, SHOWN).ljust(44)[:44]))
        if now or time.monotonic() - self._drawn > REFRESH:
            self._drawn = time.monotonic()
            self._live.update(Group(*([self._table(self._plan)] if self._plan else []), self._progress), refresh=True)

    def _table(self, plan: Plan) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left", title_style="dim")
        table.title = f"seconds of a call with {count(plan.batch, 'state')}, by number of spins"
        table.add_column("")
        sizes = list(plan.task.sizes)
        for size in sizes:
            table.add_column(str(size), justify="right", no_wrap=True)
        for solver in plan.task.solvers:
            table.add_row(Text(solver), *(self._found.get((solver, size), Text("·", "dim")) for size in sizes))
        return table


def _entry(record: CellRecord) -> Text:
    """Return what the live table shows of a finished cell: its time, or how it ended."""
    if record.status is not Status.OK or not record.ledger.solve:
        return Text(record.status.value, STATUS_STYLES[record.status])
    return Text(duration(max(record.ledger.solve, key=lambda one: one.batch_size).seconds, digits=2), "green")


def cell_line(record: CellRecord, reused: bool) -> str:
    """Return one line on how a cell ended."""
    text = f"{record.solver} at {record.size} spins: {record.status.value}"
    if record.reason:
        text += f": {record.reason}"
    return text + (" (from an earlier run)" if reused else "")


def fit_line(record: FitRecord) -> str:
    """Return one line on a fit and its cost."""
    if not record.status.honest:
        return f"{record.solver}: {record.status.value}: {record.reason}"
    spent = f"fit {record.fit_time or 0:.1f} s, data {record.data_time or 0:.1f} s"
    if record.built_upon is not None:
        before = record.built_upon["data_time"] + record.built_upon["fit_time"]
        spent += f" ({before:.1f} s of both for the weights {record.built_upon['name']!r} that it started from)"
    if record.source == "fitted":
        return f"fit {record.solver}: {spent}"
    where = record.made.get("hardware", {}).get("processor", "an unknown machine")
    origin = ORIGIN.get(record.source, record.source)
    made = f"on {where}, {record.made.get('date', 'at an unknown time')}"
    return f"fit {record.solver}: {origin} weights, which had cost {spent} {made}"


ORIGIN = {"shipped": "shipped", "cache": "an earlier run's", "given": "given"}
"""Where weights come from, in words."""


def _cost(cells: Sequence[Cell]) -> str:
    known = [cell.cost for cell in cells if cell.cost is not None and not cell.refusal]
    if not known:
        return "cost not predicted"
    seconds, most = sum(cost.seconds for cost in known), max(cost.bytes for cost in known)
    return f"first guess {seconds:.2g} s a batch, at most {memory(most)}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _values(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3g}" for name, value in values.items())
