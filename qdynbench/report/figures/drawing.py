"""Drawing the figures of a run: `<run>/figures/<name>.png` and `.svg`; one that fails says so and harms nothing."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from qdynbench.errors import InputError
from qdynbench.files import written_whole
from qdynbench.plugins.registry import Registry
from qdynbench.report.figures.charts import COLOURS
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.parts import Drawing

if TYPE_CHECKING:
    from altair.typing import ChartType

    from qdynbench.record.results import Run

SCALE = 2
"""Pixels of the PNG per unit of the chart: sharp on a dense screen and in print."""
FONT = "Liberation Sans, Helvetica, Arial, sans-serif"


def draw_figures(run: Run, registry: Registry) -> list[Drawing]:
    """Draw the figures that the run's task names, one after the other."""
    return [draw_figure(name, run, registry) for name in run.task.figures]


def draw_figure(name: str, run: Run, registry: Registry) -> Drawing:
    """Draw one figure into the run's folder; what an earlier drawing left there goes."""
    folder = run.folder / "figures"
    faults: list[BaseException] = []
    table, files = None, tuple[Path, ...]()
    try:
        figure: Figure = registry.load("figures", name)()
    except InputError as error:
        message, _, trace = str(error).partition("\n")
        return Drawing(name, reason=message, details=trace)
    try:
        table = figure.table(run)
    except (Exception, SystemExit) as error:  # whatever a plugin raises: the run stands without its figure
        faults.append(error)
    try:
        for kind in ("png", "svg"):
            run.figure_file(f"{name}.{kind}").unlink(missing_ok=True)
        files = save(figure.draw(run), folder, name)
    except (Exception, SystemExit) as error:
        faults.append(error)
    traces = ["".join(traceback.format_exception(one)) for one in faults if not isinstance(one, CannotDraw)]
    return Drawing(name, files, table, "; ".join(dict.fromkeys(map(_reason, faults))), "".join(traces[:1]))


def save(chart: ChartType, folder: Path, name: str) -> tuple[Path, ...]:
    """Write a chart in every format, each file whole or not at all, and return the paths."""
    import altair as alt
    import vl_convert

    with alt.data_transformers.enable("default", max_rows=None):
        # The parts of a chart were checked when they were made; checking every row of its data again takes seconds.
        specification = style(chart).to_dict(validate=False)
    png, svg = vl_convert.vegalite_to_png(specification, scale=SCALE), vl_convert.vegalite_to_svg(specification)
    folder.mkdir(exist_ok=True)
    files = []
    for kind, content in (("png", png), ("svg", svg.encode())):
        path = folder / f"{name}.{kind}"
        with written_whole(path) as stream:
            stream.write(content)
        files.append(path)
    return tuple(files)


def style(chart: ChartType) -> ChartType:
    """Return the chart with the look that all figures share; what it configures itself stays."""
    import altair as alt

    shared = alt.Config(
        background="white",
        padding=12,
        font=FONT,
        axis=alt.AxisConfig(
            labelFontSize=11, titleFontSize=12, titleFontWeight="normal", gridColor="#e6e6e6", labelFlush=False
        ),
        header=alt.HeaderConfig(labelFontSize=12, labelFontWeight="bold", titleFontSize=12, titleFontWeight="normal"),
        legend=alt.LegendConfig(labelFontSize=11, titleFontSize=12, titleFontWeight="normal", labelLimit=400),
        title=alt.TitleConfig(fontSize=14, subtitleFontSize=11, subtitleColor="#555555", anchor="start", offset=12),
        range=alt.RangeConfig(category=list(COLOURS)),
        view=alt.ViewConfig(stroke="#bbbbbb"),
    )
    styled = chart.copy(deep=False)
    own = {} if styled.config is alt.Undefined else styled.config.to_dict()
    styled.config = alt.Config.from_dict({**shared.to_dict(), **own})
    return styled


def _reason(error: BaseException) -> str:
    if isinstance(error, CannotDraw):
        return str(error)
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])
