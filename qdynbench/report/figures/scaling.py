"""Time and memory against the number of spins at equal error: where each solver stops being the right choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from qdynbench import text as write
from qdynbench.analysis.ranking import Place, Point, leading, points, power, ranking, seeds_left_out, unsolved
from qdynbench.record.schema import Status
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.figures.marks import Look, Row, below, data, decades, series

if TYPE_CHECKING:
    import altair as alt
    from altair.typing import ChartType
    from rich.table import Table

    from qdynbench.record.results import Run

WIDTH, HEIGHT, STRIP, LETTERS = 360, 260, 15, 165
GUIDES = {"one state vector": 1, "dense matrix": 2}
"""Lines in the panel of memory: 16 bytes times this power of 2**N."""
BYTE_LABELS = "format(datum.value, '~s') + 'B'"
ENDED = {Status.INFEASIBLE: "square", Status.TIMEOUT: "triangle-up", Status.OUT_OF_MEMORY: "triangle-down"}
OTHERWISE = "cross"
MEMORY = (
    "Memory: what the worker took beyond what it held before its first problem; at small sizes that is libraries' own."
)


class Scaling(Figure):
    """Solve, prepare and first-call time and peak memory against the number of spins, one line per solver.

    The error is the root of the mean infidelity at the last step, see `qdynbench.analysis.ranking.Point`. A cell whose
    error is above its target is drawn hollow and never called the fastest.

    Attributes:
        targets: largest error by the solver's `precision`; a solver without that parameter works in double.
    """

    name = "scaling"
    targets: ClassVar = {"double": 1e-8, "single": 1e-5}

    def draw(self, run: Run) -> ChartType:
        """Return four panels and, above the solve time, a strip that tells how the missing cells ended."""
        import altair as alt

        found = self._found(run)
        names = list(dict.fromkeys(point.solver for point in found))
        rows = [self._row(point) for point in found if point.solved]
        sizes = sorted({point.cell.size for point in found})
        x = alt.X("spins:Q", title="spins", scale=_span(sizes), axis=alt.Axis(values=sizes, format="d"))
        look = series(names)
        batch = write.count(max(run.task.timing.batch_sizes), "state")
        panels = [
            _panel(rows, x, look, "solve", f"solve {batch} (s)"),
            _memory(rows, x, look, sizes),
            _panel(rows, x, look, "prepare", "prepare, once per size (s)"),
            _panel(rows, x, look, "first_call", "first call, one state (s)"),
        ]
        strip = _strip(found, x, look, names)
        known = [panel for panel in panels if panel is not None]
        chart: ChartType = alt.concat(*known, columns=2, spacing={"row": 14, "column": 30})
        chart = chart.resolve_scale(color="shared", shape="shared")
        if strip is not None:  # its shapes mean something else
            chart = alt.vconcat(strip, chart, spacing=14).resolve_scale(color="independent", shape="independent")
        return below(chart, [*self._too_inaccurate(found), *unsolved(found)], 2 * WIDTH, LETTERS).properties(
            title=alt.TitleParams(
                f"Cost against size, {write.count(run.task.times.steps, 'step')} of {run.task.times.dt:g}",
                subtitle=[self._equal_error(), MEMORY, *seeds_left_out(run)],
            )
        )

    def table(self, run: Run) -> Table:
        """Return the fastest solver at each size and those next to it, then why the others dropped out."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        found = self._found(run)
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, caption_justify="left", width=80)
        table.add_column("N", justify="right", no_wrap=True)
        table.add_column("solver", overflow="fold", ratio=1)
        for heading in ("prepare", "solve", "solve over\nthe fastest"):
            table.add_column(heading, justify="right", no_wrap=True)
        sizes, before = sorted({point.cell.size for point in found}), list[list[str]]()
        for target in self._targets_of(found):
            table.add_row("", f"at an error of at most {power(target)}", style="bold")
            ranks = [leading(ranking(run, [p for p in found if p.cell.size == size], target)) for size in sizes]
            solvers = [[place.point.solver for place in places] for places in ranks]
            same = [size for size, now, then in zip(sizes, solvers, before, strict=False) if now == then]
            before = solvers
            for size, places in zip(sizes, ranks, strict=True):
                if size in same:
                    continue
                for number, place in enumerate(places):
                    table.add_row("" if number else str(size), Text(place.point.solver), *_entries(place))
                if not places:
                    table.add_row(str(size), "no solver reaches it")
            if same:
                table.add_row("", f"N = {write.spans(same)}: as above")
            table.add_section()
        notes = [
            "Error: root of the mean infidelity at the last step, upper end of its interval.",
            "The fastest setting of each solver, what ties with the fastest, and the next.",
            *_from_scratch(found, self.targets["double"]),
        ]
        if any(point.extrapolated for point in found):
            notes.append("* timed on fewer states, extrapolated in proportion")
        lines = [*notes, "Dropped out:", *self._too_inaccurate(found), *unsolved(found)]
        table.caption = Text("\n".join(lines))
        return table

    def target(self, point: Point) -> float:
        """Return the largest error at which a point counts."""
        return self.targets[str(point.spec.parameters.get("precision", "double"))]

    def _found(self, run: Run) -> list[Point]:
        found = points(run)
        if not any(point.solved for point in found):
            raise CannotDraw("; ".join(["no cell was timed", *unsolved(found)]))
        return found

    def _targets_of(self, found: list[Point]) -> list[float]:
        return sorted({self.target(point) for point in found if point.error is not None})

    def _equal_error(self) -> str:
        parts = [f"{power(value)} in {kind} precision" for kind, value in self.targets.items()]
        return f"Filled: error at most {', '.join(parts)}; hollow: above it. Intervals are 95 %."

    def _row(self, point: Point) -> Row:
        ledger = point.cell.ledger
        solve, low, high = point.seconds or (None, None, None)
        return {
            "series": point.solver,
            "spins": point.cell.size,
            "reached": point.largest_error <= self.target(point),
            "solve": solve,
            "low": low,
            "high": high,
            "prepare": ledger.prepare_time,
            "first_call": ledger.first_call_time,
            "memory": point.memory or None,
        }

    def _too_inaccurate(self, found: list[Point]) -> list[str]:
        groups: dict[str, list[Point]] = {}
        for point in found:
            if point.solved and point.largest_error > self.target(point):
                groups.setdefault(point.solver, []).append(point)
        lines = []
        for solver, above in groups.items():
            known = [point.error[0] for point in above if point.error is not None]
            what = f"error {write.several(known)}, above {power(self.target(above[0]))}" if known else "error unknown"
            lines.append(f"{solver}: N = {write.spans(point.cell.size for point in above)}: {what}")
        return lines


