"""One fit on several devices: `torchrun --nproc-per-node 2 -m qdynbench_sru.distributed TASK`.

Every process makes the training data for itself, from a reference in a worker of its own, and computes the gradients of
its share of the excerpts; their sum is that of one process, to rounding. Rank 0 writes checkpoints and weights. Without
`torchrun` the same command is a fit in one process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.distributed
import typer
from numpy.typing import NDArray

from qdynbench import InputError, LearnedSolver, QdynbenchError, SolverSpec, Task, load_task
from qdynbench.api import environment_of
from qdynbench.contract.build import build
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.manifest import MANIFEST, foundation_of, manifest_of, write_manifest
from qdynbench.runner.fits import cache_folder, training_of
from qdynbench.runner.plan import code_of
from qdynbench.workers.process import Worker
from qdynbench.workers.protocol import LoadTask, MakeTrajectories, Need
from qdynbench_sru.command import folder_name, replace_folder, spec_of
from qdynbench_sru.shipped import SHIPPED
from qdynbench_sru.training.processes import Processes


class WorkerData:
    """Training data from a scorer's worker of this process; see `qdynbench.contract.solver.TrainingData`.

    Attributes:
        seconds: that the reference has taken.
        waited: seconds until the data was here.
    """

    def __init__(self, task: Task, worker: Worker) -> None:
        assert task.training is not None  # noqa: S101 - `training_times` has refused such a task already
        self.sizes: Sequence[int] = tuple(task.training.sizes)
        self.times: NDArray[np.float64] = task.training_times()
        self.count = task.training.trajectories
        self.seconds = self.waited = 0.0
        self._worker, self._limit = worker, task.limits.seconds

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop`: complex128, shape `(stop - start, T+1, 2**size)`."""
        began = time.monotonic()
        stop = self.count if stop is None else stop
        made = self._worker.ask(MakeTrajectories(Need(size, start, stop)), seconds=self._limit)
        self.seconds += made.seconds
        self.waited += time.monotonic() - began
        return torch.from_numpy(made.states)


@dataclass
class Context:
    """What this process's fit is offered; see `qdynbench.contract.solver.FitContext`."""

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
    with process_group(device) as processes, tempfile.TemporaryDirectory() as scratch:
        registry = Registry.discover()
        task = load_task(source, registry, solvers=[str(spec)])
        environment = environment_of(task, device, 1, Path(scratch))
        training = training_of(task, registry)
        solver = build(registry.load("solvers", spec.name), spec.name, spec.parameters)
        if not isinstance(solver, LearnedSolver):
            raise InputError(f"{spec} learns nothing")
        start = solver.starts_from()
        foundation = None if start is None else foundation_of(start)
        parts = [str(spec), training, foundation, code_of(registry, spec.name), device]
        # Not the number of processes: another number goes on from the same checkpoint.
        work = cache_folder() / f"sru-distributed-{provenance.fingerprint(parts)}"
        work.mkdir(parents=True, exist_ok=True)
        worker = Worker("scorer", f"scorer-{processes.rank}", environment)
        try:
            worker.ask(LoadTask(task.model_dump_json(), environment.setting(registry.files)), seconds=120)
            data = WorkerData(task, worker)
            context = Context(work, task.seed, device, processes.rank)
            began = time.monotonic()
            solver.fit(data, context)
            spent = torch.tensor([data.seconds, time.monotonic() - began - data.waited], dtype=torch.float64)
        finally:
            worker.kill()
        totals = spent.to(device)
        processes.sum([totals])
        if processes.rank > 0:
            return None
        data_time, fit_time = totals.tolist()
        manifest = manifest_of(
            str(spec),
            training,
            data_time=data_time,
            fit_time=fit_time,
            curve=context.curve,
            foundation=foundation,
            notes=context.notes,
            where={"threads": 1, "device": device, "processes": processes.count},
        )
        finished = Path(scratch) / "weights"
        finished.mkdir()
        solver.save(finished)
        write_manifest(finished, manifest)
        replace_folder(finished, out)
        shutil.rmtree(work, ignore_errors=True)
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
