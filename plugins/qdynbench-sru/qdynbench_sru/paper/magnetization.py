"""The magnetization along x, y and z against time, predicted on exact."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qdynbench import CannotDraw, Figure, data, step_spread
from qdynbench_sru.paper.common import EXACT, PREDICTED, kind_colour, label, missing, needed, recurrent, scored, solved

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from altair.typing import ChartType
    from numpy.typing import NDArray

    from qdynbench import Mark, Run

STATES, DOTS, POINTS = 3, 20, 100
"""Test states that are drawn; dots and points of a line along each curve."""


class Magnetization(Figure):
    """`(1/N) sum_i <sigma_i>` along x, y and z for the first test states: exact as lines, predicted as dots."""

    def draw(self, run: Run) -> ChartType:
        """Return a block for each simple recurrent unit of the task, below its name: a row of panels for each size."""
        import altair as alt

        solvers = recurrent(run)
        needed(run, solvers)
        blocks = [_block(run, solver) for solver in solved(run, solvers)]
        chart: ChartType = (
            alt.vconcat(*blocks, spacing=24)
            .resolve_scale(color="shared")
            .properties(
                title=alt.TitleParams(
                    "Magnetization per spin against time, predicted on exact",
                    subtitle=[
                        f"{STATES} random product states of each size; hbar = 1, J = 1",
                        *missing(run, solvers),
                    ],
                )
            )
        )
        return chart


def _block(run: Run, solver: str) -> ChartType:
    """Return the panels of one solver.

    Raises:
        CannotDraw: the run has not measured the magnetization.
    """
    import altair as alt

    times = run.task.times.grid()
    rows = []
    for cell in scored(run, solver):
        curves = run.curves_of(cell)
        if not {f"magnetization_{axis}" for axis in "xyz"} <= set(curves):
            raise CannotDraw("the run has no magnetization_error_x, _y and _z; list them under 'metrics'")
        values = {axis: _values(curves, axis, times) for axis in "xyz"}
        ends = [row["value"] for found in values.values() for row in found]
        domain = [math.floor(5 * min(ends)) / 5, math.ceil(5 * max(ends)) / 5]
        panels = [_panel(values[axis], f"{cell.size} spins, {axis}", domain, named=axis == "x") for axis in "xyz"]
        rows.append(alt.hconcat(*panels, spacing=14))
    block: ChartType = (
        alt.vconcat(*rows)
        .resolve_scale(color="shared")
        .properties(title=alt.TitleParams(label(solver), fontSize=13, anchor="start", offset=8))
    )
    return block


def _values(curves: Mapping[str, NDArray[np.float32]], axis: str, times: NDArray[np.float64]) -> list[Mark]:
    name, last = f"magnetization_{axis}", len(times) - 1
    drawn = ((EXACT, curves[f"{name}_reference"], POINTS), (PREDICTED, curves[name], DOTS))
    return [
        {"time": float(times[step]), "value": float(curve[state, step]), "state": state, "kind": kind}
        for kind, curve, count in drawn
        for state in range(min(STATES, len(curve)))
        for step in [0, *step_spread(last, count)]
    ]


def _panel(values: list[Mark], title: str, domain: list[float], *, named: bool) -> ChartType:
    import altair as alt

    base = alt.Chart(data(values)).encode(
        x=alt.X("time:Q", title="time (1/J)"),
        y=alt.Y(
            "value:Q",
            title="magnetization" if named else None,
            scale=alt.Scale(domain=domain, nice=False),
            axis=alt.Axis(tickCount=5),
        ),
        color=kind_colour(),
    )
    return alt.layer(
        base.transform_filter(f"datum.kind == '{EXACT}'").mark_line(strokeWidth=2).encode(detail="state:N"),
        base.transform_filter(f"datum.kind == '{PREDICTED}'").mark_circle(size=18, opacity=1),
    ).properties(width=210, height=150, title=alt.TitleParams(title, fontSize=12, anchor="middle", offset=8))
