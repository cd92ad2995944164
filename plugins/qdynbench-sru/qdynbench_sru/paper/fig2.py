"""Fig. 2: the magnitude of every amplitude against step, exact and predicted, one test state of each size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qdynbench import Figure, data
from qdynbench_sru.paper.common import EXACT, PREDICTED, kind_colour, label, missing, recurrent, solved, trajectories

if TYPE_CHECKING:
    from collections.abc import Mapping

    from altair.typing import ChartType
    from numpy.typing import NDArray

    from qdynbench import Run

POINTS, DOTS = 50, 10
"""Points of a line, and dots along it."""
COLUMNS = 3


class MagnitudesAgainstStep(Figure):
    """`|psi_b|` of every basis state b against step: exact as lines, predicted as dots, one panel per size."""

    def draw(self, run: Run) -> ChartType:
        """Return a block of panels for each simple recurrent unit of the task, below its name."""
        import altair as alt

        solvers = recurrent(run)
        blocks = [_block(label(solver), trajectories(run, solver)) for solver in solved(run, solvers)]
        steps = run.task.times.steps
        chart: ChartType = (
            alt.vconcat(*blocks, spacing=24)
            .resolve_scale(color="shared")
            .properties(
                title=alt.TitleParams(
                    "Magnitude of every amplitude against time step (Fig. 2)",
                    subtitle=[
                        f"one random product state of each size, {steps} steps of {run.task.times.dt:g}",
                        *missing(run, solvers),
                    ],
                )
            )
        )
        return chart


def _block(title: str, kept: Mapping[int, tuple[NDArray[np.complex64], NDArray[np.complex64]]]) -> ChartType:
    """Return the panels of one solver; `kept` has prediction and reference by size, each `(n, T+1, 2**N)`."""
    import altair as alt

    panels = [
        _panel(size, np.abs(exact[0]), np.abs(ours[0]), named=number % COLUMNS == 0)
        for number, (size, (ours, exact)) in enumerate(kept.items())
    ]
    block: ChartType = (
        alt.concat(*panels, columns=COLUMNS, spacing=14)
        .resolve_scale(color="shared")
        .properties(title=alt.TitleParams(title, fontSize=13, anchor="start", offset=8))
    )
    return block


def _panel(size: int, exact: NDArray[np.float32], predicted: NDArray[np.float32], *, named: bool) -> ChartType:
    """Return one panel, its vertical axis named or not; arrays of shape `(T+1, 2**N)`."""
    import altair as alt

    last = len(exact) - 1
    lines, dots = (
        [
            {"step": step, "amplitude": b, "magnitude": float(states[step, b]), "kind": kind}
            for b in range(exact.shape[1])
            for step in range(0, last + 1, max(1, last // count))
        ]
        for states, kind, count in ((exact, EXACT, POINTS), (predicted, PREDICTED, DOTS))
    )
    x = alt.X("step:Q", title="time step", scale=alt.Scale(domain=[0, last], nice=False))
    top = np.ceil(5 * max(exact.max(), predicted.max())) / 5
    y = alt.Y(
        "magnitude:Q",
        title="magnitude" if named else None,
        scale=alt.Scale(domain=[0, float(top)]),
        axis=alt.Axis(tickCount=5),
    )
    few = size <= 4
    return alt.layer(
        alt.Chart(data(lines))
        .mark_line(strokeWidth=1.4 if few else 0.7)
        .encode(x=x, y=y, color=kind_colour(), detail="amplitude:N"),
        alt.Chart(data(dots)).mark_circle(size=14 if few else 6, opacity=0.9).encode(x=x, y=y, color=kind_colour()),
    ).properties(width=210, height=170, title=alt.TitleParams(f"{size} spins", fontSize=12, anchor="middle", offset=4))
