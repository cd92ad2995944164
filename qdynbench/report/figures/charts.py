"""What figures share: colours, logarithmic axes, data, bands of curves, and lines of text below a chart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qdynbench.stats import mean_curve

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    from altair.typing import ChartType

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart with any colour vision: M. Okabe and K. Ito, Color Universal Design (2008), without its yellow."""
MOST_POWERS = 10
"""Powers of ten along an axis; of more, only some are labelled."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross")
LINE_HEIGHT = 15
UNIT_LABELS = "datum.value == 1 ? '1' : format(datum.value, '~e')"

Mark = dict[str, Any]
"""One mark of a chart."""


def data(rows: list[Mark]) -> pd.DataFrame:
    """Return rows as altair takes them without looking at each."""
    import pandas as pd

    return pd.DataFrame(rows)


def step_spread(last: int, count: int) -> list[int]:
    """Return at most `count` steps from 1 to `last`, evenly step_spread, the last among them."""
    return sorted({int(step) for step in np.linspace(1, last, min(last, count)).round()})


def band(curve: NDArray[np.float32], steps: Iterable[int], **columns: float | str) -> list[Mark]:
    """Return marks `step, value, low, high` of the mean of a curve `(B, T+1)` over states, with its 95 % interval."""
    chosen = list(steps)
    return [
        {"step": step, "value": float(mean), "low": float(low), "high": float(high), **columns}
        for step, mean, low, high in zip(chosen, *mean_curve(curve[:, chosen].astype(np.float64)), strict=True)
        if np.isfinite(mean)
    ]


def logarithmic(values: Iterable[float], labels: str = UNIT_LABELS) -> tuple[alt.Scale, alt.Axis]:
    """Return a logarithmic scale between powers of ten that holds all values but nan, and its axis."""
    import altair as alt

    logarithms = np.log10(np.array(list(values)))
    logarithms = logarithms[np.isfinite(logarithms)]
    low = int(np.floor(logarithms.min()))
    high = max(low + 1, int(np.ceil(logarithms.max())))
    every = -(-(high - low) // MOST_POWERS)
    # Counted from the top, which is labelled in every panel: titles of panels beside each other stay in line.
    labelled = [float(f"1e{power}") for power in range(high, low - 1, -every)]
    scale = alt.Scale(type="log", domain=[float(f"1e{low}"), float(f"1e{high}")], clamp=True, nice=False)
    return scale, alt.Axis(values=labelled, labelExpr=labels)


class Look(NamedTuple):
    """Colour and shape of the column `series`."""

    colour: alt.Color
    shape: alt.Shape


def series(names: Sequence[str]) -> Look:
    """Return a colour and a shape for each name, different for up to 35 of them."""
    import altair as alt

    colours = [COLOURS[number % len(COLOURS)] for number in range(len(names))]
    # One step further with every name and every round of colours: neighbours differ in both.
    shapes = [SHAPES[(number + number // len(COLOURS)) % len(SHAPES)] for number in range(len(names))]
    legend = alt.Legend(orient="right", symbolOpacity=1, symbolSize=70)
    return Look(
        alt.Color("series:N", title=None, scale=alt.Scale(domain=list(names), range=colours), legend=legend),
        alt.Shape("series:N", title=None, scale=alt.Scale(domain=list(names), range=shapes), legend=legend),
    )


def filled_where(base: alt.Chart, column: str, **look: Any) -> list[ChartType]:
    """Return points that are filled where a column is true, and hollow where it is not."""
    return [
        base.mark_point(filled=True, **look).transform_filter(f"datum.{column}"),
        base.mark_point(fill="white", **look).transform_filter(f"!datum.{column}"),
    ]


def below(chart: ChartType, lines: Sequence[str], width: int, letters: int) -> ChartType:
    """Return a chart with lines of text below it, each wrapped at so many letters."""
    import altair as alt

    wrapped = [part for line in lines for part in textwrap.wrap(line, letters, subsequent_indent="    ")]
    if not wrapped:
        return chart
    rows = data([{"line": number, "text": text.replace("    ", "\u2003\u2003")} for number, text in enumerate(wrapped)])
    text = (
        alt.Chart(rows)
        .mark_text(align="left", baseline="middle", fontSize=11, color="#333333")
        .encode(x=alt.value(0), y=alt.Y("line:O", axis=None), text="text:N")
        .properties(width=width, height=LINE_HEIGHT * len(wrapped), view=alt.ViewBackground(stroke=None))
    )
    return alt.vconcat(chart, text, spacing=8)
