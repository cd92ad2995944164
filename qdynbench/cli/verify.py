"""`qdynbench verify TASK SOLVER`: train again what came trained, and say what differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qdynbench.cli.options import Plugins

if TYPE_CHECKING:
    from qdynbench.record.results import Run
    from qdynbench.record.schema import Score

SMALL: dict[str, Any] = {
    "metrics": ["infidelity", "skill"],
    "figures": [],
    "keep.trajectories": 0,
    "timing.batch_sizes": [1],
    "timing.launches": 1,
    "timing.rounds": 1,
}
"""Nothing is timed that need not be; the training stays what the task says."""


def verify(
    task: Annotated[str, typer.Argument(help="A task file, or the name of a shipped task.")],
    solver: Annotated[str, typer.Argument(help="A learned solver whose weights came with its plugin.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the task, such as states=50.")
    ] = None,
    plugin: Plugins = None,
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Train a learned solver again and compare with its weights.

    They are compared by hash, errors and time of training.
    """
    import tempfile

    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli import options
    from qdynbench.cli.progress import watch
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.errors import InputError, QdynbenchError
    from qdynbench.text import duration

    name, console = str(SolverSpec.parse(solver)), Console(soft_wrap=True, highlight=False)
    changes = {**SMALL, **options.overrides(set_ or [])}
    with tempfile.TemporaryDirectory() as scratch, watch(Console(stderr=True, quiet=quiet)) as observer:

        def made(again: bool) -> Run:
            return api.run(
                task,
                solvers=[name],
                overrides=changes,
                plugins=plugin or (),
                out=Path(scratch) / ("again" if again else "shipped"),
                refit=again,
                threads=threads,
                observer=observer,
            )

        shipped = made(again=False)
        theirs = shipped.record.fits.get(name)
        if theirs is None or theirs.source != "shipped":
            raise InputError(f"no weights of {name} come with its plugin for the training of this task")
        again = made(again=True)
        ours = again.record.fits[name]
        if not ours.status.honest:
            raise QdynbenchError(f"{name} could not be trained again: {ours.reason}")
        compared = _errors(name, shipped, again)
    same = ours.fingerprint == theirs.fingerprint
    machine = theirs.made.get("hardware", {}).get("processor", "an unknown machine")
    console.print(f"{name}: trained in {duration(ours.fit_time)} here, {duration(theirs.fit_time)} as its plugin says")
    console.print(f"  on {machine}, {str(theirs.made.get('date', 'at an unknown date'))[:10]}", markup=False)
    known = f"the same, bit for bit (hash {theirs.fingerprint})"
    console.print(f"weights: {known if same else f'not the same ({theirs.fingerprint}, here {ours.fingerprint})'}")
    for text, _ in compared:
        console.print(text)
    if not compared:
        console.print("no errors could be compared")
    return int(not same and not (compared and all(alike for _, alike in compared)))


def _errors(solver: str, shipped: Run, again: Run) -> list[tuple[str, bool]]:
    """Return a line for each cell of a solver that both have, and whether its errors are equal within a factor of 2."""
    import numpy as np

    from qdynbench.analysis.comparison import EQUAL_ERROR, floor_of
    from qdynbench.analysis.selection import score_of
    from qdynbench.report.terminal import numbers
    from qdynbench.stats import typical_ratio
    from qdynbench.text import with_interval

    found = []
    for cell in (one for one in shipped.cells if one.solver == solver):
        other = again.cell(cell.solver, cell.size, cell.seed)
        scores: list[Score | None] = [score_of(one, shipped.metric) for one in (cell, other)]
        first, second = scores
        if other is None or first is None or second is None:
            continue
        floor = floor_of(shipped, first, second)
        values = [run.errors_of(one) for run, one in ((shipped, cell), (again, other))]
        before, after = (np.maximum(one, floor) for one in values if one is not None)
        ratio, _ = typical_ratio(after, before)
        low, high = (end if np.isfinite(end) else ratio[0] for end in ratio[1:])
        alike = bool(low >= 1 / EQUAL_ERROR and high <= EQUAL_ERROR)
        verdict = "equal within a factor of two" if alike else "not shown to be equal within a factor of two"
        errors = f"{numbers.score(first)} shipped, {numbers.score(second)} trained again"
        times = f"{with_interval(*ratio, digits=3)} times state by state"
        found.append((f"{cell.size} spins, {shipped.metric}: {errors}, {times}: {verdict}", alike))
    return found
