"""Error against time in the terminal: one panel a metric, logarithmic, every curve named where it ends."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report import format as write
from qdynbench.report.layout import cut

METRICS = {"infidelity": "Infidelity", "mean_relative_entropy": "Mean relative entropy"}
COLOURS = (("blue", "blue"), ("orange", "yellow"), ("green", "green"), ("magenta", "magenta"), ("cyan", "cyan"))
"""A colour as plotext names it and as rich does; used in turn."""
LOWEST = 1e-17
"""Below this an error is rounding; such curves run along the lower edge."""
ROWS, LONGEST_NAME, NARROWEST_PANEL = 12, 26, 70
TICKS = 5

Curves = dict[str, NDArray[np.float64]]


def charts(run: Run, console: Console) -> Iterator[Text]:
    """Yield the curves of all solvers at the largest size that any of them solved, panels beside each other if wide."""
    sizes = [cell.size for cell in run.cells if cell.status is Status.OK and cell.scores]
    if not sizes or not console.encoding.lower().startswith("utf"):
        return
    panels = {metric: curves for metric in METRICS if (curves := mean_curves(run, metric, max(sizes)))}
    beside = len(panels) > 1 and console.width >= 2 * NARROWEST_PANEL + 4
    width = (console.width - 4) // 2 if beside else min(console.width, 110)
    drawn = []
    for metric, curves in panels.items():
        title = Text.assemble(
            (METRICS[metric], "bold cyan"), (f" against time, {max(sizes)} spins, mean over states", "dim")
        )
        drawn.append([title, *panel(curves, run.task.times.grid(), width, lowest_of(run, metric, max(sizes)))])
    if beside:
        for left, right in zip(*drawn, strict=True):
            yield Text.assemble(left, " " * (width + 4 - left.cell_len), right)
    else:
        for number, lines in enumerate(drawn):
            yield from [Text()] if number else []
            yield from lines


def mean_curves(run: Run, metric: str, size: int) -> Curves:
    """Return a metric's mean over all samples of a size for each solver, shape `(T+1,)`."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    for cell in run.cells:
        if cell.size == size and (values := run.curves_of(cell).get(metric)) is not None and values.ndim == 2:
            found.setdefault(cell.solver, []).append(values)
    order = [name for name in run.task.solvers if name in found]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a time at which no sample is defined stays nan
        return {name: np.nanmean(np.concatenate(found[name]).astype(np.float64), axis=0) for name in order}


def lowest_of(run: Run, metric: str, size: int) -> float:
    """Return the reference's own error in a metric at a size; 0 where it is not known."""
    scores = (score for cell in run.cells if cell.size == size for score in cell.scores if score.metric == metric)
    return max((score.bound or 0.0 for score in scores), default=0.0)


def panel(
    curves: Mapping[str, NDArray[np.float64]], times: NDArray[np.float64], width: int, lowest: float = LOWEST
) -> Iterator[Text]:
    """Yield the lines of one panel, all of the same number for the same number of curves.

    Args:
        curves: values of shape `(T+1,)`; index 0 is the initial state and is not drawn.
        times: shape `(T+1,)`.
        width: of the panel with the names at its right.
        lowest: no curve is drawn below.
    """
    lowest = max(lowest, LOWEST)
    import plotext

    low, high, clipped = decades(list(curves.values()), lowest)
    names = {name: cut(write.plain(name), LONGEST_NAME) for name in curves}
    inner = width - max(map(cell_len, names.values())) - 1
    rows = max(ROWS, len(curves))

    figure = plotext.figure
    figure.clear()
    plotext.terminal.limit(width=False, height=False)
    figure.plot_size(inner, rows + 3)
    figure.theme("colorless")
    heights = {}
    for number, (name, values) in enumerate(curves.items()):
        shown = np.isfinite(values)
        shown[0] = False
        if not shown.any():
            continue
        logarithms = np.log10(np.clip(values[shown], max(10.0**low, lowest), 10.0**high))
        marker = plotext.marker("braille", plotext.pixel(COLOURS[number % len(COLOURS)][0]))
        figure.draw(figure.signal(times[shown].tolist(), logarithms.tolist(), marker=marker).lines(True))
        heights[name] = float((high - logarithms[-1]) / (high - low) * (rows - 1))
    ticks = np.linspace(times[0], times[-1], TICKS)
    figure.ruler("x", "lower").lim(float(times[0]), float(times[-1])).ticks(ticks.tolist(), [f"{t:.3g}" for t in ticks])
    step = max(1, math.ceil((high - low) / 6))
    powers = list(range(low, high + 1, step))
    names_of_powers = [f"1e{power}" if power else "1" for power in powers]
    names_of_powers[0] = ("≤" if clipped else "") + names_of_powers[0]
    figure.ruler("y", "left").lim(low, high).ticks(powers, names_of_powers)
    lines = Text.from_ansi(figure.build().string()).split("\n")[: rows + 3]

    labels = spread(heights, rows)
    colours = {name: COLOURS[number % len(COLOURS)][1] for number, name in enumerate(curves)}
    for row, line in enumerate(lines):
        line.truncate(inner, pad=True)
        if row - 1 in labels:
            ending = labels[row - 1]
            line.append(" ").append(names[ending], colours[ending])
        line.rstrip()
        yield line


def decades(curves: Sequence[NDArray[np.float64]], lowest: float = LOWEST) -> tuple[int, int, bool]:
    """Return the powers of ten between which the curves are drawn, and whether some run below.

    The lower one lies below the smallest value that is worth telling apart from rounding.
    """
    values = np.concatenate([curve[1:] for curve in curves])
    values = values[np.isfinite(values)]
    visible = values[values >= lowest]
    if not len(visible):
        return math.floor(math.log10(lowest)), math.floor(math.log10(lowest)) + 1, True
    low, high = math.floor(math.log10(visible.min())), math.ceil(math.log10(visible.max()))
    clipped = len(visible) < len(values)
    if clipped:
        low = max(low - 1, math.floor(math.log10(lowest)))
    return low, max(high, low + 1), clipped


def spread(heights: Mapping[str, float], rows: int) -> dict[int, str]:
    """Give each name the free row nearest to where its curve ends, counted from the top, the order kept."""
    ordered = sorted(heights, key=lambda name: heights[name])
    placed: dict[str, int] = {}
    free = 0
    for number, name in enumerate(ordered):
        last = rows - (len(ordered) - number)  # leaves a row for each of those below
        free = placed[name] = min(max(free, round(heights[name])), last)
        free += 1
    return {row: name for name, row in placed.items()}
