"""A fit in this very process, such as one of several that share it; the reference still runs in a worker of its own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.build import build
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.manifest import foundation_of, manifest_of, write_manifest
from qdynbench.runner.environment import environment_of
from qdynbench.runner.fits import cache_folder, training_of
from qdynbench.runner.fleet import LOAD_SECONDS
from qdynbench.runner.plan import code_of
from qdynbench.task.load import load_task
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker


class WorkerData:
    """Training data from a scorer's worker; see `qdynbench.TrainingData`.

    Attributes:
        seconds: that the reference has taken.
        waited: seconds until the data was here.
    """

    def __init__(self, task: Task, worker: Worker) -> None:
        self.times: NDArray[np.float64] = task.training_times()
        assert task.training is not None  # noqa: S101 - training_times has refused such a task already
        self.sizes: Sequence[int] = tuple(task.training.sizes)
        self.count = task.training.trajectories
        self.seconds = self.waited = 0.0
        self._worker, self._limit = worker, task.limits.seconds

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop`: complex128, shape `(stop - start, T+1, 2**size)`."""
        began = time.monotonic()
        need = to.Need(size, start, self.count if stop is None else stop)
        made = self._worker.ask(to.MakeTrajectories(need), seconds=self._limit)
        self.seconds += made.seconds
        self.waited += time.monotonic() - began
        return torch.from_numpy(made.states)


@dataclass(frozen=True)
class OwnFit:
    """What a fit in this process needs of the core.

    Attributes:
        solver: to be fitted.
        data: what it may learn from.
        folder: outlives an interrupted fit, for checkpoints.
        seed: for everything random in the fit.
        spec, training, foundation: go into the manifest.
    """

    solver: LearnedSolver
    data: WorkerData
    folder: Path
    seed: int
    spec: SolverSpec
    training: dict[str, Any]
    foundation: dict[str, Any] | None

    def save(
        self,
        out: Path,
        *,
        data_time: float,
        fit_time: float,
        curve: list[dict[str, float]],
        notes: list[str],
        where: dict[str, Any],
    ) -> dict[str, Any]:
        """Save the fitted solver to an empty folder, with the manifest that is returned, and drop the checkpoints."""
        manifest = manifest_of(
            str(self.spec),
            self.training,
            data_time=data_time,
            fit_time=fit_time,
            curve=curve,
            foundation=self.foundation,
            notes=notes,
            where=where,
        )
        self.solver.save(out)
        write_manifest(out, manifest)
        shutil.rmtree(self.folder, ignore_errors=True)
        return manifest


@contextmanager
def own_fit(source: str | Path, solver: str, *, device: str, name: str) -> Iterator[OwnFit]:
    """Set up a fit in this process.

    Args:
        source: path of a task file, or the name of a registered task.
        solver: the learned solver, with its parameters.
        device: "cpu" or "cuda".
        name: of this process among those that share the fit, for its worker's log.

    Raises:
        InputError: the task or the solver cannot be used as written.
        QdynbenchError: the reference failed.
    """
    with tempfile.TemporaryDirectory() as logs:
        spec, registry = SolverSpec.parse(solver), Registry.discover()
        task = load_task(source, registry, solvers=[solver])
        environment = environment_of(task, device, 1, Path(logs))
        training = training_of(task, registry)
        built = build(registry.load("solvers", spec.name), spec.name, spec.parameters)
        if not isinstance(built, LearnedSolver):
            raise InputError(f"{spec} learns nothing")
        start = built.starts_from()
        foundation = None if start is None else foundation_of(start)
        parts = [str(spec), training, foundation, code_of(registry, spec.name), device]
        # Not the number of processes: another number goes on from the same checkpoint.
        folder = cache_folder() / f"{spec.name}-shared-{provenance.fingerprint(parts)}"
        folder.mkdir(parents=True, exist_ok=True)
        worker = Worker("scorer", name, environment)
        try:
            request = to.LoadTask(task.model_dump_json(), environment.setting(registry.files))
            worker.ask(request, seconds=LOAD_SECONDS)
            yield OwnFit(built, WorkerData(task, worker), folder, task.seed, spec, training, foundation)
        finally:
            worker.kill()
