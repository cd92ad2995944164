"""Error against time in the terminal: one panel a metric, logarithmic, every curve named where it ends.

Where no state vector tells the infidelity, spins and entropies are compared, and drawn as they are on a linear axis.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from qdynbench import text as write
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report.terminal.layout import cut

METRICS = {"infidelity": "Infidelity", "mean_relative_entropy": "Mean relative entropy"}
WITHOUT_STATES = {"spin_error": "Spin error"}
"""Drawn where there is no infidelity."""
OBSERVED = {
    "spin_overlap": "Overlap of the spins with time 0",
    "magnetization_z": "Magnetization along z",
    "magnetization_x": "Magnetization along x",
    "entropy": "Half-chain entropy",
}
"""Drawn beside them, each unless nothing moves."""
STILL = 1e-6
"""Range of a curve that does not move."""
COLOURS = (("blue", "blue"), ("orange", "yellow"), ("green", "green"), ("magenta", "magenta"), ("cyan", "cyan"))
"""A colour as plotext names it and as rich does; used in turn."""
LOWEST = 1e-17
"""Below this an error is rounding; such curves run along the lower edge."""
ROWS, BRIEF_ROWS, LONGEST_NAME, NARROWEST_PANEL = 12, 8, 26, 70
TICKS = 5

Curves = dict[str, NDArray[np.float64]]


def curves(run: Run, console: Console) -> Iterator[Text]:
    """Yield the curves of all solvers at the largest size that any of them solved, panels beside each other if wide."""
    sizes = [cell.size for cell in run.cells if cell.status is Status.OK and cell.scores]
    if not sizes or not console.encoding.lower().startswith("utf"):
        return
    errors = METRICS if mean_curves(run, "infidelity", max(sizes)) else METRICS | WITHOUT_STATES
    panels = {metric: found for metric in errors if (found := mean_curves(run, metric, max(sizes)))}
    observed = {} if errors is METRICS else observed_curves(run, max(sizes))
    if not (panels or observed):
        return
    beside = len(panels) + len(observed) > 1 and console.width >= 2 * NARROWEST_PANEL + 4
    width = (console.width - 4) // 2 if beside else min(console.width, 110)
    times, drawn = run.task.times.grid(), []
    for metric, found in (panels | observed).items():
        title = Text.assemble(
            ((errors | OBSERVED)[metric], "bold cyan"), (f" against time, {max(sizes)} spins, mean over states", "dim")
        )
        lines = panel(found, times, width, lowest_of(run, metric, max(sizes))) if metric in panels else None
        drawn.append([title, *(lines or observed_panel(found, times, width))])
    rows = [drawn[start : start + 2] for start in range(0, len(drawn), 2)] if beside else [[one] for one in drawn]
    for number, row in enumerate(rows):
        yield from [Text()] if number else []
        for left, *right in itertools.zip_longest(*row, fillvalue=Text()):
            yield Text.assemble(left, " " * (width + 4 - left.cell_len), *right) if right else left


def chart(run: Run, console: Console, width: int) -> Iterator[Text]:
    """Yield one panel, of the error that is compared, or where there is none of another, at the largest size solved."""
    sizes = [cell.size for cell in run.cells if cell.status is Status.OK and cell.scores]
    if not sizes or not console.encoding.lower().startswith("utf"):
        return
    titles = METRICS | WITHOUT_STATES
    for metric in dict.fromkeys([run.metric, *titles]):
        title = titles.get(metric, write.plain(metric.replace("_", " ")).capitalize())
        if found := mean_curves(run, metric, max(sizes)):
            heading = f" against time, {max(sizes)} spins, mean over states"
            yield Text.assemble((title, "bold cyan"), (heading, "dim"))
            yield from panel(found, run.task.times.grid(), width, lowest_of(run, metric, max(sizes)), BRIEF_ROWS)
            return


def observed_curves(run: Run, size: int) -> dict[str, Curves]:
    """Return the curves of observables that move, with that of the reference where there is one."""
    found = {}
    for name in OBSERVED:
        curves = mean_curves(run, name, size)
        for curve in itertools.islice(mean_curves(run, f"{name}_reference", size).values(), 1):
            curves["reference"] = curve
        if any(np.nanmax(curve) - np.nanmin(curve) > STILL for curve in curves.values()):
            found[name] = curves
    return found


def mean_curves(run: Run, metric: str, size: int) -> Curves:
    """Return a metric's mean over all samples of a size for each solver, shape `(T+1,)`."""
    found: dict[str, list[NDArray[np.float32]]] = {}
    for cell in run.cells:
        if cell.size == size and (values := run.curves_of(cell, metric).get(metric)) is not None and values.ndim == 2:
            found.setdefault(cell.solver, []).append(values)
    order = [name for name in run.task.solvers if name in found]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a time at which no sample is defined stays nan
        return {name: np.nanmean(np.concatenate(found[name]).astype(np.float64), axis=0) for name in order}


