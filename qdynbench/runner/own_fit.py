"""A fit in this process, such as one of several that share a fit. The reference still runs in a worker of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qdynbench.contract.build import build
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.record.manifest import foundation_of, manifest_of, write_manifest
from qdynbench.runner.environment import environment_of
from qdynbench.runner.fits import home_of, training_of
from qdynbench.runner.fleet import LOAD_SECONDS
from qdynbench.task.load import load_task
from qdynbench.workers import protocol as to
from qdynbench.workers.fit_side import RemoteData
from qdynbench.workers.process import Worker


@dataclass(frozen=True)
class OwnFit:
    """A fit in this process.

    Attributes:
        solver: the solver to be fitted.
        data: its training data.
        folder: folder for checkpoints, which survives an interrupted fit.
        seed: seed for all random numbers of the fit.
        spec, training, foundation: entries of the manifest.
    """

    solver: LearnedSolver
    data: RemoteData
    folder: Path
    seed: int
    spec: SolverSpec
    training: to.Json
    foundation: to.Json | None

    def save(
        self,
        out: Path,
        *,
        data_time: float,
        fit_time: float,
        curve: list[dict[str, float]],
        notes: list[str],
        where: to.Json,
    ) -> to.Json:
        """Save the fitted solver and its manifest to an empty folder, drop the checkpoints, return the manifest."""
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
        name: name of this process among those that share the fit, for the log of its worker.

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
        # The number of processes is not part of the name: another number resumes from the same checkpoint.
        folder = home_of(spec, training, registry, device, foundation, f"{spec.name}-shared")
        folder.mkdir(parents=True, exist_ok=True)
        worker = Worker("scorer", name, environment)
        try:
            request = to.LoadTask(task.model_dump_json(), environment.setting(registry.files, registry.plugins))
            worker.ask(request, seconds=LOAD_SECONDS)
            limit = task.limits.seconds

            def fetch(need: to.Need) -> to.Trajectories:
                return worker.ask(to.MakeTrajectories(need), seconds=limit)

            data = RemoteData(fetch, training["sizes"], task.training_times(), training["trajectories"])
            yield OwnFit(built, data, folder, task.seed, spec, training, foundation)
        finally:
            worker.kill()
