"""The error on chains longer than any in training, with no fine-tuning; beyond Fig. 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench import CannotDraw, Figure, data, logarithmic
from qdynbench_sru.paper.common import label, missing, needed, paper, recurrent

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench import Mark, Run

METRIC = "mean_relative_entropy"
HEADROOM = 0.12
"""Share of the axis that is left free above the curves, for the note on what is beyond the training."""


class ErrorAgainstSize(Figure):
    """Mean relative entropy at the last step against the number of spins, beside persistence and the yardsticks."""

    def draw(self, run: Run) -> ChartType:
        """Return one panel, with a rule where the training sizes end and one at the paper's bound."""
        import altair as alt

        learned = recurrent(run)
        needed(run, learned)
        shown = [s for s in run.task.solvers if s not in {run.task.reference, "linear"}]
        rows: list[Mark] = [
            {"spins": cell.size, "value": score.value, "low": score.low, "high": score.high, "solver": label(solver)}
            for solver, cells in needed(run, shown).items()
            for cell in cells
            for score in cell.scores
            if score.metric == METRIC and score.step == run.task.times.steps and score.value > 0
        ]
        if not rows:
            raise CannotDraw(f"the run has no {METRIC}; it stands under 'metrics' in the task")
        training = run.task.training
        trained = [] if training is None else [{"edge": max(training.sizes) + 0.5, "text": "longer than in training →"}]
        values = [row["value"] for row in rows]
        top = max(values) * (max(values) / min(values)) ** HEADROOM
        x = alt.X(
            "spins:Q",
            title="spins",
            axis=alt.Axis(values=run.task.sizes, format="d"),
            scale=alt.Scale(domain=[min(run.task.sizes) - 0.5, max(run.task.sizes) + 0.5], nice=False),
        )
        scale, axis = logarithmic([*values, top])
        y = alt.Y("value:Q", title="mean relative entropy", scale=scale, axis=axis)
        base = alt.Chart(data(rows)).encode(x=x, color=alt.Color("solver:N", title=None).legend(orient="bottom"))
        edge = alt.Chart(data(trained))
        bound = alt.Chart(data([{"value": paper()["mre_bound"]}]))
        return alt.layer(
            base.mark_rule().encode(y=alt.Y("low:Q", scale=scale), y2="high:Q"),
            base.mark_line(point=alt.OverlayMarkDef(size=45), strokeWidth=1.5).encode(y=y),
            edge.mark_rule(color="#888888", strokeDash=[3, 3]).encode(x="edge:Q"),
            edge.mark_text(align="left", dx=5, color="#555555").encode(x="edge:Q", y=alt.value(10), text="text:N"),
            bound.mark_rule(color="#D55E00", strokeDash=[6, 3]).encode(y=y),
        ).properties(
            width=480,
            height=300,
            title=alt.TitleParams(
                "Error on chains longer than in training, without fine-tuning",
                subtitle=[
                    f"mean relative entropy at step {run.task.times.steps}, 95 % bootstrap over states",
                    f"dashed: the paper's bound, {paper()['mre_bound']}, for sizes that it trained on",
                    *missing(run, learned),
                ],
            ),
        )
