"""The handle of a worker in the main process: start it, ask it, limit its time and memory, report how it ended."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import cast

import psutil

from qdynbench.errors import CannotWrite, QdynbenchError
from qdynbench.files import appended, opened, short_name
from qdynbench.record.schema import Status
from qdynbench.record.store import guarded
from qdynbench.workers import family
from qdynbench.workers.channel import LONGEST, LONGEST_OF_SOLVER, BadMessage, Channel, ChannelClosed, pair
from qdynbench.workers.launcher import CannotStart, start
from qdynbench.workers.protocol import Answer, Event, Failed, Line, Message, Request, Setting, Trace

WAITING = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "100000",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_THREAD_TIMEOUT": "4",
}
"""How threads wait, for the OpenMP of GNU and of Intel and for OpenBLAS."""
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""Sizes in bytes up to which glibc keeps freed blocks, and freed memory at the end."""
UNSPLINTERED = "glibc.malloc.tcache_count=0"
"""Has glibc join the splinters of freed aligned blocks at once, instead of keeping them in a cache."""
TRACES = {
    *("_", "OLDPWD", "PWD", "INIT_CWD"),
    *("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "PBS_O_INITDIR", "SGE_O_WORKDIR", "SGE_CWD_PATH", "LS_SUBCWD", "LSB_OUTDIR"),
}
"""Environment variables of shells and batch systems that lead to the task's folder; a solver may be blind to it."""
LEAVING_SECONDS = 5.0
"""Seconds that a worker has to end after its connection is closed."""
LOOK = 0.25
"""Seconds between two counts of the memory of all processes that a worker has started."""
LONGEST_LOG = 10_000_000
"""Bytes of a log. Of what goes beyond, the newest is kept until as much has come again."""


class WorkerFailure(QdynbenchError):
    """A request failed.

    Attributes:
        status: status of a cell that ends with this failure, or "input" for wrong parameters.
        reason: one line for the report.
        details: a traceback, or the end of the log of the worker.
        alive: whether the worker can take further requests.
    """

    def __init__(self, status: str, reason: str, details: str = "", *, alive: bool) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = Line(reason)
        self.details = Trace(details)
        self.alive = alive

    @property
    def died(self) -> bool:
        """Whether the worker ended by itself, or something else has ended it."""
        return self.status == Status.CRASHED and not self.alive

    def as_status(self) -> Status:
        """Return the status of a cell that ends with this failure."""
        if self.status == "input":
            return Status.FAILED
        return Status(self.status) if self.status in set(Status) - {Status.OK} else Status.INVALID


@dataclass(frozen=True)
class Environment:
    """The environment of the workers of a run.

    Attributes:
        threads: number of CPU threads.
        device: "cpu" or "cuda".
        memory: limit of resident bytes of each worker with all that it starts.
        logs: folder for the standard output and error of the workers.
        log: is told of the file of a log before it is made.
    """

    threads: int
    device: str
    memory: int
    logs: Path
    log: Callable[[Path], None] = field(default=lambda _: None, compare=False)

    def variables(self) -> dict[str, str]:
        """Return the environment variables of a worker.

        They set the number of threads before a library starts them, and have threads that wait sleep soon: those of
        OpenMP and OpenBLAS would else keep a core busy, for up to 200 ms, on which the next solver is timed. Freed
        memory stays with the process, and is joined at once: whether a call gets the memory of the one before would
        else be left to chance, and with it a factor of two to four in the time of small calls.
        """
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        threads = dict.fromkeys(names, str(self.threads))
        tunables = [one for one in os.environ.get("GLIBC_TUNABLES", "").split(":") if one not in ("", UNSPLINTERED)]
        policy = {**WAITING, **MEMORY, "GLIBC_TUNABLES": ":".join([*tunables, UNSPLINTERED])}
        kept = {name: value for name, value in os.environ.items() if name not in TRACES}
        return {**kept, **threads, **policy, "PYTHONUNBUFFERED": "1"}

    def setting(self, files: Iterable[Path], plugins: Iterable[str] = ()) -> Setting:
        """Return this environment and the plugins to be loaded as they are sent to a worker, see `Setting`."""
        return Setting([str(path) for path in files], list(plugins), self.threads, self.device, self.memory)


Handler = Callable[[Event], None]
"""A function that takes an event that a worker sends before its answer."""


class Worker:
    """One running worker process.

    Args:
        role: "solver" or "scorer".
        name: of its log.
        environment: of the run.

    Attributes:
        holds: what it was prepared for last, or None; whoever prepares it sets this.
        beside: is called from time to time while this worker is waited for.

    Raises:
        WorkerFailure: it cannot be started.
        CannotWrite: its log cannot be written.
    """

    def __init__(self, role: str, name: str, environment: Environment) -> None:
        self.name = name
        self.environment = environment
        self.holds: object = None
        self.log = environment.logs / f"{short_name(name)}.log"
        environment.log(self.log)
        ours, theirs = pair()
        try:
            with guarded(self.log), appended(self.log) as log, theirs:
                self._process = start(role, theirs, log, environment.variables())
                self._watched = psutil.Process(self._process.pid)
                self._log_start = log.tell()
        except (CannotStart, psutil.NoSuchProcess) as error:
            ours.close()
            raise WorkerFailure("crashed", f"cannot be started: {error}", alive=False) from error
        except CannotWrite:
            ours.close()
            raise
        self.channel = Channel(ours)
        self.channel.largest = environment.memory
        self.channel.longest = LONGEST_OF_SOLVER if role == "solver" else LONGEST
        self._last_used = 0
        self._next_look = 0.0
        self._killed = self._gone = False
        self._fate: WorkerFailure | None = None
        self.beside: Callable[[Worker], None] = lambda _: None

    def ask(self, request: Request[Answer], *, seconds: float, on_event: Handler | None = None) -> Answer:
        """Send a request and wait for its answer.

        Args:
            request: the request.
            seconds: limit of wall-clock time.
            on_event: takes the events that come before the answer.

        Raises:
            WorkerFailure: there is no answer, or it is that the request failed.
        """
        self._limit(request, seconds)
        self.tell(request)
        return self.answer(request, seconds=seconds, on_event=on_event)

    def tell(self, message: Message) -> None:
        """Send a message without waiting for an answer.

        Raises:
            WorkerFailure: the worker is gone.
        """
        with self._lost():
            self.channel.send(message)

    def answer(
        self,
        request: Request[Answer],
        *,
        seconds: float,
        on_event: Handler | None = None,
        since: float | None = None,
    ) -> Answer:
        """Wait for the answer to a request that was sent before, see `ask`; its time runs from `since`, or now."""
        self._limit(request, seconds, since)
        while True:
            with self._lost():
                message: Message = self.channel.receive(_expected(type(request)))
            if isinstance(message, Failed):
                raise WorkerFailure(message.status, message.reason, message.details, alive=True)
            if not isinstance(message, Event):
                self.channel.watched_by(None)
                return cast(Answer, message)  # `_expected` allows no other type
            if on_event is not None:
                on_event(message)

    def _limit(self, request: Request[Answer], seconds: float, since: float | None = None) -> None:
        """Watch time and memory from now on, also within a message."""
        begun = time.monotonic() if since is None else since
        self.channel.watched_by(functools.partial(self._watch, begun + seconds, seconds, request.doing))

    def _watch(self, deadline: float, seconds: float, doing: str) -> None:
        if time.monotonic() > deadline:
            self.kill()
            raise WorkerFailure("timeout", f"{doing} took longer than {seconds:g} s", self.tail(), alive=False)
        if not self.alive:
            if self._gone:  # also when it was looked at before, so nothing is on its way that has not been read
                raise ChannelClosed("the process has ended, and one that it has started keeps its connection")
            self._gone = True
            return
        self._hold(doing)
        self.beside(self)

    def _hold(self, doing: str) -> None:
        """Hold log and memory to their limits."""
        self._cut_log()
        limit = self.environment.memory
        self._last_used = used = self._used(limit)
        if used > limit:
            self.kill()
            reason = f"{doing} used {used / 1e9:.2f} GB, more than the limit of {limit / 1e9:.2f} GB"
            raise WorkerFailure("out_of_memory", reason, self.tail(), alive=False)

    def look(self) -> None:
        """Hold the process to its limits while it is not waited for; whoever asks it next hears of its end."""
        if not self._killed and self.alive:
            try:
                self._hold("it")
            except WorkerFailure as failure:
                self._fate = failure

    def take_fate(self) -> WorkerFailure | None:
        """Return, once, why the process was ended while nobody waited for it; None if it was not."""
        fate, self._fate = self._fate, None
        return fate

    def _used(self, limit: float) -> int:
        """Return the bytes that the worker holds, and from time to time those of all that it has started."""
        if time.monotonic() > self._next_look:
            used = family.resident(self._process.pid, beyond=limit)
            self._next_look = time.monotonic() + LOOK
            return used
        return self.resident()

    def _cut_log(self) -> None:
        """Keep the log from growing without end; the worker appends to whatever is there."""
        with contextlib.suppress(OSError):  # it is gone
            if self.log.lstat().st_size > LONGEST_LOG:
                tail, self._log_start = self.tail().encode(), 0
                with appended(self.log) as log:
                    log.truncate(0)
                    log.write(b"[what came before was too much to keep]\n" + tail + b"\n")

    @contextmanager
    def _lost(self) -> Iterator[None]:
        if self._fate is not None:
            raise self._fate
        try:
            yield
        except ChannelClosed:
            try:
                code = self._process.wait(timeout=LEAVING_SECONDS)
            except subprocess.TimeoutExpired:  # the solver has closed files that are not its own
                self.kill()
                raise WorkerFailure("crashed", "the worker closed its connection", self.tail(), alive=False) from None
            self.kill()
            if code == -signal.SIGKILL and self._last_used > 0.5 * self.environment.memory:
                reason = f"the system killed the worker when it used {self._last_used / 1e9:.2f} GB"
                raise WorkerFailure("out_of_memory", reason, self.tail(), alive=False) from None
            how = f"ended by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
            raise WorkerFailure("crashed", f"the worker process {how}", self.tail(), alive=False) from None
        except BadMessage as error:
            self.kill()
            raise WorkerFailure("invalid", str(error), self.tail(), alive=False) from error

    def tail(self, characters: int = 2000) -> str:
        """Return the end of the output of the worker."""
        with contextlib.suppress(OSError), opened(self.log.parent, self.log.name, sys.maxsize) as log:  # it may be gone
            size = log.seek(0, os.SEEK_END)
            begun = self._log_start if self._log_start <= size else 0  # it was cut for another worker of this name
            log.seek(max(begun, size - characters))
            return Trace(log.read(characters).decode(errors="replace").strip())
        return ""

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def pause(self) -> None:
        """Take the process and its group off the cores until `resume`.

        Only on Linux, where a paused process ends with this one whatever happens.
        """
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if sys.platform == "linux" and self.alive:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(self._process.pid, number)

    def resident(self) -> int:
        """Return the bytes of memory that the process holds; 0 once it has ended."""
        try:
            return int(self._watched.memory_info().rss)
        except psutil.Error:
            return 0

    def kill(self) -> None:
        """End the process at once, with its group; what has left the group is ended by the launcher (Linux only)."""
        if self._killed:
            return
        self._killed = True
        # The number of a process that has ended may be another's; on Linux the launcher has ended what it had started.
        if self.alive or sys.platform != "linux":
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing is left of the group
                os.killpg(self._process.pid, signal.SIGKILL)
        if self.alive:  # it has just begun, and has no group of its own yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.channel.close()
        self._cut_log()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of those without a name
        return f"signal {number}"


@functools.cache
def _expected(request: type[Request[Answer]]) -> type[Message] | UnionType:
    """Return the union of the types of messages that may follow a request."""
    kinds: list[type[Message]] = [request.answer, Failed, *request.events]
    return functools.reduce(operator.or_, kinds)
