"""`qdynbench sru`: make the weights that ship with the package, and measure the kernels."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from qdynbench.contract.spec import SolverSpec, Value, parse_value
from qdynbench_sru.kernels.command import kernels

app = typer.Typer(no_args_is_help=True)
app.command()(kernels)


@app.callback()
def sru() -> None:
    """Weights and kernels of the sru plugin."""


@app.command()
def ship(
    task: Annotated[str, typer.Argument(help="A task file, or the name of a shipped task.")],
    encoder: Annotated[str, typer.Option("--encoder", help="local or padded.")] = "local",
    name: Annotated[str, typer.Option("--name", help="Of the folder of weights; default: the encoder's.")] = "",
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="A parameter of sru, such as layers=2; may be repeated.")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Train anew on a task's training data and put the weights, with their manifest, into the package."""
    from rich.console import Console

    from qdynbench import api
    from qdynbench.cli.progress import watch
    from qdynbench.errors import QdynbenchError
    from qdynbench_sru.shipped import SHIPPED

    solver = str(spec_of(encoder, with_ or []))
    home = SHIPPED / folder_name(name or encoder)
    console = Console(stderr=True)
    # Nothing below touches the training: the manifest has to be the one that the task itself would write.
    small = {
        "sizes": api.load_task(task, solvers=[solver]).sizes[:1],
        "states": 1,
        "metrics": ["infidelity"],
        "figures": [],
        "keep.trajectories": 0,
        "timing.batch_sizes": [1],
        "timing.rounds": 3,
    }
    with tempfile.TemporaryDirectory() as scratch, watch(console) as observer:
        run = api.run(
            task,
            solvers=[solver],
            overrides=small,
            out=Path(scratch) / "run",
            refit=[solver],
            device=device,
            threads=threads,
            observer=observer,
        )
    if run is None or not (fit := run.record.fits[solver]).status.honest:
        raise QdynbenchError(f"{solver} could not be fitted" + ("" if run is None else f": {fit.reason}"))
    replace_folder(Path(fit.folder), home)
    console.print(f"{solver}: trained in {fit.fit_time:.0f} s, weights in {home}", soft_wrap=True)


def spec_of(encoder: str, parameters: list[str]) -> SolverSpec:
    """Return the solver with an encoder and parameters written `key=value`.

    Raises:
        InputError: a parameter has another form, or names the encoder again.
    """
    from qdynbench.errors import InputError

    values: dict[str, Value] = {} if encoder == "local" else {"encoder": encoder}
    for text in parameters:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key.isidentifier() and equals and value) or key == "encoder" or key in values:
            raise InputError(f"--with {text}: write key=value, each key once, and the encoder as --encoder")
        values[key] = parse_value(value)
    return SolverSpec("sru", values)


def folder_name(name: str) -> str:
    """Return the name of a folder of weights.

    Raises:
        InputError: it could lead elsewhere than into the package.
    """
    from qdynbench.errors import InputError

    if not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"--name {name}: only letters, digits, '-' and '_' may be used")
    return name


def replace_folder(source: Path, target: Path) -> None:
    """Copy a folder over another, which is whole at every moment but the one between two renames."""
    partial, old = target.with_name(f"{target.name}.partial"), target.with_name(f"{target.name}.old")
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, partial)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
