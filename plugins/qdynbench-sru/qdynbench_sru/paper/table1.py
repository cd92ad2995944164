"""Table 1: seconds of ED and SRU, the paper's beside ours under its own protocol and under the fair one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from qdynbench import CannotDraw, Column, Figure, Span, Table, data, significant
from qdynbench_sru.paper.common import encoders, label, paper, recurrent, scored, why

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench import Mark, Run

OURS = {"ED state by state, here": "ed[mode=per_state]", "ED in one batch, here": "ed"}
"""What a solver of ours is called in the picture."""
NETWORK_COLOURS = ("#D55E00", "#009E73", "#CC79A7")
"""Of our networks, the paper's encoder first."""
PROTOCOLS = "single: state by state, which we take for the paper's protocol; batch: all states in one product."
NOTES = (
    "Hardware and software differ: compare ratios, not seconds.",
    "The errors are not equal: ED is exact, the SRU is not.",
)


class TimesOfTable1(Figure):
    """Seconds of one call against the number of spins, for every batch size of the table; each network by its name."""

    def draw(self, run: Run) -> ChartType:
        """Return a panel for each batch size, logarithmic."""
        import altair as alt

        rows = _rows(run)
        batches = [batch for batch in paper()["table1"]["batch_sizes"] if any(row["batch"] == batch for row in rows)]
        networks = [f"{label(solver)}, here" for solver in recurrent(run)]
        order = ["ED, paper", *OURS, "SRU, paper", *networks]
        ours = itertools.islice(itertools.cycle(NETWORK_COLOURS), len(networks))
        colours = alt.Scale(domain=order, range=["#0072B2", "#0072B2", "#56B4E9", "#D55E00", *ours])
        dashes = alt.Scale(domain=order, range=[[5, 3], [1, 0], [1, 0], [5, 3], *([1, 0] for _ in networks)])
        panels = []
        for batch in batches:
            here = data([row for row in rows if row["batch"] == batch])
            base = alt.Chart(here).encode(
                x=alt.X("spins:O", title="spins", axis=alt.Axis(labelAngle=0)),
                y=alt.Y(
                    "seconds:Q",
                    title="seconds" if batch == batches[0] else None,
                    scale=alt.Scale(type="log", domain=_domain(rows)),
                    axis=alt.Axis(tickCount=7, labelExpr="format(datum.value, '~g')"),
                ),
                color=alt.Color("series:N", title=None, scale=colours).legend(
                    orient="bottom", columns=2, labelLimit=0, symbolType="stroke", symbolSize=300, symbolStrokeWidth=2
                ),
            )
            panels.append(
                alt.layer(
                    base.mark_line(strokeWidth=1.8).encode(
                        strokeDash=alt.StrokeDash("series:N", title=None, scale=dashes)
                    ),
                    base.mark_point(size=38, fill="white", opacity=1).transform_filter("datum.extrapolated"),
                    base.mark_point(size=38, filled=True, opacity=1).transform_filter("!datum.extrapolated"),
                ).properties(
                    width=165,
                    height=260,
                    title=alt.TitleParams(f"batch {batch}", fontSize=12, anchor="middle", offset=4),
                )
            )
        chart: ChartType = (
            alt.hconcat(*panels, spacing=10)
            .resolve_scale(color="shared", strokeDash="shared")
            .properties(
                title=alt.TitleParams(
                    f"Seconds to propagate a batch, {run.task.times.steps} steps (Table 1)",
                    subtitle=[*NOTES, "Hollow: extrapolated in proportion from fewer states."],
                )
            )
        )
        return chart

    def table(self, run: Run) -> Table:
        """Return the table: the paper's two columns, then ours under both protocols; a row for each network."""
        rows, names = _rows(run), encoders(recurrent(run))
        times = {(row["series"], row["spins"], row["batch"]): row for row in rows}
        headings = (
            *("N", "states", "paper\nED", "paper\nSRU", "paper\nED/SRU", "single\nED", "batch\nED"),
            *("our\nSRU", "its\ntime", "single\nED/SRU", "batch\nED/SRU"),
        )
        table = Table([Column(text, "left" if text == "our\nSRU" else "right") for text in headings])
        table.notes = [
            f"Table 1: seconds to propagate a batch, {run.task.times.steps} steps",
            *(PROTOCOLS, *NOTES, "* extrapolated in proportion from fewer states"),
        ]
        for size in sorted({row["spins"] for row in rows}):
            for batch in paper()["table1"]["batch_sizes"]:
                found = [times.get((series, size, batch)) for series in ("ED, paper", "SRU, paper", *OURS)]
                ed, sru, by_state, in_batch = found
                shared = [*(f"{row['seconds']:g}" if row else "–" for row in (ed, sru)), _ratio(ed, sru)]
                first = [str(size), str(batch), *shared, _seconds(by_state), _seconds(in_batch)]
                for solver, encoder in names.items():
                    unit = times.get((f"{label(solver)}, here", size, batch))
                    ratios = (_ratio(by_state, unit), _ratio(in_batch, unit))
                    table.rows.append([*first, encoder, _seconds(unit), *ratios])
                    first = [""] * len(first)
            table.rows.append(Span(""))
        return table


def _rows(run: Run) -> list[Mark]:
    """Return the paper's figures at the run's sizes, and the run's own, one row each.

    Raises:
        CannotDraw: the run has timed none of its simple recurrent units, or no ED.
    """
    learned = recurrent(run)
    solvers = OURS | {f"{label(solver)}, here": solver for solver in learned}
    batches = paper()["table1"]["batch_sizes"]
    rows: list[Mark] = [
        {"series": series, "spins": size, "batch": batch, "seconds": seconds, "extrapolated": False}
        for series, key in (("ED, paper", "ed"), ("SRU, paper", "sru"))
        for size, times in paper()["table1"][key].items()
        if size in run.task.sizes
        for batch, seconds in zip(batches, times, strict=True)
    ]
    for series, solver in solvers.items():
        timed: list[Mark] = [
            {
                "series": series,
                "spins": cell.size,
                "batch": timing.batch_size,
                "seconds": float(np.median(timing.seconds)),
                "extrapolated": timing.extrapolated,
            }
            for cell in run.cells
            if cell.solver == solver
            for timing in cell.ledger.solve
            if timing.batch_size in batches and timing.seconds
        ]
        if not timed and not (solver in learned and any(scored(run, other) for other in learned)):
            raise CannotDraw(
                f"{solver} was not timed at batch sizes {', '.join(map(str, batches))}{why(run, [solver])}"
            )
        rows += timed
    return rows


def _domain(rows: list[Mark]) -> list[float]:
    seconds = [row["seconds"] for row in rows]
    return [10 ** np.floor(np.log10(min(seconds))), 10 ** np.ceil(np.log10(max(seconds)))]


def _seconds(row: Mark | None) -> str:
    return "–" if row is None else "*" * row["extrapolated"] + significant(row["seconds"], 2)


def _ratio(above: Mark | None, below: Mark | None) -> str:
    return "–" if above is None or below is None else significant(above["seconds"] / below["seconds"], 2)
