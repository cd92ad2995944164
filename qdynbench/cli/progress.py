"""The live display of a run: one bar for the cells, one line for what is going on; plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from qdynbench.runner.observer import Observer
from qdynbench.text import memory

if TYPE_CHECKING:
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.record.schema import CellRecord, FitRecord
    from qdynbench.runner.plan import Cell, Plan


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
    with Progress(*columns, console=console, transient=True, refresh_per_second=8, expand=True) as progress:
        yield LiveObserver(console, progress, every_cell=every_cell)


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
        elapsed = time.monotonic() - self._started
        self._console.print(
            f"{elapsed:7.1f} s  {text}", markup=False, highlight=False, soft_wrap=not self._console.is_terminal
        )


class LiveObserver(PlainObserver):
    """Keeps one bar with the remaining time and what is being done now; faults stay as lines above it."""

    def __init__(self, console: Console, progress: Progress, *, every_cell: bool) -> None:
        super().__init__(console, every_cell=every_cell)
        self._progress = progress
        self._cells = progress.add_task("starting workers", total=None)

    def starting(self, workers: int) -> None:
        """Show it on the bar."""
        self._progress.update(self._cells, description=f"starting {workers} workers")

    def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
        """Print the plan and give the bar its length."""
        super().planned(plan, fits)
        self._progress.update(self._cells, total=self._total, description="planned")

    def fitting(self, spec: SolverSpec, fraction: float, values: Mapping[str, float]) -> None:
        """Show the fit on the bar."""
        self._describe(f"fit {spec} {_percent(fraction)} {_values(values)}")

    def phase(self, cell: Cell, phase: str) -> None:
        """Show the phase on the bar."""
        self._describe(f"{cell.case.size} spins  {cell.spec}  {phase}")

    def finished(self, record: CellRecord, *, reused: bool) -> None:
        """Advance the bar; what did not go well stays on the screen."""
        self._done += 1
        self._progress.advance(self._cells)
        if not record.status.honest:
            self._say(cell_line(record, reused))

    def drawing(self, names: Sequence[str]) -> None:
        """Show it on the bar."""
        if names:
            self._describe(f"drawing {', '.join(names)}")

    def _describe(self, text: str) -> None:
        self._progress.update(self._cells, description=escape(text.ljust(44)[:44]))


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
