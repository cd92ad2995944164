"""The workers of a run: one for the scorer, one for each solver, replaced when they die."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from qdynbench.contract.solver import Knowledge
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import FitRecord
from qdynbench.run.plan import Traits
from qdynbench.task.spec import Task
from qdynbench.workers.process import Environment, Worker, WorkerFailure

LOAD_SECONDS = 120.0


class Fleet:
    """Starts workers, loads what they hold, and ends them; use it as a context manager."""

    def __init__(self, task: Task, registry: Registry, environment: Environment) -> None:
        self._task = task
        self._registry = registry
        self._environment = environment
        self._workers: dict[str, Worker] = {}
        self.fits: dict[str, FitRecord] = {}
        self.single = False
        """Whether the ensemble holds a single state; known once the scorer is loaded."""
        self.product = False
        """Whether it holds product states, as spinors; known at the same time."""

    def start(self) -> dict[str, Traits]:
        """Start all workers side by side and load them; return what each solver said of itself.

        Raises:
            InputError: a solver or the reference cannot be built as the task says.
            WorkerFailure: a worker dies while it loads.
        """
        self._launch("scorer")
        for spec in self._task.specs:
            self._launch(str(spec))
        ensemble = self._loaded("scorer")
        self.single, self.product = ensemble["single"], ensemble["product"]
        return {str(spec): _traits(self._loaded(str(spec))) for spec in self._task.specs}

    @property
    def scorer(self) -> Worker:
        """The scorer's worker, started anew if it has died."""
        return self._live("scorer")

    def solver(self, spec: SolverSpec) -> Worker:
        """A solver's worker with its fit restored, started anew if it has died."""
        return self._live(str(spec))

    def restore(self, spec: SolverSpec, fit: FitRecord) -> None:
        """Give a solver what its fit saved, now and whenever its worker is replaced."""
        self.fits[str(spec)] = fit
        self._live(str(spec)).ask("restore", seconds=LOAD_SECONDS, folder=fit.folder)

    def _live(self, name: str) -> Worker:
        worker = self._workers[name]
        if not worker.alive:
            self._launch(name)
            self._loaded(name)
            worker = self._workers[name]
            if name in self.fits:
                worker.ask("restore", seconds=LOAD_SECONDS, folder=self.fits[name].folder)
        return worker

    def _launch(self, name: str) -> None:
        environment = self._environment
        files = [str(path) for path in self._registry.files]
        common: dict[str, Any] = {"files": files, "threads": environment.threads, "device": environment.device}
        role = "scorer" if name == "scorer" else "solver"
        safe = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in name)
        worker = self._workers[name] = Worker(role, safe, environment)
        if role == "scorer":
            worker.channel.send("load", task=self._task.model_dump_json(), **common)
        else:
            spec = SolverSpec.parse(name)
            worker.channel.send("load", name=spec.name, parameters=dict(spec.parameters), **common)

    def _loaded(self, name: str) -> dict[str, Any]:
        try:
            return self._workers[name].wait(seconds=LOAD_SECONDS, doing="loading").fields
        except WorkerFailure as failure:
            if failure.status == "input":
                raise InputError(failure.reason) from failure
            raise

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers.values():
            worker.kill()


def _traits(fields: dict[str, Any]) -> Traits:
    shipped = tuple(map(Path, fields["shipped"]))
    return Traits(Knowledge(fields["knowledge"]), fields["learned"], fields["label"], shipped, fields["foundation"])
