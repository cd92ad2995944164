"""Fig. 5: 8 spins, by fine-tuning the unit of 2 to 7 spins and by training from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench import CannotDraw, Figure, band, data, logarithmic, step_spread
from qdynbench_sru.paper.common import label, missing, needed, recurrent

if TYPE_CHECKING:
    import altair as alt
    from altair.typing import ChartType

    from qdynbench import Mark, Run

METRIC = "mean_relative_entropy"
LOSSES = {"validation_loss": "validation loss", "loss": "training loss"}
"""What a learning curve may hold, the better first."""
POINTS = 100


class FineTuning(Figure):
    """Loss against updates, and mean relative entropy against step, of each way to train."""

    def draw(self, run: Run) -> ChartType:
        """Return two panels: (a) the learning curves, (b) the error."""
        import altair as alt

        learned = recurrent(run)
        cells = needed(run, ["persistence", *learned])
        needed(run, learned)
        names = [label(solver) for solver in learned]
        colour = alt.Color("solver:N", title=None, scale=alt.Scale(domain=[*names, label("persistence")])).legend(
            orient="bottom", columns=2, labelLimit=0, symbolType="stroke", symbolSize=300, symbolStrokeWidth=2
        )
        # Dashed from scratch: where both ways end alike, one would hide the other.
        lines = [*([1, 0] if "start=" in solver else [4, 3] for solver in learned), [1, 0]]
        dash = alt.StrokeDash(
            "solver:N", title=None, scale=alt.Scale(domain=[*names, label("persistence")], range=lines)
        )
        size = max(run.task.sizes)
        errors = [
            row
            for solver, found in cells.items()
            for cell in found
            if cell.size == size and (curve := run.curves_of(cell).get(METRIC)) is not None
            for row in band(curve, step_spread(curve.shape[1] - 1, POINTS), solver=label(solver))
            if row["value"] > 0
        ]
        if not errors:
            raise CannotDraw(f"the run has no {METRIC} at {size} spins")
        chart: ChartType = (
            alt.hconcat(_learning(run, learned, colour, dash), _error(errors, colour, dash), spacing=30)
            .resolve_scale(color="shared", strokeDash="shared")
            .properties(
                title=alt.TitleParams(
                    f"{size} spins: fine-tuned and from scratch (Fig. 5)",
                    subtitle=["95 % bootstrap band over test states", *missing(run, learned)],
                )
            )
        )
        return chart


def _learning(run: Run, learned: list[str], colour: alt.Color, dash: alt.StrokeDash) -> ChartType:
    """Return panel (a).

    Raises:
        CannotDraw: no solver has a learning curve.
    """
    import altair as alt

    curves = {solver: fit.curve for solver in learned if (fit := run.record.fits.get(solver)) and fit.curve}
    present = [name for name in LOSSES if all(name in point for curve in curves.values() for point in curve)]
    if not curves or not present:
        raise CannotDraw("the fits of the run have no learning curve")
    counted = all("updates" in point for curve in curves.values() for point in curve)
    rows: list[Mark] = [
        {"x": point["updates" if counted else "fraction"], "loss": point[present[0]], "solver": label(solver)}
        for solver, curve in curves.items()
        for point in curve
        if point[present[0]] > 0
    ]
    scale, axis = logarithmic(row["loss"] for row in rows)
    chart: ChartType = (
        alt.Chart(data(rows))
        .mark_line(point=alt.OverlayMarkDef(size=14), strokeWidth=1.5)
        .encode(
            x=alt.X(
                "x:Q",
                title="updates" if counted else "share of the training",
                scale=alt.Scale(domainMin=0),
            ),
            y=alt.Y(
                "loss:Q",
                title=LOSSES[present[0]],
                scale=scale,
                axis=axis,
            ),
            color=colour,
            strokeDash=dash,
        )
        .properties(width=310, height=260, title=alt.TitleParams(f"(a) {LOSSES[present[0]]}", fontSize=12))
    )
    return chart


def _error(rows: list[Mark], colour: alt.Color, dash: alt.StrokeDash) -> ChartType:
    import altair as alt

    base = alt.Chart(data(rows)).encode(x=alt.X("step:Q", title="time step"), color=colour)
    scale, axis = logarithmic(row[end] for row in rows for end in ("value", "high"))
    return alt.layer(
        base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(
            y=alt.Y(
                "value:Q",
                title="mean relative entropy",
                scale=scale,
                axis=axis,
            ),
            strokeDash=dash,
        ),
    ).properties(width=310, height=260, title=alt.TitleParams("(b) mean relative entropy", fontSize=12))
