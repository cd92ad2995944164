"""One fit on several devices: `torchrun --nproc-per-node 2 -m qdynbench_sru.distributed TASK`.

Every process makes the training data for itself, from a reference in a worker of its own, and computes the gradients of
its share of the excerpts; their sum is that of one process, to rounding. Rank 0 writes checkpoints and weights. Without
`torchrun` the same command is a fit in one process.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.distributed
import typer

from qdynbench import MANIFEST, QdynbenchError, SolverSpec, own_fit
from qdynbench_sru.command import folder_name, replace_folder, spec_of
from qdynbench_sru.shipped import SHIPPED
from qdynbench_sru.training.processes import Processes


@dataclass
class Context:
    """What this process's fit is offered; see `qdynbench.FitContext`."""

    folder: Path
    seed: int
    device: str
    rank: int
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def progress(self, fraction: float, **figures: float) -> None:
        """Keep the figures and print them."""
        numbers = {name: float(value) for name, value in figures.items()}
        self.curve.append({"fraction": float(fraction), **numbers})
        shown = "  ".join(f"{name} {value:.3g}" for name, value in numbers.items())
        typer.echo(f"{100 * fraction:.0f} %  {shown}", err=True)

    def note(self, text: str) -> None:
        """Keep a remark and print it."""
        self.notes.append(text)
        typer.echo(f"process {self.rank}: {text}", err=True)


@contextmanager
def process_group(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` has started; this process alone where it has not."""
    launched = "TORCHELASTIC_RUN_ID" in os.environ
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if launched:
        torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Processes.current()
    finally:
        if launched:
            torch.distributed.destroy_process_group()


def train(source: str, spec: SolverSpec, out: Path, device: str = "cpu") -> dict[str, Any] | None:
    """Fit a solver on a task's training data and write its weights, with their manifest, to `out`.

    Seconds are summed over the processes: a second on each of two devices is two seconds.

    Returns:
        The manifest on rank 0, None on the others.

    Raises:
        InputError: the task or the solver cannot be used as written.
        QdynbenchError: the reference failed.
    """
    with (
        process_group(device) as processes,
        own_fit(source, str(spec), device=device, name=f"scorer-{processes.rank}") as fit,
    ):
        context = Context(fit.folder, fit.seed, device, processes.rank)
        began = time.monotonic()
        fit.solver.fit(fit.data, context)
        spent = torch.tensor([fit.data.seconds, time.monotonic() - began - fit.data.waited], dtype=torch.float64)
        totals = spent.to(device)
        processes.sum([totals])
        if processes.rank > 0:
            return None
        data_time, fit_time = totals.tolist()
        with tempfile.TemporaryDirectory() as scratch:
            manifest = fit.save(
                Path(scratch),
                data_time=data_time,
                fit_time=fit_time,
                curve=context.curve,
                notes=context.notes,
                where={"threads": 1, "device": device, "processes": processes.count},
            )
            replace_folder(Path(scratch), out)
        return manifest


def main(
    task: Annotated[str, typer.Argument(help="A task file, or the name of a shipped task.")],
    encoder: Annotated[str, typer.Option("--encoder", help="local or padded.")] = "local",
    name: Annotated[str, typer.Option("--name", help="Of the folder of weights in the package.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Another folder for the weights.")] = None,
    with_: Annotated[
        list[str] | None, typer.Option("--with", help="A parameter of sru, such as layers=2; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Fit sru on all processes that torchrun has started, and keep the weights in the package or in a folder."""
    spec = spec_of(encoder, with_ or [])
    home = out or SHIPPED / folder_name(name or encoder)
    try:
        manifest = train(task, spec, home, device)
    except QdynbenchError as error:
        typer.echo(f"qdynbench: {error}", err=True)
        raise SystemExit(2) from error
    if manifest is not None:
        typer.echo(f"{spec}: trained in {manifest['fit_time']:.0f} device-seconds, weights and {MANIFEST} in {home}")


if __name__ == "__main__":
    typer.run(main)
