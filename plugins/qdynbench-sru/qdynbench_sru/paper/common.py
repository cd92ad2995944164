"""What the paper's figures share: its numbers, the cells that a figure needs, and how solvers are called."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qdynbench import CannotDraw, CellRecord, SolverSpec, Status

if TYPE_CHECKING:
    import altair as alt

    from qdynbench import Run

ENCODERS = {"local": "SRU, local encoder (not the paper's)", "padded": "SRU, the paper's encoder"}
PADDED = {"largest": 8, "width": 256}
"""Parameters of the paper's encoder in the tasks, which go without saying."""

EXACT, PREDICTED = "exact (ED)", "predicted (SRU)"


@functools.cache
def paper() -> dict[str, Any]:
    """Return the paper's numbers."""
    import yaml

    numbers: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("numbers.yaml").read_text(encoding="utf-8"))
    return numbers


def label(solver: str) -> str:
    """Return what a solver is called in a figure."""
    spec = SolverSpec.parse(solver)
    if spec.name != "sru":
        return "persistence: nothing moves" if solver == "persistence" else solver
    more = dict(spec.parameters)
    encoder, start = str(more.pop("encoder", "local")), more.pop("start", None)
    if encoder == "padded" and more == PADDED:
        more = {}
    parts = [ENCODERS[encoder]] + ([] if start is None else ["fine-tuned"])
    return ", ".join(parts + [f"{key}={value}" for key, value in more.items()])


def encoders(solvers: Sequence[str]) -> dict[str, str]:
    """Return the encoder of each simple recurrent unit, or its whole label where several have the same encoder."""
    short = {solver: str(SolverSpec.parse(solver).parameters.get("encoder", "local")) for solver in solvers}
    return short if len({*short.values()}) == len(short) else {solver: label(solver) for solver in solvers}


def recurrent(run: Run) -> list[str]:
    """Return the simple recurrent units of a run.

    Raises:
        CannotDraw: it has none.
    """
    found = [text for text in run.task.solvers if SolverSpec.parse(text).name == "sru"]
    if not found:
        raise CannotDraw(f"the run has no solver sru, only {', '.join(run.task.solvers)}")
    return found


def scored(run: Run, solver: str) -> list[CellRecord]:
    """Return the cells of a solver that were solved and scored, small sizes first.

    Of several seeds the first is taken: curves and trajectories are those of one cell.
    """
    found = (cell for cell in run.cells if cell.solver == solver and cell.status is Status.OK and cell.scores)
    by_seed = sorted(found, key=lambda cell: (cell.size, -cell.seed))
    return list({cell.size: cell for cell in by_seed}.values())


def needed(run: Run, solvers: Iterable[str]) -> dict[str, list[CellRecord]]:
    """Return the scored cells of each solver that has some.

    Raises:
        CannotDraw: none of them has, and why.
    """
    wanted = list(solvers)
    found = {solver: cells for solver in wanted if (cells := scored(run, solver))}
    if not found:
        raise CannotDraw(f"no cell of {' or '.join(wanted)} was solved{why(run, wanted)}")
    return found


def solved(run: Run, solvers: Sequence[str]) -> list[str]:
    """Return the solvers that have a scored cell, or the first of them where none has: drawing it then says why."""
    return [solver for solver in solvers if scored(run, solver)] or list(solvers[:1])


def trajectories(run: Run, solver: str) -> dict[int, tuple[NDArray[np.complex64], NDArray[np.complex64]]]:
    """Return the kept trajectories of a solver by size: prediction and reference, each `(n, T+1, 2**N)`.

    Raises:
        CannotDraw: none was solved, or the task keeps none.
    """
    cells = needed(run, [solver])[solver]
    kept = {cell.size: found for cell in cells if (found := run.trajectories(cell)) is not None}
    if not kept:
        raise CannotDraw("the run kept no trajectories; the task needs keep: {trajectories: 1}")
    return kept


def why(run: Run, solvers: Iterable[str]) -> str:
    """Return how the cells of some solvers ended, as `: timeout, fit: over 900 s`; nothing if the run has none."""
    wanted = set(solvers)
    reasons = {f"{c.status.value}, {c.reason}" for c in run.cells if c.solver in wanted and c.status is not Status.OK}
    return f": {'; '.join(sorted(reasons))}" if reasons else ""


def missing(run: Run, solvers: Iterable[str]) -> list[str]:
    """Return one line for each solver that lacks some of the run's sizes, to stand below the title."""
    lines = []
    for solver in solvers:
        absent = [size for size in run.task.sizes if size not in {cell.size for cell in scored(run, solver)}]
        if absent:
            lines.append(f"{label(solver)}: nothing to show at {', '.join(map(str, absent))} spins")
    return lines


def kind_colour() -> alt.Color:
    """Return the colours of what is exact and what is predicted."""
    import altair as alt

    scale = alt.Scale(domain=[EXACT, PREDICTED], range=["#56B4E9", "#D55E00"])
    return alt.Color("kind:N", title=None, scale=scale).legend(orient="top", symbolOpacity=1)


def spins_colour(sizes: Iterable[int]) -> alt.Color:
    """Return the colours of chain lengths: in order of brightness, told apart with any colour vision."""
    import altair as alt

    scale = alt.Scale(scheme="viridis", domain=sorted(sizes), reverse=True)
    return alt.Color("spins:O", title="spins", scale=scale, legend=alt.Legend(symbolOpacity=1, symbolStrokeWidth=0))
