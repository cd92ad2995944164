"""What the figures read from a run: error, time and memory of each cell, and who is fastest at equal error."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdynbench import text as write
from qdynbench.analysis.comparison import Comparison, final_error
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Status
from qdynbench.stats import Interval, bootstrap_median

ROUNDING = 1e-15
"""Error that double precision cannot tell from none, where the reference has no bound."""


@dataclass(frozen=True)
class Point:
    """One cell as the figures see it.

    Attributes:
        cell: the cell.
        error: root of the mean infidelity at the last step with its 95 % interval, or None. To first order this is the
            2-norm distance between the normalised states up to a global phase, which is what tolerances are about.
        bound: error of the reference itself in the same measure; 0 where it is not certified.
        seconds: solve time of the task's largest batch with its 95 % interval, or None.
        extrapolated: whether that was timed on fewer states.
    """

    cell: CellRecord
    error: Interval | None
    bound: float
    seconds: Interval | None
    extrapolated: bool

    @cached_property
    def spec(self) -> SolverSpec:
        """The solver with its parameters."""
        return SolverSpec.parse(self.cell.solver)

    @property
    def solver(self) -> str:
        """The solver as it is written everywhere."""
        return self.cell.solver

    @property
    def series(self) -> str:
        """The solver without the numbers that turn its error: settings of one series are joined by a line."""
        kept = {key: value for key, value in self.spec.parameters.items() if not isinstance(value, float)}
        return str(SolverSpec(self.spec.name, kept))

    @property
    def setting(self) -> str:
        """The numbers that turn its error."""
        turned = [value for value in self.spec.parameters.values() if isinstance(value, float)]
        return ", ".join(power(value) if value < 1e-3 else f"{value:g}" for value in turned)

    @property
    def order(self) -> float:
        """Where it stands on the line of its series: a smaller step or tolerance comes later."""
        turned = [value for value in self.spec.parameters.values() if isinstance(value, float)]
        return -turned[0] if turned else 0.0

    @property
    def solved(self) -> bool:
        """Whether there is a time to show."""
        return self.cell.status is Status.OK and self.seconds is not None

    @property
    def resolved(self) -> bool:
        """Whether the error can be told from that of a perfect solver."""
        return self.error is not None and self.error[0] >= max(self.bound, ROUNDING)

    @property
    def largest_error(self) -> float:
        """The upper end of the error's interval, at least the reference's bound; infinite where it is unknown."""
        return math.inf if self.error is None else max(self.error[2], self.bound)

    @property
    def batch(self) -> int | None:
        """The largest batch that was timed."""
        return max((timing.batch_size for timing in self.cell.ledger.solve), default=None)

    @property
    def memory(self) -> float | None:
        """Peak of the worker's memory in bytes, without what it held before its first problem; None if unknown."""
        peak, rest = self.cell.ledger.peak_memory_host, self.cell.ledger.rest_memory_host
        return None if peak is None or rest is None else max(0.0, float(peak - rest))


@dataclass(frozen=True)
class Place:
    """A solver's place at equal error.

    Attributes:
        point: its fastest setting.
        ratio: its time over that of the fastest solver with its 95 % interval; None for the fastest itself.
    """

    point: Point
    ratio: Interval | None

    @property
    def tied(self) -> bool:
        """Whether it cannot be told from the fastest."""
        return self.ratio is not None and self.ratio[1] <= 1


def points(run: Run) -> list[Point]:
    """Return a point for every cell of the run's first seed, in the order of the task; further seeds are left out."""
    first = min(run.task.seeds)
    order = {solver: number for number, solver in enumerate(run.task.solvers)}
    cells = [cell for cell in run.cells if cell.seed == first]
    cells.sort(key=lambda cell: (cell.size, order.get(cell.solver, len(order))))
    return [_point(run, cell) for cell in cells]


def _point(run: Run, cell: CellRecord) -> Point:
    score = final_error(cell)
    error = None
    if score is not None and math.isfinite(score.value):
        error = (math.sqrt(score.value), math.sqrt(max(0.0, score.low)), math.sqrt(score.high))
    bound = 0.0 if score is None or score.bound is None else math.sqrt(score.bound)
    batch = max(run.task.timing.batch_sizes)
    timing = next((one for one in cell.ledger.solve if one.batch_size == batch and one.seconds), None)
    seconds = None if timing is None else bootstrap_median(np.array(timing.seconds))
    return Point(cell, error, bound, seconds, timing is not None and timing.extrapolated)


def ranking(run: Run, found: Iterable[Point], target: float) -> list[Place]:
    """Return the fastest setting of each solver among the points of one case that reach an error, fastest first.

    A point reaches the target when the upper end of its interval does.
    """
    best: dict[str, Point] = {}
    for point in found:
        if point.solved and point.largest_error <= target:
            now = best.get(point.spec.name)
            if now is None or _median(point) < _median(now):
                best[point.spec.name] = point
    ordered = sorted(best.values(), key=_median)
    return [Place(point, ratio(run, point, ordered[0]) if number else None) for number, point in enumerate(ordered)]


def leading(places: list[Place]) -> list[Place]:
    """Return the fastest, all that tie with it and the first that does not."""
    tied = list(itertools.takewhile(lambda place: place.ratio is None or place.tied, places))
    return places[: len(tied) + 1]


def ratio(run: Run, point: Point, other: Point) -> Interval:
    """Return the time of a point over that of another of the same case, round by round where they ran together."""
    rows = Comparison(run, point.solver, [other.solver]).rows
    case = (point.cell.size, point.cell.seed, max(run.task.timing.batch_sizes))
    found = next(row.ratio for row in rows if (row.size, row.seed, row.batch_size) == case)
    if found is None:
        raise ValueError(f"{point.solver} and {other.solver} were not both timed at {point.cell.size} spins")
    return found


def _median(point: Point) -> float:
    return math.inf if point.seconds is None else point.seconds[0]


def unsolved(found: Sequence[Point]) -> list[str]:
    """Return a line for each way that a solver has no time: the sizes, the status and the reason or prediction."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in found:
        if not point.solved:
            groups.setdefault((point.solver, point.cell.status.value), []).append(point)
    return [_why(solver, status, ended) for (solver, status), ended in groups.items()]


def _why(solver: str, status: str, ended: list[Point]) -> str:
    cell = ended[0].cell
    sizes = write.spans(point.cell.size for point in ended)
    reason = write.plain(cell.reason) or "not timed"
    if cell.predicted is not None and cell.status is Status.INFEASIBLE:
        reason += f" ({predicted(cell.predicted)} at {cell.size} spins)"
    return f"{solver}: {status} at N = {sizes}: {reason}"


def predicted(cost: dict[str, float]) -> str:
    """Write a prediction: `34.4 GB and 19.2 s`."""
    return f"{write.memory(cost['bytes'])} and {write.duration(cost['seconds'])}"


def power(value: float) -> str:
    """Write a target error: `1e-8`."""
    return f"{value:.0e}".replace("e-0", "e-")


def seeds_left_out(run: Run) -> list[str]:
    """Return a line that says which seed is shown, where there are several."""
    count = len(run.task.seeds)
    return [f"seed {min(run.task.seeds)}, the first of {count}"] if count > 1 else []
