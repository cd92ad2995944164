"""The workers of a run: one for the scorer, one for each solver, replaced when they die."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from qdynbench.contract.problem import Knowledge
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.files import file_name
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import FitRecord
from qdynbench.runner.plan import Traits
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Environment, Worker, WorkerFailure

LOAD_SECONDS = 120.0
SCORER = "scorer"


class Fleet:
    """Starts workers, loads what they hold, and ends them; use it as a context manager."""

    def __init__(self, task: Task, registry: Registry, environment: Environment) -> None:
        self._task = task
        self._environment = environment
        self._setting = environment.setting(registry.files)
        self._workers: dict[str, Worker] = {}
        self._fits: dict[str, FitRecord] = {}
        self.states = task.states
        """Number of test states of a case; once the scorer is loaded, 1 where the ensemble holds a single state."""

    def start(self) -> dict[str, Traits]:
        """Start all workers side by side and load them; return what each solver said of itself.

        Raises:
            InputError: a solver or the reference cannot be built as the task says.
            WorkerFailure: a worker dies while it loads.
        """
        names = [str(spec) for spec in self._task.specs]
        for name in (SCORER, *names):
            self._workers[name] = self._launched(name)
        self._load_task()
        return {name: _traits(self._load(name)) for name in names}

    @property
    def scorer(self) -> Worker:
        """The scorer's worker, started anew if it has died."""
        if not self._workers[SCORER].alive:
            self._workers[SCORER] = self._launched(SCORER)
            self._load_task()
        return self._workers[SCORER]

    def solver(self, spec: SolverSpec) -> Worker:
        """Return a solver's worker with its fit restored, started anew if it has died."""
        name = str(spec)
        if not self._workers[name].alive:
            self._workers[name] = self._launched(name)
            self._load(name)
            if name in self._fits:
                self.restore(spec, self._fits[name])
        return self._workers[name]

    def restore(self, spec: SolverSpec, fit: FitRecord) -> None:
        """Give a solver what its fit saved, now and whenever its worker is replaced."""
        self._fits[str(spec)] = fit
        self.solver(spec).ask(to.Restore(fit.folder), seconds=LOAD_SECONDS)

    def _launched(self, name: str) -> Worker:
        worker = Worker("scorer" if name == SCORER else "solver", file_name(name), self._environment)
        worker.tell(self._task_to_load() if name == SCORER else self._solver_to_load(name))
        return worker

    def _task_to_load(self) -> to.LoadTask:
        return to.LoadTask(self._task.model_dump_json(), self._setting)

    def _solver_to_load(self, name: str) -> to.Load:
        return to.Load(name, self._setting)

    def _load_task(self) -> None:
        traits = self._loaded(SCORER, self._task_to_load())
        self.states = 1 if traits.single else self._task.states

    def _load(self, name: str) -> to.Loaded:
        return self._loaded(name, self._solver_to_load(name))

    def _loaded(self, name: str, request: to.Request[to.Answer]) -> to.Answer:
        try:
            return self._workers[name].answer(request, seconds=LOAD_SECONDS)
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


def _traits(loaded: to.Loaded) -> Traits:
    return Traits(
        Knowledge(loaded.knowledge),
        loaded.learned,
        loaded.label,
        tuple(loaded.accuracy),
        tuple(loaded.protocol),
        tuple(map(Path, loaded.shipped)),
        loaded.foundation,
    )
