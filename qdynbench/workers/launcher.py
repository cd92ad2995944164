"""Start workers by forking a process, the launcher, that has already imported what they need.

To import torch and the rest takes seconds of CPU time, and a fork takes milliseconds. What workers inherit are
libraries alone: the launcher never holds a task, a solver or a result. It runs as
`python -m qdynbench.workers.launcher`.

The forks of one launcher would have the same layout of memory, in which one solver may be lucky. A worker therefore
begins with a block of random size, which moves all that it allocates.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from typing import IO, Protocol

import msgspec

from qdynbench.workers import family

PRELOADED = ("qdynbench.workers.scorer_side", "qdynbench.workers.solver_side", "scipy.sparse.linalg", "scipy.stats")
"""Modules that the scorer, and so the scorer of every run, imports; solvers need most of them as well."""
HARMLESS = ("_", "COLUMNS", "LINES", "OLDPWD", "PWD", "PYTEST_", "SHLVL", "XDG_")
"""Beginnings of the names of environment variables that no library reads while it is loaded."""
ELSEWHERE = b"/"
"""The working folder of solvers: not the user's, where tasks and runs lie, nor one in which others may put modules."""
PATIENCE = 120.0
"""Seconds that a launcher may take to start, or to fork."""
SHIFT = 1 << 20
"""Largest number of bytes by which the memory of a worker is moved."""
_LONGEST = 1 << 16
"""Largest number of bytes of a message."""


class CannotStart(Exception):
    """No worker can be started; the text says why."""


class LauncherGone(CannotStart):
    """The process that starts workers has ended, which another one can make good."""


class Order(msgspec.Struct, frozen=True, tag=True):
    """Fork a worker. With it come the descriptors of its socket, of its log and of a file with its `Surroundings`.

    Attributes:
        role: "solver" or "scorer".
        shift: bytes by which its memory is moved.
    """

    role: str
    shift: int


class Surroundings(msgspec.Struct, frozen=True):
    """What a worker is started with.

    Attributes:
        folder: its working folder.
        mask: its file mode mask.
        variables: its environment variables.
    """

    folder: bytes
    mask: int
    variables: dict[str, bytes]


