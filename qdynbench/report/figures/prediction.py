"""What solvers predicted that a cell would cost, against what it did cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qdynbench import text as write
from qdynbench.analysis.points import Point, points
from qdynbench.record.schema import Status
from qdynbench.report.figures.charts import Look, below, data, filled_where, logarithmic, series
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.parts import Column, Table
from qdynbench.report.terminal.sentences import averaged, prediction

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench.record.results import Run

SIDE, LETTERS = 300, 130
FACTOR = 3.0
"""Half-width of the band about the diagonal."""
RESOLVED_BYTES = 200e6
"""Libraries take up to 150 MB more in their first calls (buffers, threads, code that is loaded late), measured with
`ed` at 7 spins: below this a peak says nothing about a prediction."""
RESOLVED_SECONDS = 0.01
"""A shorter time is the overhead of single calls; what solvers predict is whether a cell takes seconds or hours."""


@dataclass(frozen=True)
class Pair:
    """A prediction with its outcome, in seconds or bytes.

    Attributes:
        point: the cell.
        predicted, measured: the two.
        counted: whether it is large enough to be told from call overhead and the libraries' own memory.
    """

    point: Point
    predicted: float
    measured: float
    counted: bool

    @property
    def ratio(self) -> float:
        """Prediction over outcome."""
        return self.predicted / self.measured


class Prediction(Figure):
    """Predicted against measured time and memory, with the diagonal and a band of a factor of three.

    A solver predicts the bytes and operations of `prepare` and one `solve` of the largest batch. Right before a cell
    runs, the core turns its operations into seconds by what the same solver has taken at smaller sizes in the same run;
    of its first size the time is a first guess. Measured are the times of `prepare` and `solve` together, and the
    largest memory of the worker without what it held before its first problem. That includes three batches of states
    which the core hands over (one for the call, two for the timed rounds) and what libraries take late.
    """

    def draw(self, run: Run) -> ChartType:
        """Return the two panels, with the cells that were not run below them."""
        import altair as alt

        found = _found(run)
        look = series(list(dict.fromkeys(point.spec.name for point in found if point.cell.predicted is not None)))
        panels = [
            _panel(times(found), look, "prepare and one solve (s)"),
            _panel(memories(found), look, "peak memory beyond the libraries (bytes)"),
        ]
        shown = [panel for panel in panels if panel is not None]
        chart = alt.hconcat(*shown, spacing=30).resolve_scale(color="shared", shape="shared")
        subtitle = [
            f"Solid: prediction is right; dashed: a factor of {FACTOR:g} off.",
            "Hollow, not counted: too small to be told from call overhead and the libraries' own memory "
            f"({1e3 * RESOLVED_SECONDS:g} ms, {write.memory(RESOLVED_BYTES)}).",
        ]
        return below(chart, _unpredicted(found), SIDE * len(shown), LETTERS).properties(
            title=alt.TitleParams("Predicted against measured cost", subtitle=[*subtitle, *averaged(run.task.seeds)])
        )

    def table(self, run: Run) -> Table:
        """Return the median and the worst ratio of prediction to outcome for each solver."""
        found = _found(run)
        headings = ("time:\ncells", "median", "worst", "memory:\ncells", "median", "worst")
        table = Table([Column("solver", "left"), *map(Column, headings)])
        kinds = [[pair for pair in pairs if pair.counted] for pairs in (times(found), memories(found))]
        for name in dict.fromkeys(pair.point.spec.name for pairs in kinds for pair in pairs):
            entries = [_summary([pair for pair in pairs if pair.point.spec.name == name]) for pairs in kinds]
            table.rows.append([name, *entries[0], *entries[1]])
        table.notes = [
            "Prediction right before the cell ran over outcome, of prepare and one solve of the largest batch.",
            f"Counted where one of the two is at least {1e3 * RESOLVED_SECONDS:g} ms or "
            f"{write.memory(RESOLVED_BYTES)}. Memory: beyond what the worker held before its first problem.",
            *_unpredicted(found),
        ]
        return table


def _found(run: Run) -> list[Point]:
    found = points(run)
    if not any(point.cell.predicted is not None for point in found):
        raise CannotDraw("no solver of the run predicted what its cells cost")
    return found


def times(found: list[Point]) -> list[Pair]:
    """Return predicted and measured seconds of the points that have both."""
    spent = ((point.cell.ledger.prepare_time, point.seconds) for point in found)
    measured = [0.0 if prepare is None or not solve else prepare + solve[0] for prepare, solve in spent]
    predicted = [cell.predicted.seconds if cell.predicted else 0.0 for cell in (point.cell for point in found)]
    return _pairs(found, predicted, measured, RESOLVED_SECONDS)


def memories(found: list[Point]) -> list[Pair]:
    """Return predicted and measured bytes of the points that have both."""
    predicted = [cell.predicted.bytes if cell.predicted else 0.0 for cell in (point.cell for point in found)]
    return _pairs(found, predicted, [point.memory or 0.0 for point in found], RESOLVED_BYTES)


def _pairs(found: list[Point], predicted: list[float], measured: list[float], resolved: float) -> list[Pair]:
    both = zip(found, predicted, measured, strict=True)
    return [Pair(*one, max(one[1:]) >= resolved) for one in both if one[0].solved and one[1] > 0 and one[2] > 0]


def _unpredicted(found: list[Point]) -> list[str]:
    """Return a line for each cell that was not run because of its prediction, and one for solvers without any."""
    refused = [
        f"{point.solver} at {point.size} spins: infeasible, {prediction(point.cell.predicted)} predicted"
        for point in found
        if point.cell.status is Status.INFEASIBLE and point.cell.predicted is not None
    ]
    silent = dict.fromkeys(point.solver for point in found if point.solved and point.cell.predicted is None)
    return refused + [f"without a prediction: {', '.join(silent)}"] * bool(silent)


def _summary(pairs: list[Pair]) -> list[str]:
    if not pairs:
        return ["0", write.NOTHING, write.NOTHING]
    worst = max(pairs, key=lambda pair: abs(np.log(pair.ratio)))
    median = write.significant(float(np.median([pair.ratio for pair in pairs])), 2)
    return [str(len(pairs)), median, f"{write.significant(worst.ratio, 2)} (N={worst.point.size})"]


def _panel(pairs: list[Pair], look: Look, what: str) -> ChartType | None:
    import altair as alt

    if not pairs:
        return None
    rows = [
        {"series": pair.point.spec.name, "solver": pair.point.solver, "spins": pair.point.size}
        | {"predicted": pair.predicted, "measured": pair.measured, "counted": pair.counted}
        for pair in pairs
    ]
    scale, axis = logarithmic(value for pair in pairs for value in (pair.predicted, pair.measured))
    low, high = scale.domain
    scale = alt.Scale(type="log", domain=[low, high], nice=False)  # without `clamp`, which would bend the band
    x = alt.X("measured:Q", title=f"measured: {what}", scale=scale, axis=axis)
    y = alt.Y("predicted:Q", title="predicted", scale=scale, axis=axis)
    lines = [
        {"measured": end, "predicted": end * factor, "factor": factor}
        for factor in (1.0, FACTOR, 1 / FACTOR)
        for end in (low, high)
    ]
    base = alt.Chart(data(rows)).encode(
        x=x, y=y, tooltip=["solver:N", "spins:Q", "predicted:Q", "measured:Q"], color=look.colour, shape=look.shape
    )
    guides = alt.Chart(data(lines)).encode(x=x, y=y, detail="factor:N")
    right, off = (guides.transform_filter(f"datum.factor {sign} 1") for sign in ("==", "!="))
    return alt.layer(
        right.mark_line(color="#777777", strokeWidth=1, clip=True),
        off.mark_line(color="#aaaaaa", strokeDash=[5, 3], strokeWidth=1, clip=True),
        *filled_where(base, "counted", size=45, opacity=0.9),
    ).properties(width=SIDE, height=SIDE)
