"""Time and memory against the number of spins at equal error: where each solver stops being the right choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from qdynbench import text as write
from qdynbench.analysis.points import Point, points
from qdynbench.analysis.ranking import leading, ranking, unsolved
from qdynbench.record.schema import Status
from qdynbench.report.figures.charts import Look, Mark, below, data, filled_where, logarithmic, series
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.parts import Column, Span, Table, headed
from qdynbench.report.terminal.numbers import call, over_fastest
from qdynbench.report.terminal.sentences import ERROR_NOTE, EXTRAPOLATED, averaged, sentence

if TYPE_CHECKING:
    import altair as alt
    from altair.typing import ChartType

    from qdynbench.record.results import Run

WIDTH, HEIGHT, STRIP, LETTERS = 360, 260, 15, 165
GUIDES = {"one state vector": 1, "dense matrix": 2}
"""Lines in the panel of memory: 16 bytes times this power of 2**N."""
BYTE_LABELS = "format(datum.value, '~s') + 'B'"
ENDED = {Status.INFEASIBLE: "square", Status.TIMEOUT: "triangle-up", Status.OUT_OF_MEMORY: "triangle-down"}
MEMORY = (
    "Memory: what the worker took beyond what it held before its first problem; at small sizes that is libraries' own."
)


class Scaling(Figure):
    """Solve, prepare and first-call time and peak memory against the number of spins, one line per solver.

    The error is the root of the mean infidelity at the last step, see `qdynbench.analysis.points.Point`. A cell whose
    error is above its target is drawn hollow and never called the fastest.

    Attributes:
        targets: largest error by the precision of what a solver yielded; double where a run did not record it.
    """

    targets: ClassVar = {"double": 1e-8, "single": 1e-5}

    def draw(self, run: Run) -> ChartType:
        """Return four panels and, above the solve time, a strip that tells how the missing cells ended."""
        import altair as alt

        found = self._found(run)
        names = list(dict.fromkeys(point.solver for point in found))
        rows = [self._row(point) for point in found if point.solved]
        sizes = sorted({point.size for point in found})
        span = alt.Scale(domain=[min(sizes) - 0.5, max(sizes) + 0.5], nice=False, zero=False)
        x = alt.X("spins:Q", title="spins", scale=span, axis=alt.Axis(values=sizes, format="d"))
        look = series(names)
        batch = write.count(max(run.task.timing.batch_sizes), "state")
        panels = [
            _panel(rows, x, look, "solve", f"solve {batch} (s)"),
            _memory(rows, x, look, sizes),
            _panel(rows, x, look, "prepare", "prepare, once per size (s)"),
            _panel(rows, x, look, "first_call", "first call, one state (s)"),
        ]
        strip = _strip(found, x, look, names)
        targets = ", ".join(f"{write.power(value)} in {kind} precision" for kind, value in self.targets.items())
        known = [panel for panel in panels if panel is not None]
        chart: ChartType = alt.concat(*known, columns=2, spacing={"row": 14, "column": 30})
        chart = chart.resolve_scale(color="shared", shape="shared")
        if strip is not None:  # its shapes mean something else
            chart = alt.vconcat(strip, chart, spacing=14).resolve_scale(color="independent", shape="independent")
        return below(chart, self._dropped_out(found), 2 * WIDTH, LETTERS).properties(
            title=alt.TitleParams(
                f"Cost against size, {write.count(run.task.times.steps, 'step')} of {run.task.times.dt:g}",
                subtitle=[
                    f"Filled: error at most {targets}; hollow: above it. Intervals are 95 %.",
                    MEMORY,
                    *averaged(run.task.seeds),
                ],
            )
        )

    def table(self, run: Run) -> Table:
        """Return the fastest solver at each size and those next to it, then why the others dropped out."""
        found = self._found(run)
        table = Table([Column("N"), Column("solver", "left"), *map(Column, ("prepare", "solve", "over the fastest"))])
        sizes, before = sorted({point.size for point in found}), list[list[str]]()
        for target in sorted({self.target(point) for point in found if point.error is not None}):
            table.rows.append(Span(f"at an error of at most {write.power(target)}"))
            ranks = [leading(ranking([point for point in found if point.size == size], target)) for size in sizes]
            solvers = [[place.point.solver for place in places] for places in ranks]
            same = [size for size, now, then in zip(sizes, solvers, before, strict=False) if now == then]
            before = solvers
            for size, places in zip(sizes, ranks, strict=True):
                rows = [
                    [
                        cell.solver,
                        write.duration(cell.ledger.prepare_time),
                        call(place.point.timing),
                        over_fastest(place),
                    ]
                    for place in places
                    for cell in [place.point.cell]
                ]
                table.rows += [] if size in same else headed(str(size), rows, 4)
            if same:
                table.rows.append(Span(f"N = {write.spans(same)}: as above"))
        table.notes = [
            ERROR_NOTE,
            "The fastest setting of each solver, what ties with the fastest, and the next.",
            *_from_scratch(found, self.targets["double"]),
            *[EXTRAPOLATED] * any(point.timing.extrapolated for point in found if point.timing),
            "Dropped out:",
            *self._dropped_out(found),
        ]
        return table

    def target(self, point: Point) -> float:
        """Return the largest error at which a point counts."""
        return self.targets.get(point.cell.precision, self.targets["double"])

    def _found(self, run: Run) -> list[Point]:
        found = points(run)
        if not any(point.solved for point in found):
            raise CannotDraw("; ".join(["no cell was timed", *map(sentence, unsolved(found))]))
        return found

    def _row(self, point: Point) -> Mark:
        ledger = point.cell.ledger
        solve, low, high = point.seconds or (None, None, None)
        return {
            "series": point.solver,
            "spins": point.size,
            "reached": point.largest_error <= self.target(point),
            "solve": solve,
            "low": low,
            "high": high,
            "prepare": ledger.prepare_time,
            "first_call": ledger.first_call_time,
            "memory": point.memory or None,
        }

    def _dropped_out(self, found: list[Point]) -> list[str]:
        lines = []
        for solver in dict.fromkeys(point.solver for point in found):
            here = [point for point in found if point.solver == solver and point.solved]
            if above := [point for point in here if point.largest_error > self.target(point)]:
                known = [point.error[0] for point in above if point.error is not None]
                error = f"error {write.several(known)}, above {write.power(self.target(above[0]))}" if known else ""
                where = write.spans(point.size for point in above)
                lines.append(f"{solver}: N = {where}: {error or 'error unknown'}")
        return [*lines, *map(sentence, unsolved(found))]


def _panel(rows: list[Mark], x: alt.X, look: Look, what: str, title: str) -> ChartType:
    """Return one quantity against size; filled where the target is reached."""
    import altair as alt

    here = [row for row in rows if row[what]]  # a phase that took no measurable time has no logarithm
    ends = [row[key] for row in here for key in ((what, "low", "high") if what == "solve" else (what,))]
    scale, axis = logarithmic(ends)
    y = alt.Y(f"{what}:Q", title=title, scale=scale, axis=axis)
    intervals = (
        alt.Chart(data(here)).mark_rule().encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=look.colour)
    )
    layers = [*_marks(here, x, y, look), *[intervals] * (what == "solve")]
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _marks(rows: list[Mark], x: alt.X, y: alt.Y, look: Look) -> list[ChartType]:
    import altair as alt

    base = alt.Chart(data(rows)).encode(x=x, y=y, color=look.colour)
    points_of_kind = filled_where(base.encode(shape=look.shape), "reached", size=50, opacity=1)
    return [base.mark_line(strokeWidth=1.3, opacity=0.7), *points_of_kind]


def _memory(rows: list[Mark], x: alt.X, look: Look, sizes: Sequence[int]) -> ChartType | None:
    """Return the peak memory with the sizes of a state vector and of a dense matrix as guides, None if unknown."""
    import altair as alt

    here = [row for row in rows if row["memory"]]
    if not here:
        return None
    top = 4 * max(row["memory"] for row in here)
    guides: list[Mark] = [
        {"spins": size, "memory": memory, "guide": name}
        for name, factor in GUIDES.items()
        for size in sizes
        if (memory := 16.0 * 2.0 ** (factor * size)) <= top
    ]
    scale, axis = logarithmic([row["memory"] for row in [*here, *guides]], BYTE_LABELS)
    y = alt.Y("memory:Q", title="peak memory beyond the libraries", scale=scale, axis=axis)
    base = alt.Chart(data(guides)).encode(x=x, y=y, detail="guide:N")
    last = list({row["guide"]: row for row in guides}.values())
    names = alt.Chart(data(last)).mark_text(align="right", dx=-6, dy=-4, fontSize=10, color="#555555")
    return alt.layer(
        base.mark_line(color="#777777", strokeDash=[5, 3], strokeWidth=1.2),
        names.encode(x=x, y=y, text="guide:N"),
        *_marks(here, x, y, look),
    ).properties(width=WIDTH, height=HEIGHT)


def _strip(found: list[Point], x: alt.X, look: Look, names: list[str]) -> ChartType | None:
    """Return a row of marks for each solver that did not solve everything."""
    import altair as alt

    ended = [point for point in found if not point.solved]
    if not ended:
        return None
    rows = [
        {"series": one.solver, "spins": one.size, "status": one.cell.status.value, "reason": one.cell.reason}
        for one in ended
    ]
    shape = {point.cell.status.value: ENDED.get(point.cell.status, "cross") for point in ended}
    shapes = alt.Scale(domain=list(shape), range=list(shape.values()))
    order = [name for name in names if any(point.solver == name for point in ended)]
    strip: ChartType = (
        alt.Chart(data(rows))
        .mark_point(size=45, filled=True, opacity=1)
        .encode(
            x=x.title(None),
            y=alt.Y("series:N", title=None, sort=order, axis=alt.Axis(labelLimit=220, ticks=False, domain=False)),
            color=look.colour.legend(None),
            shape=alt.Shape("status:N", title="not solved", scale=shapes, legend=alt.Legend(orient="right")),
            tooltip=["series:N", "status:N", "reason:N"],
        )
        .properties(width=WIDTH, height=STRIP * len(order))
    )
    return strip


def _from_scratch(found: list[Point], target: float) -> list[str]:
    """Return a sentence on who is first where preparing counts as well: one call, nothing prepared before."""
    best: dict[int, tuple[float, str]] = {}
    for point in found:
        if point.solved and point.seconds is not None and point.largest_error <= target:
            whole = point.seconds[0] + (point.cell.ledger.prepare_time or 0.0), point.solver
            best[point.size] = min(best.get(point.size, whole), whole)
    first = {solver: [size for size, (_, name) in best.items() if name == solver] for _, solver in best.values()}
    parts = [f"{solver} at N = {write.spans(sizes)}" for solver, sizes in first.items()]
    start = f"Least for prepare and one call together, error at most {write.power(target)}"
    return [f"{start}: {'; '.join(parts)}."] if parts else []