def lowest_of(run: Run, metric: str, size: int) -> float:
    """Return the resolution of the reference in a metric at a size; 0 where it is not known."""
    scores = (score for cell in run.cells if cell.size == size for score in cell.scores if score.metric == metric)
    return max((score.resolution or 0.0 for score in scores), default=0.0)


def panel(
    curves: Mapping[str, NDArray[np.float64]],
    times: NDArray[np.float64],
    width: int,
    lowest: float = LOWEST,
    rows: int = ROWS,
) -> Iterator[Text]:
    """Yield the lines of one panel, all of the same number for the same number of curves.

    Args:
        curves: values of shape `(T+1,)`; index 0 is the initial state and is not drawn.
        times: shape `(T+1,)`.
        width: of the panel with the names at its right.
        lowest: no curve is drawn below.
        rows: its height; more where there are more curves.
    """
    lowest = max(lowest, LOWEST)
    low, high, clipped = decades(list(curves.values()), lowest)
    step = max(1, math.ceil((high - low) / 6))
    powers = {float(power): f"1e{power}" if power else "1" for power in range(low, high + 1, step)}
    powers[low] = ("≤" if clipped else "") + powers[low]
    bottom = max(10.0**low, lowest)
    logarithms = {name: np.log10(np.clip(values, bottom, 10.0**high)) for name, values in curves.items()}
    for values in logarithms.values():
        values[0] = np.nan
    yield from _drawn(logarithms, times, width, powers, high, rows)


def observed_panel(curves: Mapping[str, NDArray[np.float64]], times: NDArray[np.float64], width: int) -> Iterator[Text]:
    """Yield the lines of one panel on a linear axis; arguments as of `panel`, and index 0 is drawn."""
    low = min(float(np.nanmin(values)) for values in curves.values())
    high = max(float(np.nanmax(values)) for values in curves.values())
    heights = np.linspace(low, high, TICKS)
    ticks = {float(height): f"{height:.2g}" if abs(height) > 1e-9 * (high - low) else "0" for height in heights}
    yield from _drawn(curves, times, width, ticks, high)


def _drawn(
    curves: Mapping[str, NDArray[np.float64]],
    times: NDArray[np.float64],
    width: int,
    marks: Mapping[float, str],
    high: float,
    rows: int = ROWS,
) -> Iterator[Text]:
    """Yield the lines of a panel.

    Args:
        curves: heights of shape `(T+1,)`; what is nan is not drawn.
        times: shape `(T+1,)`.
        width: of the panel with the names at its right.
        marks: of the vertical axis; the first is its lower end.
        high: its upper end.
        rows: its height at least.
    """
    import plotext

    low = next(iter(marks))
    names = {name: cut(write.plain(name), LONGEST_NAME) for name in curves}
    inner = width - max(map(cell_len, names.values())) - 1
    rows = max(rows, len(curves))

    figure = plotext.figure
    figure.clear()
    plotext.terminal.limit(width=False, height=False)
    figure.plot_size(inner, rows + 3)
    figure.theme("colorless")
    heights = {}
    for number, (name, values) in enumerate(curves.items()):
        shown = np.isfinite(values)
        if not shown.any():
            continue
        marker = plotext.marker("braille", plotext.pixel(COLOURS[number % len(COLOURS)][0]))
        figure.draw(figure.signal(times[shown].tolist(), values[shown].tolist(), marker=marker).lines(True))
        heights[name] = float((high - values[shown][-1]) / (high - low) * (rows - 1))
    ticks = np.linspace(times[0], times[-1], TICKS)
    figure.ruler("x", "lower").lim(float(times[0]), float(times[-1])).ticks(ticks.tolist(), [f"{t:.3g}" for t in ticks])
    figure.ruler("y", "left").lim(low, high).ticks(list(marks), list(marks.values()))
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
