"""Work-precision diagram: the error that a solver reaches against the time that it takes for it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from qdynbench import text as write
from qdynbench.analysis.points import ROUNDING, Point, points
from qdynbench.analysis.ranking import leading, ranking, unsolved
from qdynbench.report.figures.charts import Mark, below, data, logarithmic, series
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.parts import Column, Table, headed
from qdynbench.report.terminal.numbers import call, over_fastest
from qdynbench.report.terminal.sentences import ERROR_NOTE, EXTRAPOLATED, averaged, sentence

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench.record.results import Run

WIDTH, HEIGHT, LETTERS = 520, 400, 120
ERROR_TITLE = "error at the last step: root of the mean infidelity"


class WorkPrecision(Figure):
    """Error against solve time, a point for each setting of a solver, both with their 95 % interval.

    The error is the root of the mean infidelity at the last step: to first order the 2-norm distance of the states up
    to a global phase, so that it can be read against the tolerances that were asked for.

    Attributes:
        targets: errors at which the table names the fastest solver.
    """

    targets = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)

    def draw(self, run: Run) -> ChartType:
        """Return the diagram of the largest size that was solved, with the cells that have no point below it."""
        import altair as alt

        size, found = self._case(run)
        shown = [point for point in found if point.solved and point.error is not None]
        rows = [_row(point) for point in shown]
        floor = max(point.resolution for point in shown)
        x_scale, x_axis = logarithmic([row[key] for row in rows for key in ("fast", "slow")])
        y_scale, y_axis = logarithmic(
            [row[key] for row in rows for key in ("low", "high")] + ([floor] if floor else [])
        )
        time = f"time to {_time(run)} (s)"
        x = alt.X("seconds:Q", title=time, scale=x_scale, axis=x_axis)
        y = alt.Y("error:Q", title=ERROR_TITLE, scale=y_scale, axis=y_axis)
        colour, shape = series(list(dict.fromkeys(row["series"] for row in rows)))
        base = alt.Chart(data(rows))
        points_of_kind = base.encode(x=x, y=y, tooltip=["solver:N", "seconds:Q", "error:Q"])
        layers = [
            base.mark_line(strokeWidth=1.2, opacity=0.7).encode(x=x, y=y, color=colour, order="order:Q"),
            base.mark_rule().encode(x=alt.X("fast:Q", title=time), x2="slow:Q", y=y, color=colour),
            base.mark_rule().encode(x=x, y=alt.Y("low:Q", title=ERROR_TITLE), y2="high:Q", color=colour),
            points_of_kind.mark_point(filled=True, size=55, opacity=1)
            .transform_filter("datum.resolved")
            .encode(color=colour, shape=shape),
            points_of_kind.mark_point(shape="triangle-down", size=75, fill="white", opacity=1, yOffset=-5)
            .transform_filter("!datum.resolved")
            .encode(color=colour),
            base.mark_text(align="left", dx=6, dy=-5, fontSize=8).encode(x=x, y=y, text="setting:N", color=colour),
        ]
        if floor:
            line = alt.Chart(data([{"error": floor, "text": f"the reference's resolution, {write.rounded_up(floor)}"}]))
            layers += [
                line.mark_rule(color="#555555", strokeDash=[5, 3]).encode(y=y),
                line.mark_text(align="right", baseline="top", dy=4, dx=-4, fontSize=10, color="#555555").encode(
                    y=y, x=alt.value(WIDTH), text="text:N"
                ),
            ]
        chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
        missing = [f"{point.solver}: no infidelity" for point in found if point.solved and point.error is None]
        return below(chart, [*map(sentence, unsolved(found)), *missing], WIDTH, LETTERS).properties(
            title=alt.TitleParams(f"Work and precision, {size} spins", subtitle=_subtitle(run, shown))
        )

    def table(self, run: Run) -> Table:
        """Return the fastest solver for each error, those that tie with it and the next one."""
        _, found = self._case(run)
        names = [Column("error at most", "left"), Column("solver", "left")]
        table = Table([*names, Column("time"), Column("over the fastest")])
        places = [(target, leading(ranking(found, target))) for target in self.targets]
        for _, group in itertools.groupby(places, key=lambda pair: [place.point.solver for place in pair[1]]):
            same = list(group)
            label = " to ".join(dict.fromkeys(write.power(target) for target in (same[0][0], same[-1][0])))
            rows = [[one.point.solver, call(one.point.timing), over_fastest(one)] for one in same[0][1]]
            table.rows += headed(label, rows, 3)
        table.notes = [
            ERROR_NOTE,
            f"Time to {_time(run)}: the fastest setting of each solver, what ties with the fastest, and the next.",
            *[EXTRAPOLATED] * any(point.timing.extrapolated for point in found if point.timing),
            *map(sentence, unsolved(found)),
        ]
        return table

    def _case(self, run: Run) -> tuple[int, list[Point]]:
        found = points(run)
        sizes = [point.size for point in found if point.solved and point.error is not None]
        if not sizes:
            raise CannotDraw("; ".join(["no cell has both an infidelity and a time", *map(sentence, unsolved(found))]))
        return max(sizes), [point for point in found if point.size == max(sizes)]


def _row(point: Point) -> Mark:
    assert point.error is not None and point.seconds is not None  # noqa: S101,PT018 - chosen so; for the type checker
    floor = max(point.resolution, ROUNDING)
    error, low, high = (max(value, floor) for value in point.error)
    seconds, fast, slow = point.seconds
    return {
        "solver": point.solver,
        "series": point.series,
        "setting": point.setting,
        "seconds": seconds,
        "fast": fast,
        "slow": slow,
        "error": error,
        "low": low,
        "high": high,
        "resolved": point.resolved,
        "order": point.order,
    }


def _time(run: Run) -> str:
    states, steps = max(run.task.timing.batch_sizes), run.task.times.steps
    return f"solve {write.count(states, 'state')}, {write.count(steps, 'step')}"


def _subtitle(run: Run, shown: list[Point]) -> list[str]:
    left_out = sorted({*run.task.sizes} - {point.size for point in shown})
    lines = ["Intervals are 95 %. A point is one setting; settings of one solver are joined by a line."]
    if any(not point.resolved for point in shown):
        lines.append("Hollow triangle: below what the reference itself is known to.")
    if left_out:
        lines.append(f"not shown: N = {write.spans(left_out)}")
    return lines + averaged(run.task.seeds)
