"""Fig. 4: mean relative entropy against step, beside persistence, which the paper lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench import CannotDraw, Figure, band, data, logarithmic, step_spread
from qdynbench_sru.paper.common import label, missing, needed, paper, recurrent, spins_colour

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench import Mark, Run

METRIC = "mean_relative_entropy"
POINTS = 100
"""Steps of a curve that are drawn."""


class EntropyAgainstStep(Figure):
    """Mean relative entropy (eq. 7) of every size against step, to the paper's last step and to the run's."""

    def draw(self, run: Run) -> ChartType:
        """Return panels: persistence and each simple recurrent unit beside each other, a row per time span."""
        import altair as alt

        learned = recurrent(run)
        needed(run, learned)
        cells = needed(run, ["persistence", *learned])
        curves = {
            (solver, cell.size): curve
            for solver, found in cells.items()
            for cell in found
            if (curve := run.curves_of(cell).get(METRIC)) is not None
        }
        if not curves:
            raise CannotDraw(f"the run has no {METRIC}; it stands under 'metrics' in the task")
        spans = sorted({min(paper()["figure_steps"], run.task.times.steps), run.task.times.steps})
        rows = [
            {"span": span, "solver": solver, **row}
            for span in spans
            for (solver, size), curve in curves.items()
            for row in band(curve, step_spread(span, POINTS), spins=size)
            if row["value"] > 0  # an exact solver's has no place on a logarithmic axis
        ]
        solvers = list(dict.fromkeys(solver for solver, _ in curves))
        states = len(next(iter(curves.values())))
        sizes = sorted({size for _, size in curves})
        panels = []
        for span in spans:
            here = [row for row in rows if row["span"] == span]
            ends = [1.0, *(row["value"] for row in here), *(row["high"] for row in here)]
            line = [
                _panel(
                    [row for row in here if row["solver"] == solver],
                    span,
                    label(solver),
                    ends,
                    sizes,
                    named=solver == solvers[0],
                )
                for solver in solvers
            ]
            panels.append(alt.hconcat(*line, spacing=12))
        return alt.vconcat(*panels).properties(
            title=alt.TitleParams(
                "Mean relative entropy against time step (Fig. 4)",
                subtitle=[
                    f"mean over {states} test states with 95 % bootstrap band; natural logarithm; blind to phases",
                    f"dashed: the paper's bound, {paper()['mre_bound']} within {paper()['figure_steps']} steps",
                    *missing(run, learned),
                ],
            )
        )


def _panel(
    rows: list[Mark],
    span: int,
    title: str,
    ends: list[float],
    sizes: list[int],
    *,
    named: bool,
) -> ChartType:
    import altair as alt

    scale, axis = logarithmic(ends)
    title_y = "mean relative entropy" if named else None
    base = alt.Chart(data(rows)).encode(
        x=alt.X("step:Q", title="time step", scale=alt.Scale(domain=[0, span])), color=spins_colour(sizes)
    )
    bound = paper()["mre_bound"]
    last = min(span, paper()["figure_steps"])
    rule = alt.Chart(data([{"step": step, "bound": bound} for step in (0, last)]))
    return alt.layer(
        base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q", title=title_y, scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=1.8).encode(y=alt.Y("value:Q", title=title_y, scale=scale, axis=axis)),
        rule.mark_line(color="#D55E00", strokeDash=[6, 3], strokeWidth=1.5).encode(
            x="step:Q", y=alt.Y("bound:Q", title=title_y, scale=scale)
        ),
    ).properties(width=250, height=230, title=alt.TitleParams(title, fontSize=12, anchor="middle", offset=6))
