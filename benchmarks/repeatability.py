"""Measure what a verdict is worth: do equals come out equal, are slowdowns found, and do two runs agree?

    python benchmarks/repeatability.py twins --out twins                 # about five minutes on two cores
    python benchmarks/repeatability.py twins --out twins-busy --busy 1   # beside a process that keeps a core busy
    python benchmarks/repeatability.py default --out runs-twice          # the default task twice: eight minutes
    python benchmarks/repeatability.py default --out runs-busy --busy 1

Prints what stands in docs/measurement.md, and draws its pictures into the folder `--out`, where the runs stay.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

import qdynbench
from qdynbench import api
from qdynbench.analysis.comparison import Contest, Pace, contests
from qdynbench.analysis.resolution import resolution
from qdynbench.plugins.registry import Registry
from qdynbench.record.results import Run
from qdynbench.report.figures.drawing import save
from qdynbench.runner.observer import Observer
from qdynbench.stats import Interval, time_of
from qdynbench.task.spec import Task
from qdynbench.testing import twins

REPEATS = 7
PAUSE = 120
"""Seconds between two runs of the default task."""
TWINS: dict[str, Any] = {
    "name": "twins",
    "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5},
    "sizes": [2, 4, 6, 8],
    "times": {"dt": 0.002, "steps": 100},
    "states": 1,
    "reference": "none",
    "metrics": ["norm_drift"],
    "solvers": ["twin", *(f"twin[copy={n}]" for n in range(1, 5)), "twin[slower=0.05]", "twin[slower=0.1]"],
    "timing": {"batch_sizes": [1, 64], "seconds": 5},
}
Timed = dict[tuple[str, int, int, int | None], Contest]


def main() -> None:
    """Run one part, print what it found, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["twins", "default"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--busy", type=int, default=0, help="number of processes that keep a core busy meanwhile")
    options = parser.parse_args()
    with busy(options.busy):
        (race_twins if options.part == "twins" else run_twice)(options.out)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep cores busy with other work."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: sum(range(10000))"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()


def race_twins(folder: Path) -> None:
    """Race copies of one solver, and two with a known slowdown, again and again with new processes."""
    task, registry, observer = Task.model_validate(TWINS), Registry.discover([Path(twins.__file__)]), Observer()
    runs = [
        api.measure(task, registry, folder / str(number), observer, threads=1, fresh=True) for number in range(REPEATS)
    ]
    each = [resolution(run) for run in runs]
    held, equals = (sum(found.equals[n] for found in each) for n in range(2))
    print(f"equals called different: {equals - held} of {equals}")
    for slower in each[0].found:
        seen, of = (sum(found.found[slower][n] for found in each) for n in range(2))
        print(f"slowdown of {slower:.0%} found: {seen} of {of}")
    widths = [width for found in each for width in found.half_widths]
    print(f"half-width: median {np.median(widths):.1%}, 9 of 10 within {np.quantile(widths, 0.9):.1%}")
    slowed, waiting = np.mean([(found.disturbed, found.waiting) for found in each], axis=0)
    print(f"rounds that stayed disturbed: {slowed:.1%}; waiting for a core: {waiting:.1%} of the time")
    ratios: dict[str, list[Interval]] = {}
    for run in runs:
        for name, timed in against(run, "twin").items():
            ratios.setdefault(name, []).extend(one.ratio for one in timed if one.ratio is not None)
    rows = [
        {"kind": name, "ratio": middle, "low": low, "high": high, "n": n}
        for name, found in ratios.items()
        for n, (middle, low, high) in enumerate(sorted(found))
    ]
    draw_twins(rows, folder)


def draw_twins(rows: list[dict[str, Any]], folder: Path) -> None:
    """Draw every ratio to the first copy with its interval, in ascending order."""
    scale = alt.Scale(type="log", domain=[0.9, 1.2], clamp=True)
    seconds = alt.Axis(title="time / time of the first copy", values=[0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2])
    across = alt.X("n:Q", title=None, axis=None)
    base = alt.Chart()
    layers = (
        base.mark_rule(opacity=0.5).encode(x=across, y=alt.Y("low:Q", scale=scale, axis=seconds), y2="high:Q"),
        base.mark_point(size=6, filled=True).encode(x=across, y=alt.Y("ratio:Q", scale=scale)),
        base.mark_rule(color="#888888").encode(y=alt.datum(1.0, type="quantitative", scale=scale)),
    )
    each = alt.layer(*layers, data=alt.InlineData(values=rows)).properties(width=100, height=240)
    save(each.facet(column=alt.Column("kind:N", title=None)), folder, "twins")


def run_twice(folder: Path) -> None:
    """Run the default task twice, some minutes apart, and compare its verdicts, ratios and times."""
    runs = []
    for number in range(2):
        if number:
            time.sleep(PAUSE)
        began = time.perf_counter()
        runs.append(qdynbench.run("ising_mixed", out=folder / str(number), fresh=True))
        print(f"run {number + 1}: {time.perf_counter() - began:.0f} s")
    first, second = map(timed, runs)
    both = [(one, second[key]) for key, one in first.items() if one.ratio and key in second and second[key].ratio]
    overlap = sum(a.ratio[1] <= b.ratio[2] and b.ratio[1] <= a.ratio[2] for a, b in both if a.ratio and b.ratio)
    flips = sum({a.pace, b.pace} == {Pace.FASTER, Pace.SLOWER} for a, b in both)
    changed = sum(a.pace != b.pace for a, b in both)
    widths = [half_width(one) for pair in both for one in pair]
    print(f"intervals of the ratios to ed overlap: {overlap} of {len(both)}")
    print(f'"faster" that became "slower" or the reverse: {flips}; decided in one run alone: {changed - flips}')
    print(f"half-width of a ratio: median {np.median(widths):.1%}, 9 of 10 within {np.quantile(widths, 0.9):.1%}")
    print_times(*runs)
    draw_launches(runs[0], folder)


def print_times(*runs: Run) -> None:
    """Print how the times of the two runs agree, and the core's own cost."""
    held, drift = [], []
    for cell in runs[0].cells:
        other = runs[1].cell(cell.solver, cell.size, cell.seed)
        for one, two in zip(cell.ledger.solve, other.ledger.solve if other else (), strict=True):
            a, b = time_of(one.launches), time_of(two.launches)
            held.append(a[1] <= b[2] and b[1] <= a[2])
            drift.append(math.log(b[0] / a[0]))
    print(f"intervals of the times overlap: {sum(held)} of {len(held)}")
    print(f"all times together changed by {math.expm1(float(np.median(drift))):+.1%}")
    launches = runs[0].task.timing.launches + 1  # and the trial
    costs = [cell.ledger.overhead / launches for run in runs for cell in run.cells if cell.ledger.overhead is not None]
    print(
        f"core's own cost per cell and launch: median {1e3 * np.median(costs):.0f} ms, most {1e3 * max(costs):.0f} ms"
    )


def draw_launches(run: Run, folder: Path) -> None:
    """Draw the rounds of some solvers over their launches."""
    shown = [("ed", 5, 64), ("sru", 5, 64), ("numpy", 5, 64), ("ed", 8, 64), ("sru", 8, 64)]
    rows = [
        {"what": f"{cell.solver}, {cell.size} spins, {timing.batch_size} states", "launch": n + 1, "ms": 1e3 * seconds}
        for cell in run.cells
        for timing in cell.ledger.solve
        if (cell.solver, cell.size, timing.batch_size) in shown
        for n, rounds in enumerate(timing.launches)
        for seconds in rounds
    ]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(size=18)
        .encode(
            x=alt.X("launch:O", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("ms:Q", title="ms of a call", scale=alt.Scale(zero=False)),
        )
        .properties(width=170, height=150)
    )
    save(
        chart.facet(facet=alt.Facet("what:N", title=None), columns=2).resolve_scale(y="independent"), folder, "launches"
    )


def against(run: Run, first: str) -> dict[str, list[Contest]]:
    """Return the comparisons of every solver of a run with the first one."""
    others = [name for name in run.task.solvers if name != first]
    return dict(zip(others, contests(run, *((name, first) for name in others)), strict=True))


def timed(run: Run) -> Timed:
    """Return the comparisons with `ed` by solver, size, seed and batch size."""
    every = (one for found in against(run, "ed").values() for one in found)
    return {(one.first, one.size, one.seed, one.batch_size): one for one in every if one.ratio is not None}


def half_width(one: Contest) -> float:
    """Return half of the interval of a ratio, relative to it."""
    return math.sqrt(one.ratio[2] / one.ratio[1]) - 1 if one.ratio else math.nan


if __name__ == "__main__":
    main()
