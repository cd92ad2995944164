"""One point for all seeds of a solver at a size: disorder is averaged over realisations, not read off one of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdynbench.analysis.comparison import Accuracy, compare_errors
from qdynbench.analysis.selection import cells_by_solver, score_of, solve_time, timing_of
from qdynbench.contract.problem import Knowledge
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.ledger import BreakEven, break_even
from qdynbench.record.results import ERROR_METRIC, Run
from qdynbench.record.schema import CellRecord, Ledger, Score, SolveTiming, Status
from qdynbench.stats import Interval, mean_over_seeds
from qdynbench.text import power, without_size

ROUNDING = 1e-15
"""Error that double precision cannot tell from none, where the reference is not certified."""


@dataclass(frozen=True)
class Point:
    """A solver at a size, averaged over the seeds that ended alike; what tables and figures show.

    Attributes:
        cell: the mean over the seeds, see `over_seeds`; its curves are those of the first one.
        seeds: how many there are.
        timing: of the task's largest batch, or None.
        break_even: trajectories from which on its whole bill is below that of the reference; None where one of the two
            was not timed, and for the reference itself.
        accuracy: how its error stands to that of the reference.
    """

    cell: CellRecord
    seeds: int = 1
    timing: SolveTiming | None = None
    break_even: BreakEven | None = None
    accuracy: Accuracy = Accuracy.UNKNOWN

    @property
    def solver(self) -> str:
        """The solver as it is written everywhere."""
        return self.cell.solver

    @property
    def size(self) -> int:
        """The number of spins."""
        return self.cell.size

    @cached_property
    def spec(self) -> SolverSpec:
        """The solver with its parameters."""
        return SolverSpec.parse(self.cell.solver)

    @property
    def series(self) -> str:
        """The solver without its accuracy parameters; all settings of one solver form one line of the plot."""
        kept = {key: value for key, value in self.spec.parameters.items() if key not in self.cell.accuracy}
        return str(SolverSpec(self.spec.name, kept))

    @property
    def _turned(self) -> list[float]:
        found = (self.spec.parameters.get(name) for name in self.cell.accuracy)
        return [value for value in found if isinstance(value, int | float)]

    @property
    def setting(self) -> str:
        """The values of its accuracy parameters."""
        return ", ".join(power(value) if 0 < value < 1e-3 else f"{value:g}" for value in self._turned)

    @property
    def order(self) -> float:
        """Where it stands on the line of its series: a smaller step or tolerance comes later."""
        return -self._turned[0] if self._turned else 0.0

    @cached_property
    def error(self) -> Interval | None:
        """Root of the mean infidelity at the last step with its 95 % interval, or None; one state has no interval.

        To first order this is the 2-norm distance between the normalised states up to a global phase, which is what
        tolerances are about.
        """
        score = score_of(self.cell, ERROR_METRIC)
        if score is None or not math.isfinite(score.value):
            return None
        low, high = (end if math.isfinite(end) else score.value for end in (score.low, score.high))
        return math.sqrt(score.value), math.sqrt(max(0.0, low)), math.sqrt(high)

    @property
    def resolution(self) -> float:
        """The resolution of the reference in the same measure; 0 where it is not certified."""
        score = score_of(self.cell, ERROR_METRIC)
        return math.sqrt(score.resolution or 0.0) if score is not None else 0.0

    @property
    def resolved(self) -> bool:
        """Whether the error can be told from that of a perfect solver."""
        return self.error is not None and self.error[0] >= max(self.resolution, ROUNDING)

    @property
    def largest_error(self) -> float:
        """The upper end of the error's interval, at least the reference's resolution; infinite where it is unknown."""
        return math.inf if self.error is None else max(self.error[2], self.resolution)

    @property
    def seconds(self) -> Interval | None:
        """Solve time of the task's largest batch with its 95 % interval, or None."""
        return None if self.timing is None else solve_time(self.timing)

    @property
    def solved(self) -> bool:
        """Whether there is a time to show."""
        return self.cell.status is Status.OK and self.timing is not None

    @property
    def ending(self) -> tuple[Status, str]:
        """What it has in common with points that ended alike: the status, and the reason but for the size."""
        return _ending(self.cell)

    @property
    def silent(self) -> bool:
        """Whether it has no numbers, only a reason."""
        return self.cell.status is not Status.OK and not self.cell.scores and not self.cell.ledger.solve

    @property
    def memory(self) -> float | None:
        """Peak of the worker's memory in bytes, without what it held before its first problem; None if unknown."""
        peak, rest = self.cell.ledger.peak_memory_host, self.cell.ledger.rest_memory_host
        return None if peak is None or rest is None else max(0.0, float(peak - rest))


