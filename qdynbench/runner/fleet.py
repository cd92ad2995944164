"""The workers of a run: one for the scorer and one for each solver, replaced when they die."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

import psutil

from qdynbench.contract.problem import Knowledge
from qdynbench.contract.spec import SolverSpec
from qdynbench.errors import CannotWrite, InputError, QdynbenchError
from qdynbench.files import file_name
from qdynbench.plugins.registry import Kind, Registry
from qdynbench.record.schema import FitRecord, Status
from qdynbench.runner.calm import Calm
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Environment, Worker, WorkerFailure

LOAD_SECONDS = 120.0
SCORER = "scorer"
ATTEMPTS = 2
"""How often the scorer is asked the same if it dies of it."""
UNKNOWN = to.Loaded(0.0, Knowledge.TRAJECTORIES, False, to.Line(""), (), (), (), None)
"""Stands for the properties of a solver that cannot be loaded."""
LITTLE = 200e6
"""Bytes by which a worker may have grown that is kept for the next case."""
ROOM = 0.3
"""Part of the machine's memory that has to be free for that."""
KEPT_OPEN = 0.5
"""Part of the files that this process may have open that workers kept for the next case may take, one each."""


class ScorerFailure(WorkerFailure):
    """The scorer failed, which is no fault of the solver under test unless the scorer refuses what that has sent.

    Attributes:
        cause: how it failed.
    """

    def __init__(self, cause: WorkerFailure) -> None:
        refused = cause.status == Status.INVALID and cause.alive
        status = Status.INVALID if refused else Status.FAILED
        who = "" if refused else "the scorer died: " if cause.died else "reference or metric: "
        super().__init__(status, f"{who}{cause.reason}", cause.details, alive=cause.alive)
        self.cause = cause


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
        lost: why a solver, or the weights of its fit, could not be loaded; its cells end with that.
    """

    def __init__(self, task: Task, registry: Registry, environment: Environment) -> None:
        self._task = task
        self._registry = registry
        self._environment = environment
        judging = task.named(registry)
        if task.reference_spec is not None:
            judging.append(("solvers", task.reference_spec.name))
        self._load_task = to.LoadTask(task.model_dump_json(), self._setting(judging, environment))
        self._workers: dict[str, Worker] = {}
        self._fits: dict[str, FitRecord] = {}
        self.states = task.states
        self.calm = Calm()
        self.lost: dict[str, WorkerFailure] = {}
        self._launched: dict[tuple[str, int, int], Launched] = {}
        self._looks = 0

    def start(self) -> dict[str, to.Loaded]:
        """Start and load all workers side by side, and return the properties of each solver.

        A solver that fails while it is loaded is `lost`.

        Raises:
            InputError: a solver or the reference cannot be built as the task says.
            QdynbenchError: the scorer cannot be started.
        """
        began, names = time.monotonic(), [str(spec) for spec in self._task.specs]
        self._launch_scorer()
        for name in names:
            with self._losing(name):
                self._launch(name)
        try:
            try:
                self._await_task()
            except WorkerFailure as failure:
                if not failure.died:
                    raise
                self._scorer()
        except WorkerFailure as failure:
            raise _unusable(failure) from failure
        traits = dict.fromkeys(names, UNKNOWN)
        for name in names:
            if name not in self.lost:
                with self._losing(name):
                    request = self._load(name, self._environment)
                    traits[name] = self._workers[name].answer(request, seconds=LOAD_SECONDS, since=began)
        for lost in self.lost.values():
            if lost.status == "input":
                raise InputError(lost.reason) from lost
        return traits

    def ask_scorer(self, request: to.Request[to.Answer], *, seconds: float, again: bool = True) -> to.Answer:
        """Ask the scorer. If it has died it is started anew; if it dies of the request, it is asked once more.

        Args:
            request: the request.
            seconds: limit of wall-clock time.
            again: whether another process can answer it, which knows nothing of what this one was asked before.

        Raises:
            CannotWrite: the disk does not take the curves, which is no fault of the cell.
            ScorerFailure: it fails.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                worker = self._scorer() if again else self._workers[SCORER]
                return worker.ask(request, seconds=seconds)
            except WorkerFailure as failure:
                if failure.status == to.DISK:
                    raise CannotWrite(failure.reason) from failure
                if not (again and failure.died and attempt < ATTEMPTS):
                    raise ScorerFailure(failure) from failure
        raise AssertionError

    def solver(self, spec: SolverSpec) -> Worker:
        """Return the worker of a solver with its fit restored, started anew if it has died.

        Raises:
            WorkerFailure: it is lost, or fails while it is loaded again.
        """
        name = str(spec)
        if name in self.lost:
            raise self.lost[name].with_traceback(None)
        if fate := self._workers[name].take_fate():
            raise fate
        if not self._workers[name].alive:
            self._launch(name)
            with ended_by_failure(worker := self._workers[name]):
                worker.answer(self._load(name, self._environment), seconds=LOAD_SECONDS)
                self._restore(name, worker)
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
        worker = Worker("solver", f"{file_name(name)}-{threads}", environment)
        with ended_by_failure(worker):
            loaded = worker.ask(self._load(name, environment), seconds=LOAD_SECONDS)
            self._restore(name, worker)
        return Launched(name, threads, number, worker, loaded.seconds, worker.resident())

    def put_back(self, one: Launched, *, sound: bool) -> None:
        """Keep the worker of a launch for the next case if it is sound, holds little and there is room; or end it.

        Only on Linux, where it ends with this process whatever happens, and without a GPU, whose memory it would hold.
        """
        memory, grown = psutil.virtual_memory(), one.worker.resident() - one.rest
        room = memory.available > ROOM * memory.total and self._environment.device == "cpu"
        room = room and len(self._launched) < resource.getrlimit(resource.RLIMIT_NOFILE)[0] * KEPT_OPEN
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
        """Load the weights of a fit into a solver, now and whenever its worker is replaced; if it fails it is lost."""
        name = str(spec)
        self._fits[name] = fit
        with self._losing(name, "loading its weights: "):
            self._restore(name, self.solver(spec))

    def _restore(self, name: str, worker: Worker) -> None:
        if name in self._fits:
            worker.ask(to.Restore(self._fits[name].folder), seconds=LOAD_SECONDS)

    def _scorer(self) -> Worker:
        if not self._workers[SCORER].alive:
            self._launch_scorer()
            with ended_by_failure(self._workers[SCORER]):
                self._await_task()
        return self._workers[SCORER]

    def _launch_scorer(self) -> None:
        self._new("scorer", SCORER, SCORER).tell(self._load_task)

    def _await_task(self) -> None:
        traits = self._workers[SCORER].answer(self._load_task, seconds=LOAD_SECONDS)
        self.states = 1 if traits.single else self._task.states

    def _launch(self, name: str) -> None:
        self._new("solver", name, file_name(name)).tell(self._load(name, self._environment))

    def _new(self, role: str, name: str, log: str) -> Worker:
        if name in self._workers:
            self._workers[name].kill()
        self._workers[name] = worker = Worker(role, log, self._environment)
        worker.beside = self._look
        return worker

    def _look(self, asked: Worker) -> None:
        """Look at another worker than the one that is waited for, each in its turn."""
        self._looks += 1
        worker = list(self._workers.values())[self._looks % len(self._workers)]
        if worker is not asked:
            worker.look()

    def _load(self, name: str, environment: Environment) -> to.Load:
        """Return the request to load a solver."""
        return to.Load(name, self._setting([("solvers", SolverSpec.parse(name).name)], environment))

    def _setting(self, names: Iterable[tuple[Kind, str]], environment: Environment) -> to.Setting:
        """Return what a worker is to load: the plugins that provide some names, and no other that might fail."""
        plugins = {self._registry.find(kind, name).plugin for kind, name in names}
        files = [file for file in self._registry.files if str(file) in plugins]
        return environment.setting(files, sorted(plugins - set(map(str, files))))

    @contextmanager
    def _losing(self, name: str, what: str = "") -> Iterator[None]:
        """Take down that a solver is lost if it fails here; `what` goes before the reason."""
        try:
            yield
        except WorkerFailure as failure:
            failure.reason = to.Line(what + failure.reason)
            self.lost[name] = failure
            if name in self._workers:
                self._workers[name].kill()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in [*self._workers.values(), *(one.worker for one in self._launched.values())]:
            worker.kill()


@contextmanager
def ended_by_failure(worker: Worker) -> Iterator[None]:
    """End a worker that is not loaded whole, after Ctrl-C as well: nobody else would know."""
    try:
        yield
    except BaseException:
        worker.kill()
        raise


def _unusable(failure: WorkerFailure) -> QdynbenchError:
    if failure.status == "input":
        return InputError(failure.reason)
    return QdynbenchError("\n".join(filter(None, [f"the scorer cannot be started: {failure.reason}", failure.details])))
