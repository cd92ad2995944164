"""Drawing the figures of a run: `<run>/figures/<name>.png` and `.svg`; one that fails says so and harms nothing."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.terminal.layout import wrapped
from qdynbench.text import plain

if TYPE_CHECKING:
    from altair.typing import ChartType
    from rich.table import Table

    from qdynbench.record.results import Run

SCALE = 2
"""Pixels of the PNG per unit of the chart: sharp on a dense screen and in print."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart with any colour vision: M. Okabe and K. Ito, Color Universal Design (2008), without its yellow."""
FONT = "Liberation Sans, Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Drawn:
    """What came of one figure.

    Attributes:
        name: of the figure.
        files: that were written.
        table: what belongs in the terminal, or None.
        reason: why there is no picture or no table, or nothing.
        details: the traceback that belongs to `reason`.
    """

    name: str
    files: tuple[Path, ...] = ()
    table: Table | None = None
    reason: str = ""
    details: str = ""


def draw_figures(run: Run, registry: Registry) -> Iterator[Drawn]:
    """Draw the figures that the run's task names, one after the other."""
    for name in run.task.figures:
        yield draw_figure(name, run, registry)


def draw_figure(name: str, run: Run, registry: Registry) -> Drawn:
    """Draw one figure into the run's folder; what an earlier drawing left there goes."""
    folder = run.folder / "figures"
    faults: list[str] = []
    table, trace = None, ""
    files: tuple[Path, ...] = ()
    try:
        figure: Figure = registry.load("figures", name)()
    except InputError as error:
        message, _, trace = str(error).partition("\n")
        return Drawn(name, reason=message, details=trace)
    try:
        table = figure.table(run)
    except Exception as error:  # whatever a plugin raises: the run stands without its figure
        faults.append(_reason(error))
        trace = _trace(error)
    try:
        for kind in ("png", "svg"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
        files = write(figure.draw(run), folder, name)
    except Exception as error:
        faults.append(_reason(error))
        trace = trace or _trace(error)
    return Drawn(name, files, table, "; ".join(dict.fromkeys(faults)), trace)


def write(chart: ChartType, folder: Path, name: str) -> tuple[Path, ...]:
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
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
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


def figures(drawn: Sequence[Drawn], console: Console) -> Iterator[Text]:
    """Yield the tables of the figures, then where each was written or why it could not be drawn."""
    if not drawn:
        return
    yield Text("Figures", "bold cyan")
    for figure in drawn:
        if figure.table is not None:
            for line in console.render_lines(figure.table, pad=False):
                text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
                text.rstrip()
                yield text
            yield Text()
    for figure in drawn:
        if figure.files:
            kinds = " and ".join(path.suffix for path in figure.files[1:])
            yield from wrapped(Text(f"{figure.name}: {shlex.quote(str(figure.files[0]))}, {kinds}"), console, 10_000)
        if figure.reason:
            text = Text.assemble(f"{figure.name}: ", ("cannot be drawn: ", "yellow"), plain(figure.reason))
            yield from wrapped(text, console, console.width, 2)


def _reason(error: Exception) -> str:
    if isinstance(error, CannotDraw):
        return str(error)
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def _trace(error: Exception) -> str:
    return "" if isinstance(error, CannotDraw) else "".join(traceback.format_exception(error))
