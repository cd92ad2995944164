"""The workers of a run: one for the scorer and one for each solver, replaced when they die."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

import psutil

from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import InputError
from qdynbench.files import file_name
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import FitRecord
from qdynbench.runner.calm import Calm
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Environment, Worker, WorkerFailure

LOAD_SECONDS = 120.0
SCORER = "scorer"
LITTLE = 200e6
"""Bytes by which a worker may have grown that is kept for the next case."""
ROOM = 0.3
"""Part of the machine's memory that has to be free for that."""


@dataclass
class Launched:
    """The worker of a launch of a race.

    Attributes:
        solver, threads, number: of the launch.
        once: seconds of all that is done once in a process: imports, and what `prepare` compiles.
        rest: bytes of memory before its first problem.
        used: whether it has prepared a problem.
        fresh: whether what it prepared last was its first problem.
    """

    solver: str
    threads: int
    number: int
    worker: Worker
    once: float
    rest: int
    used: bool = False
    fresh: bool = True


class Fleet:
    """Starts the workers, loads the task and the solvers, and ends the workers; use it as a context manager.

    Attributes:
        states: number of test states of a case; 1 where the ensemble, which the scorer loads, holds a single state.
        calm: what is known of the machine at full speed.
    """

    def __init__(self, task: Task, registry: Registry, environment: Environment) -> None:
        self._task = task
        self._environment = environment
        self._files = registry.files
        self._setting = environment.setting(registry.files)
        self._load_task = to.LoadTask(task.model_dump_json(), self._setting)
        self._workers: dict[str, Worker] = {}
        self._fits: dict[str, FitRecord] = {}
        self.states = task.states
        self.calm = Calm()
        self._launched: dict[tuple[str, int, int], Launched] = {}

    def start(self) -> dict[str, to.Loaded]:
        """Start and load all workers side by side, and return the properties of each solver.

        Raises:
            InputError: a solver or the reference cannot be built as the task says.
            WorkerFailure: a worker dies while it loads.
        """
        names = [str(spec) for spec in self._task.specs]
        for name in (SCORER, *names):
            self._launch(name)
        self._await_task()
        return {name: self._await(name, to.Load(name, self._setting)) for name in names}

    @property
    def scorer(self) -> Worker:
        """The worker of the scorer, started anew if it has died."""
        if not self._workers[SCORER].alive:
            self._launch(SCORER)
            self._await_task()
        return self._workers[SCORER]

    def solver(self, spec: SolverSpec) -> Worker:
        """Return the worker of a solver with its fit restored, started anew if it has died."""
        name = str(spec)
        if not self._workers[name].alive:
            self._launch(name)
            self._await(name, to.Load(name, self._setting))
            if name in self._fits:
                self.restore(spec, self._fits[name])
        return self._workers[name]

    def launched(self, spec: SolverSpec, threads: int, number: int) -> Launched:
        """Return the worker of a launch of a race, with a number of CPU threads of its own.

        That of launch 0 is new at each case, so that its memory is what the case takes. Those of the others stay for
        the next case.
        """
        name = str(spec)
        known = self._launched.pop((name, threads, number), None)
        if known is not None and known.worker.alive:
            return known
        if known is not None:
            known.worker.kill()
        environment = dataclasses.replace(self._environment, threads=threads)
        setting = environment.setting(self._files)
        worker = Worker("solver", f"{file_name(name)}-{threads}", environment)
        try:
            loaded = worker.ask(to.Load(name, setting), seconds=LOAD_SECONDS)
            if name in self._fits:
                worker.ask(to.Restore(self._fits[name].folder), seconds=LOAD_SECONDS)
        except BaseException:  # Ctrl-C as well: it is in nobody's list yet
            worker.kill()
            raise
        return Launched(name, threads, number, worker, loaded.seconds, worker.resident())

    def put_back(self, one: Launched, *, sound: bool) -> None:
        """Keep the worker of a launch for the next case if it is sound, holds little and there is room; or end it.

        Only on Linux, where it ends with this process whatever happens, and without a GPU, whose memory it would hold.
        """
        memory, grown = psutil.virtual_memory(), one.worker.resident() - one.rest
        room = memory.available > ROOM * memory.total and self._environment.device == "cpu"
        if sound and one.number and one.worker.alive and grown < LITTLE and room and sys.platform == "linux":
            one.worker.pause()
            self._launched[one.solver, one.threads, one.number] = one
        else:
            one.worker.kill()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Take the workers that score off the cores while a race is on."""
        solvers = [worker for name, worker in self._workers.items() if name != SCORER]
        for worker in solvers:
            worker.pause()
        try:
            yield
        finally:
            for worker in solvers:
                worker.resume()

    def drop(self, spec: SolverSpec) -> None:
        """End the scorer and the worker of a solver; both are started anew when they are asked next."""
        for name in (SCORER, str(spec)):
            self._workers[name].kill()

    def restore(self, spec: SolverSpec, fit: FitRecord) -> None:
        """Load the weights of a fit into a solver, now and whenever its worker is replaced."""
        self._fits[str(spec)] = fit
        self.solver(spec).ask(to.Restore(fit.folder), seconds=LOAD_SECONDS)

    def _launch(self, name: str) -> None:
        worker = Worker("scorer" if name == SCORER else "solver", file_name(name), self._environment)
        worker.tell(self._load_task if name == SCORER else to.Load(name, self._setting))
        self._workers[name] = worker

    def _await_task(self) -> None:
        self.states = 1 if self._await(SCORER, self._load_task).single else self._task.states

    def _await(self, name: str, request: to.Request[to.Answer]) -> to.Answer:
        """Wait until a worker has carried out the request to load that it was sent when it was launched."""
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
        for worker in [*self._workers.values(), *(one.worker for one in self._launched.values())]:
            worker.kill()
