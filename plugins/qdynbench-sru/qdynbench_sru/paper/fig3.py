"""Fig. 3: every amplitude, predicted against exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qdynbench import Figure, data
from qdynbench_sru.paper.common import label, missing, recurrent, solved, trajectories

if TYPE_CHECKING:
    from altair.typing import ChartType
    from numpy.typing import NDArray

    from qdynbench import Run

INSTANTS = 10
"""Steps, evenly spread, of which all amplitudes are drawn."""


class PredictedAgainstExact(Figure):
    """Magnitude of every amplitude of one test state, predicted against exact, coloured by time, with the diagonal."""

    def draw(self, run: Run) -> ChartType:
        """Return a row of panels for each simple recurrent unit, a column for each size."""
        import altair as alt

        solvers = recurrent(run)
        kept = {solver: trajectories(run, solver) for solver in solved(run, solvers)}
        rows = [
            alt.hconcat(
                *(
                    _panel(f"{label(solver)}, {size} spins", np.abs(ours[0]), np.abs(exact[0]))
                    for size, (ours, exact) in found.items()
                ),
                spacing=18,
            )
            for solver, found in kept.items()
        ]
        steps = run.task.times.steps
        return alt.vconcat(*rows).properties(
            title=alt.TitleParams(
                "Every amplitude, predicted against exact (Fig. 3)",
                subtitle=[
                    f"one random product state of each size, {INSTANTS} instants of {steps} steps, magnitudes",
                    *missing(run, solvers),
                ],
            )
        )


def _panel(title: str, predicted: NDArray[np.float32], exact: NDArray[np.float32]) -> ChartType:
    """Return one panel; arrays of shape `(T+1, 2**N)`."""
    import altair as alt

    last = len(exact) - 1
    chosen = np.unique(np.linspace(max(1, last // INSTANTS), last, INSTANTS).astype(int))
    dots = [
        {"step": int(step), "exact": float(exact[step, b]), "predicted": float(predicted[step, b])}
        for step in chosen
        for b in range(exact.shape[1])
    ]
    top = float(max(exact[chosen].max(), predicted[chosen].max())) * 1.05
    scale = alt.Scale(domain=[0, top], nice=False)
    worst = float(np.abs(predicted[chosen] - exact[chosen]).max())
    diagonal = alt.Chart(data([{"exact": v, "predicted": v} for v in (0.0, top)]))
    note = alt.Chart(data([{"exact": 0.0, "predicted": top, "text": f"largest deviation {worst:.1e}"}]))
    x = alt.X("exact:Q", title="exact magnitude", scale=scale)
    y = alt.Y("predicted:Q", title="predicted magnitude", scale=scale)
    return alt.layer(
        diagonal.mark_line(color="#999999", strokeWidth=1).encode(x=x, y=y),
        alt.Chart(data(dots))
        .mark_circle(size=16, opacity=0.8)
        .encode(
            x=x, y=y, color=alt.Color("step:Q", title="time step", scale=alt.Scale(scheme="viridis", reverse=True))
        ),
        note.mark_text(align="left", baseline="top", dx=8, dy=8, fontSize=11).encode(x=x, y=y, text="text:N"),
    ).properties(width=270, height=270, title=alt.TitleParams(title, fontSize=12, anchor="middle", offset=4))