def points(run: Run) -> list[Point]:
    """Return the points of a run, solvers in the order of the task, small sizes first."""
    batch, fits = max(run.task.timing.batch_sizes), run.record.fits
    found = [merged for cells in cells_by_solver(run).values() for merged in over_seeds(cells)]
    timed = {cell.size: cell for cell, _ in found if cell.solver == run.task.reference and cell.ledger.solve}
    made = []
    for cell, seeds in found:
        reference = timed.get(cell.size, cell)
        crossing = None if reference is cell else break_even(cell, reference, fits)
        same = [one for one in run.cells if (one.solver, one.size) == (cell.solver, cell.size)]
        pairs = [(one, run.cell(run.task.reference, one.size, one.seed)) for one in same if _alike(one) == _alike(cell)]
        accuracy = compare_errors(run, pairs).accuracy
        made.append(Point(cell, seeds, timing_of(cell, batch), crossing, accuracy))
    return made


def _ending(cell: CellRecord) -> tuple[Status, str]:
    return cell.status, without_size(cell.reason, cell.size)


def _alike(cell: CellRecord) -> tuple[str, ...]:
    """Return what the seeds of a mean have in common; fields of one seed that were learned are no sample of others."""
    return (cell.track if cell.knowledge == Knowledge.TRAJECTORIES.value else "", *_ending(cell))


def over_seeds(cells: Iterable[CellRecord]) -> Iterator[tuple[CellRecord, int]]:
    """Yield a cell for each size, track and way to end among the cells of one solver, and the number of its seeds.

    A score is the mean over the seeds, with a 95 % interval over them (each seed counts as one sample); its resolution
    is the worst. Times are of all launches of all seeds, `prepare` and the first call their medians, memory the
    largest.
    """
    ordered = sorted(cells, key=lambda cell: (cell.size, *_alike(cell), cell.seed))
    for _, same in itertools.groupby(ordered, key=lambda cell: (cell.size, *_alike(cell))):
        found = list(same)
        yield (found[0] if len(found) == 1 else _merged(found)), len(found)


def _merged(cells: list[CellRecord]) -> CellRecord:
    notes = list(dict.fromkeys(note for cell in cells for note in cell.notes))
    return cells[0].model_copy(update={"scores": _scores(cells), "ledger": _ledger(cells), "notes": notes})


def _scores(cells: list[CellRecord]) -> list[Score]:
    found: dict[tuple[str, int | None], list[Score]] = {}
    for cell in cells:
        for score in cell.scores:
            found.setdefault((score.metric, score.step), []).append(score)
    merged = []
    for scores in found.values():
        value, low, high = mean_over_seeds(np.array([score.value for score in scores]))
        worst = max(scores, key=lambda score: score.resolution or 0.0)
        own = {"reference_error": worst.reference_error, "resolution": worst.resolution}
        merged.append(scores[0].model_copy(update={"value": value, "low": low, "high": high, **own}))
    return merged


def _ledger(cells: list[CellRecord]) -> Ledger:
    ledgers = [cell.ledger for cell in cells]
    solve = []
    for timing in ledgers[0].solve:
        launches = [one for cell in cells if (same := timing_of(cell, timing.batch_size)) for one in same.launches]
        solve.append(timing.model_copy(update={"launches": launches}))
    # Launches of two solvers stay paired where every seed has as many of the one as of the other.
    rounds = [f"{ledger.rounds_id} {[len(timing.launches) for timing in ledger.solve]}" for ledger in ledgers]
    return ledgers[0].model_copy(
        update={
            "solve": solve,
            "rounds_id": "; ".join(rounds) if all(ledger.rounds_id for ledger in ledgers) else None,
            "start_up_time": _median([ledger.start_up_time for ledger in ledgers]),
            "starts": [start for ledger in ledgers for start in ledger.starts],
            "prepare_time": _median([ledger.prepare_time for ledger in ledgers]),
            "first_call_time": _median([ledger.first_call_time for ledger in ledgers]),
            "peak_memory_host": max(ledger.peak_memory_host or 0 for ledger in ledgers) or None,
        }
    )


def _median(seconds: list[float | None]) -> float | None:
    known = [second for second in seconds if second is not None]
    return float(np.median(known)) if known else None