class Started(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Order`."""

    pid: int


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Order` where the system does not let the launcher fork."""

    reason: str


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A worker has ended; `code` is that of `subprocess.Popen.returncode`."""

    pid: int
    code: int


class Process(Protocol):
    """The part of `subprocess.Popen` that a running worker needs."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; raises `subprocess.TimeoutExpired`."""


def start(role: str, stream: socket.socket, log: IO[bytes], variables: Mapping[str, str]) -> Process:
    """Start a worker.

    Args:
        role: "solver" or "scorer".
        stream: the worker's end of the connection.
        log: the file that takes the worker's output.
        variables: the worker's environment variables.

    Raises:
        CannotStart: the system refuses it, or what workers import cannot be imported.
    """
    if sys.platform == "linux":
        order = Order(role, random.randrange(SHIFT))  # noqa: S311 - no secret
        with contextlib.suppress(LauncherGone):  # killed a moment ago, by the system say
            return Launcher.for_(variables).fork(order, stream, log, variables)
        return Launcher.for_(variables).fork(order, stream, log, variables)
    # System libraries of macOS may crash in a forked process.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "qdynbench.workers.worker", role, str(stream.fileno())],
        pass_fds=[stream.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=dict(variables),
        start_new_session=True,  # Ctrl-C reaches only the main process, which ends its workers itself
    )


class Launcher:
    """The handle of a launcher in the main process."""

    _running: dict[object, Launcher] = {}  # noqa: RUF012 - shared by all
    _lock = threading.RLock()

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(PATIENCE)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the launcher
        with theirs:
            self._process = subprocess.Popen(
                # Without the working folder: what lies there may be a stranger's, and called `numpy.py`.
                [sys.executable, "-P", "-m", "qdynbench.workers.launcher", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=dict(variables),
                start_new_session=True,  # Ctrl-C reaches only the main process
            )
        self._workers: dict[int, Forked] = {}
        """The workers that run; the number of one that has ended may be another's."""
        atexit.register(self._at_exit)

    @classmethod
    def for_(cls, variables: Mapping[str, str]) -> Launcher:
        """Return a launcher whose libraries were loaded under these variables, and on the cores of this process."""
        loaded = frozenset(item for item in variables.items() if not item[0].startswith(HARMLESS))
        key = (os.getpid(), frozenset(os.sched_getaffinity(0)), loaded)
        with cls._lock:
            found = cls._running.get(key)
            if found is None or found._process.poll() is not None:
                found = cls._running[key] = cls(variables)
            return found

    def fork(self, order: Order, stream: socket.socket, log: IO[bytes], variables: Mapping[str, str]) -> Process:
        """Start a worker, see `start`."""
        with self._lock, tempfile.TemporaryFile() as surroundings:
            given = {name: os.fsencode(value) for name, value in variables.items()}
            folder = ELSEWHERE if order.role == "solver" else os.fsencode(os.getcwd())
            found = Surroundings(folder, _mask(), given)
            surroundings.write(msgspec.msgpack.encode(found))
            surroundings.flush()
            descriptors = [stream.fileno(), log.fileno(), surroundings.fileno()]
            try:
                socket.send_fds(self._control, [msgspec.msgpack.encode(order)], descriptors)
                while isinstance(answer := self._receive(), Ended):
                    pass
            except OSError as error:
                self._end()
                raise LauncherGone(self._why(error)) from error
            except BaseException:  # Ctrl-C: the answer would be taken for that to the next order
                self._end()
                raise
        if isinstance(answer, Refused):
            raise CannotStart(answer.reason)
        self._workers[answer.pid] = worker = Forked(answer.pid, self)
        return worker

    def look(self) -> None:
        """Take down the exit status of each worker that has ended."""
        with self._lock:
            try:
                poll = select.poll()
                poll.register(self._control, select.POLLIN)
                while poll.poll(0):
                    self._receive()
            except (OSError, ValueError):  # closed, at this end or at the other: workers die with their launcher
                for pid in list(self._workers):
                    self._ended(Ended(pid, -signal.SIGKILL))

    def _ended(self, message: Ended) -> None:
        if (worker := self._workers.pop(message.pid, None)) is not None:
            worker.code = message.code

    def _receive(self) -> Started | Refused | Ended:
        body = self._control.recv(_LONGEST)
        if not body:
            raise ConnectionError("it has ended")
        message: Started | Refused | Ended = msgspec.msgpack.decode(body, type=Started | Refused | Ended)
        if isinstance(message, Ended):
            self._ended(message)
        return message

    def _why(self, error: OSError) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"the process that starts workers does not answer: {lines[-1] if lines else error}"

    def _at_exit(self) -> None:
        with contextlib.suppress(ValueError):  # another thread's
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done but this
        self._end()

    def _end(self) -> None:
        self._control.close()
        self._process.terminate()
        try:  # it ends all workers with all that they have started
            self._process.wait(timeout=family.PATIENCE)
        except subprocess.TimeoutExpired:
            family.end([self._process.pid])  # with all workers, and with all that is known of what they have started
            self._process.wait()


class Forked:
    """A worker that a launcher has forked."""

    def __init__(self, pid: int, launcher: Launcher) -> None:
        self.pid = pid
        self.code: int | None = None
        self._launcher = launcher

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        if self.code is None:
            self._launcher.look()
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; raises `subprocess.TimeoutExpired`."""
        begun = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > begun + timeout:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.001)
        return code


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def main(descriptor: int, parent: int) -> None:
    """Fork workers until the main process closes its end or is gone."""
    control = socket.socket(fileno=descriptor)
    watched = [descriptor]
    with contextlib.suppress(OSError, AttributeError):  # not every system has it
        watched.append(os.pidfd_open(parent))  # a fork of the main process would keep its end open
    family.die_with(parent)  # whoever has started it waits for the first worker
    for name in PRELOADED:
        importlib.import_module(name)
    family.live_on()
    gc.collect()
    gc.freeze()  # the memory of what is loaded stays shared
    family.adopt()
    signal.signal(signal.SIGTERM, _leave)
    try:
        try:
            _serve(control, watched, parent)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    finally:  # also when SIGTERM comes at this very moment: it does not come twice
        family.end_all()


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _serve(control: socket.socket, watched: list[int], parent: int) -> None:
    descriptor = control.fileno()
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    launcher, workers = os.getpid(), set[int]()
    while os.getppid() == parent:
        ready, _, _ = select.select([ended, *watched], [], [])
        if ended in ready:
            os.read(ended, 4096)
            for message in _ended(workers):
                control.send(msgspec.msgpack.encode(message))
        if descriptor in ready:
            body, descriptors, _, _ = socket.recv_fds(control, _LONGEST, 3)
            if not body:
                return
            try:
                pid = os.fork()
            except OSError as error:
                control.send(msgspec.msgpack.encode(Refused(f"no worker can be started: {error}")))
            else:
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    for each in (ended, wakeup, control.detach(), *watched[1:]):
                        os.close(each)
                    _become(body, descriptors, launcher)
                workers.add(pid)
                control.send(msgspec.msgpack.encode(Started(pid)))
            for each in descriptors:
                os.close(each)


_held: list[bytearray] = []
"""What moves the memory of this worker."""


def _ended(workers: set[int]) -> list[Ended]:
    """Return the workers that have ended since the last call, after killing what they had started.

    A worker adopts what it starts, and the launcher what a worker leaves: its children that are no workers.
    """
    found = []
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] in workers:
                workers.remove(ended[0])
                found.append(Ended(ended[0], os.waitstatus_to_exitcode(ended[1])))
    family.end([pid for pid in family.children(os.getpid()) if pid not in workers])
    return found


def _become(body: bytes, descriptors: list[int], launcher: int) -> None:
    """Turn this fork into the worker; it never returns."""
    code = 1
    try:
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        stream, log, surroundings = descriptors
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        order = msgspec.msgpack.decode(body, type=Order)
        _held.append(bytearray(order.shift))
        with open(surroundings, "rb") as file:
            file.seek(0)
            found = msgspec.msgpack.decode(file.read(), type=Surroundings)
        os.umask(found.mask)
        os.chdir(found.folder)
        os.environ.clear()
        os.environ.update({name: os.fsdecode(value) for name, value in found.variables.items()})
        _work(order.role, stream, launcher)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for output in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the solver may have closed it
                output.flush()
        os._exit(code)


def _work(role: str, stream: int, launcher: int) -> None:
    import numpy as np

    from qdynbench.workers import worker

    random.seed()  # forks must not share their randomness
    np.random.seed()  # noqa: NPY002 - a solver may still use it
    worker.main(role, stream, launcher)


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):  # the main process is gone
        main(int(sys.argv[1]), int(sys.argv[2]))