def _span(sizes: Sequence[int]) -> alt.Scale:
    import altair as alt

    return alt.Scale(domain=[min(sizes) - 0.5, max(sizes) + 0.5], nice=False, zero=False)


def _panel(rows: list[Row], x: alt.X, look: Look, what: str, title: str) -> ChartType:
    """Return one quantity against size; filled where the target is reached."""
    import altair as alt

    here = [row for row in rows if row[what]]  # a phase that took no measurable time has no logarithm
    ends = [row[key] for row in here for key in ((what, "low", "high") if what == "solve" else (what,))]
    scale, axis = decades(ends)
    y = alt.Y(f"{what}:Q", title=title, scale=scale, axis=axis)
    return alt.layer(*_marks(here, x, y, look), *_intervals(here, x, title, look, what)).properties(
        width=WIDTH, height=HEIGHT
    )


def _marks(rows: list[Row], x: alt.X, y: alt.Y, look: Look) -> list[ChartType]:
    import altair as alt

    base = alt.Chart(data(rows)).encode(x=x, y=y, color=look.colour)
    return [
        base.mark_line(strokeWidth=1.3, opacity=0.7),
        base.mark_point(filled=True, size=50, opacity=1).transform_filter("datum.reached").encode(shape=look.shape),
        base.mark_point(size=50, fill="white", opacity=1).transform_filter("!datum.reached").encode(shape=look.shape),
    ]


def _intervals(rows: list[Row], x: alt.X, title: str, look: Look, what: str) -> list[ChartType]:
    import altair as alt

    if what != "solve":
        return []
    base = alt.Chart(data(rows)).mark_rule()
    return [base.encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=look.colour)]


def _memory(rows: list[Row], x: alt.X, look: Look, sizes: Sequence[int]) -> ChartType | None:
    """Return the peak memory with the sizes of a state vector and of a dense matrix as guides, None if unknown."""
    import altair as alt

    here = [row for row in rows if row["memory"]]
    if not here:
        return None
    top = 4 * max(row["memory"] for row in here)
    guides: list[Row] = [
        {"spins": size, "memory": memory, "guide": name}
        for name, factor in GUIDES.items()
        for size in sizes
        if (memory := 16.0 * 2.0 ** (factor * size)) <= top
    ]
    scale, axis = decades([row["memory"] for row in [*here, *guides]], BYTE_LABELS)
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
        {
            "series": point.solver,
            "spins": point.cell.size,
            "status": point.cell.status.value,
            "reason": point.cell.reason,
        }
        for point in ended
    ]
    statuses = list(dict.fromkeys(point.cell.status for point in ended))
    shapes = alt.Scale(
        domain=[status.value for status in statuses], range=[ENDED.get(status, OTHERWISE) for status in statuses]
    )
    order = [name for name in names if any(row["series"] == name for row in rows)]
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


def _entries(place: Place) -> list[str]:
    prepare = write.duration(place.point.cell.ledger.prepare_time)
    solve = write.duration(*place.point.seconds) if place.point.seconds else write.NOTHING
    factor = "" if place.ratio is None else write.with_interval(*place.ratio, digits=3, ends=2)
    return [
        prepare,
        solve + ("*" if place.point.extrapolated else ""),
        f"tie, {factor}" if place.tied else factor,
    ]


def _from_scratch(found: list[Point], target: float) -> list[str]:
    """Return a sentence on who is first where preparing counts as well: one call, nothing prepared before."""
    best: dict[int, tuple[float, str]] = {}
    for point in found:
        if point.solved and point.seconds is not None and point.largest_error <= target:
            whole = point.seconds[0] + (point.cell.ledger.prepare_time or 0.0)
            best[point.cell.size] = min(best.get(point.cell.size, (float("inf"), "")), (whole, point.solver))
    sizes: dict[str, list[int]] = {}
    for size, (_, solver) in best.items():
        sizes.setdefault(solver, []).append(size)
    parts = [f"{solver} at N = {write.spans(where)}" for solver, where in sizes.items()]
    return [f"Least for prepare and one call together, error at most {power(target)}: {'; '.join(parts)}."] * bool(
        parts
    )
