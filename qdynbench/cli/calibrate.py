"""`qdynbench calibrate`: what differences of times this machine can tell apart, as busy as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

TASK: dict[str, Any] = {
    "name": "calibration",
    "title": "Twins and known slowdowns",
    "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5},
    "sizes": [2, 4, 6, 7, 8],
    "times": {"dt": 0.002, "steps": 100},
    "states": 1,
    "reference": "none",
    "metrics": ["norm_drift"],
    "solvers": ["twin", "twin[copy=1]", "twin[slower=0.02]", "twin[slower=0.05]", "twin[slower=0.1]"],
    "timing": {"batch_sizes": [1, 64], "rounds": 5, "seconds": 5},
}
CROWDED = 0.02
"""Part of the time for which solvers wait for a core, beyond which other work takes turns with them."""


def calibrate(
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Keep the run here, in place of what is there; default: not kept."),
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, help="Race so many times, each with other seeds.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Find out what differences of times this machine can tell apart.

    Copies of one solver and known slowdowns are raced at its present load.
    """
    import dataclasses
    import tempfile

    from rich.console import Console

    from qdynbench import api
    from qdynbench.analysis.resolution import OFTEN, resolution
    from qdynbench.cli.progress import watch
    from qdynbench.errors import QdynbenchError
    from qdynbench.plugins.registry import Registry
    from qdynbench.record.calibration import keep
    from qdynbench.report.terminal.sentences import machine_resolves
    from qdynbench.task.spec import Task
    from qdynbench.testing import twins

    registry = Registry.discover([Path(twins.__file__)])
    task = Task.model_validate({**TASK, "seeds": list(range(times))})
    with tempfile.TemporaryDirectory(prefix="qdynbench-calibrate-") as folder:
        with watch(Console(stderr=True, quiet=quiet)) as observer:
            run = api.measure(task, registry, out or Path(folder), observer, threads=1, fresh=True)
        found = resolution(run)
    if not found.half_widths:
        raise QdynbenchError(f"the twins were not timed: {run.cells[0].reason or 'the run has not ended'}")
    keep(dataclasses.asdict(found))
    console = Console(highlight=False)
    for line in machine_resolves(found):
        console.print(line)
    console.print(
        f"{found.disturbed:.0%} of the rounds were slowed by something else, also when they were run again; for "
        f"{found.waiting:.1%} of their time the solvers waited for a core."
    )
    if found.waiting > CROWDED:
        console.print("Other work on this machine takes their cores: end it, or give them fewer threads (`--threads`).")
    elif found.disturbed > OFTEN:
        console.print("The cores run slower at times, as where other guests share the host: run again at another hour.")
    return 0
