"""`qdynbench sru`: make the weights that ship with the package, and measure the kernels."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from qdynbench import SolverSpec

app = typer.Typer(no_args_is_help=True)


@app.callback()
def sru() -> None:
    """Weights and kernels of the sru plugin."""


@app.command()
def kernels(
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[int | None, typer.Option("--threads", help="CPU threads; default: all cores.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Readings of every contender.")] = 15,
    compiled: Annotated[
        bool, typer.Option("--compiled/--no-compiled", help="Also torch.compile of the loop; takes minutes.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Markdown file for the figures.")] = None,
) -> None:
    """Measure the kernels beside the plain loop, torch's LSTM and GRU, and the memory bandwidth."""
    import torch
    from rich.console import Console
    from rich.table import Table
    from sru_kernels.benchmark import report

    from qdynbench import InputError

    if device not in {"cpu", "cuda"}:
        raise InputError(f"--device {device}: must be cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no CUDA device on this machine")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {str(out.parent)!r}")
    if threads is not None:
        torch.set_num_threads(threads)
    console = Console()
    sections = []
    for section in report.measure(device, rounds, compiled=compiled):
        sections.append(section)
        table = Table(title=section.title, title_justify="left", box=None, pad_edge=False)
        for heading in report.HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in section.rows:
            table.add_row(*row.cells)
        console.print(table, "")
    if out is not None:
        options = f"--device {device}" + (f" --threads {threads}" if threads else "") + (" --compiled" * compiled)
        out.write_text(report.document(sections, about(device), f"qdynbench sru kernels {options} --out FILE"))
        console.print(f"written to {out}", soft_wrap=True)


def about(device: str) -> dict[str, str]:
    """Return what the measurements depend on, as the manifests of weights name it."""
    from sru_kernels.benchmark import report

    from qdynbench import provenance

    hardware, versions = provenance.hardware(), provenance.versions()
    known = report.about(device)
    known["processor"] = f"{hardware['processor']}, {hardware['cores']} cores"
    del known["versions"]  # which come last
    known["commit"] = provenance.commit() or "unknown"
    known["versions"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    return known


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

    from qdynbench import QdynbenchError, load_task, run, watch
    from qdynbench_sru.shipped import SHIPPED

    solver = str(spec_of(encoder, with_ or []))
    home = SHIPPED / folder_name(name or encoder)
    console = Console(stderr=True)
    # Nothing below touches the training: the manifest has to be the one that the task itself would write.
    small = {
        "sizes": load_task(task, solvers=[solver]).sizes[:1],
        "states": 1,
        "metrics": ["infidelity"],
        "figures": [],
        "keep.trajectories": 0,
        "timing.batch_sizes": [1],
        "timing.rounds": 3,
    }
    with tempfile.TemporaryDirectory() as scratch, watch(console) as observer:
        made = run(
            task,
            solvers=[solver],
            overrides=small,
            out=Path(scratch) / "run",
            refit=[solver],
            device=device,
            threads=threads,
            observer=observer,
        )
    fit = made.record.fits[solver]
    if not fit.status.honest:
        raise QdynbenchError(f"{solver} could not be fitted: {fit.reason}")
    replace_folder(Path(fit.folder), home)
    console.print(f"{solver}: trained in {fit.fit_time:.0f} s, weights in {home}", soft_wrap=True)


def spec_of(encoder: str, parameters: list[str]) -> SolverSpec:
    """Return the solver with an encoder and parameters written `key=value`.

    Raises:
        InputError: a parameter has another form, or names the encoder again.
    """
    from qdynbench import InputError

    values = {} if encoder == "local" else {"encoder": encoder}
    for text in parameters:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key.isidentifier() and equals and value) or key == "encoder" or key in values:
            raise InputError(f"--with {text}: write key=value, each key once, and the encoder as --encoder")
        values[key] = value
    return SolverSpec.parse(f"sru[{','.join(f'{key}={value}' for key, value in values.items())}]")


def folder_name(name: str) -> str:
    """Return the name of a folder of weights.

    Raises:
        InputError: it could lead elsewhere than into the package.
    """
    from qdynbench import InputError

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
