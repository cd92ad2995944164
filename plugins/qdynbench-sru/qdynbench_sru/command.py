"""`qdynbench sru`: make the weights that ship with the package."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from qdynbench.solver_spec import SolverSpec

SHIPPED = Path(__file__).parent / "weights"

app = typer.Typer(no_args_is_help=True)


@app.callback()
def sru() -> None:
    """Weights that ship with the sru plugin."""


@app.command()
def ship(
    task: Annotated[str, typer.Argument(help="A task file, or the name of a shipped task.")],
    encoder: Annotated[str, typer.Option("--encoder", help="local or padded.")] = "local",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
) -> None:
    """Train anew on a task's training data and put the weights, with their manifest, into the package."""
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli.progress import watch
    from qdynbench.errors import QdynbenchError

    name = str(SolverSpec("sru", {} if encoder == "local" else {"encoder": encoder}))
    console = Console(stderr=True)
    # Nothing below touches the training: the manifest has to be the one that the task itself would write.
    small = {
        "sizes": api.load_task(task, solvers=[name]).sizes[:1],
        "states": 1,
        "metrics": ["infidelity"],
        "timing.batch_sizes": [1],
        "timing.rounds": 3,
    }
    with tempfile.TemporaryDirectory() as scratch, watch(console) as observer:
        run = api.run(
            task,
            solvers=[name],
            overrides=small,
            out=Path(scratch) / "run",
            refit=True,
            threads=threads,
            observer=observer,
        )
    if run is None or not (fit := run.record.fits[name]).status.honest:
        raise QdynbenchError(f"{name} could not be fitted" + ("" if run is None else f": {fit.reason}"))
    home = SHIPPED / encoder
    replace_folder(Path(fit.folder), home)
    console.print(f"{name}: trained in {fit.fit_time:.0f} s, weights in {home}", soft_wrap=True)


def replace_folder(source: Path, target: Path) -> None:
    """Copy a folder over another, which is whole at every moment but the one between two renames."""
    partial, old = target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.old")
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, partial)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
