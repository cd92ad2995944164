"""Start worker processes: `python -m qdynbench.workers.launcher FD` has imported what they need, and forks them.

To import torch and the rest takes seconds of CPU time, a fork takes milliseconds. What workers inherit are libraries
alone: the launcher never holds a task, a solver or a result, and has started no thread of its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from functools import partial
from typing import IO, Protocol

import msgspec

PRELOADED = ("qdynbench.workers.scorer_side", "qdynbench.workers.solver_side", "scipy.sparse.linalg", "scipy.stats")
"""Modules that every worker, or the scorer of every run, imports."""

READ_AT_LOAD = ("CUDA", "GOMP", "KMP", "LD_", "MKL", "NUMBA", "OMP", "OPENBLAS", "PYTHON", "TORCH")
"""Beginnings of the names of environment variables that count when a library is loaded, not afterwards."""

_LONGEST = 1 << 20
"""Number of bytes of a message, most of which are environment variables."""


class Launch(msgspec.Struct, frozen=True, tag=True):
    """Fork a worker; the descriptors of its socket and of its log come with the message."""

    role: str
    folder: str
    variables: dict[str, str]


class Started(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Launch`."""

    pid: int


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


def launch(role: str, stream: socket.socket, log: IO[bytes], variables: Mapping[str, str]) -> Process:
    """Start a worker.

    Args:
        role: "solver" or "scorer".
        stream: its end of the connection.
        log: takes its output.
        variables: its environment variables.
    """
    if sys.platform == "linux":
        return Launcher.of(variables).launch(role, stream, log, variables)
    # Elsewhere libraries do not survive a fork.
    return subprocess.Popen(
        [sys.executable, "-m", "qdynbench.workers.worker", role, str(stream.fileno())],
        pass_fds=[stream.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=dict(variables),
        start_new_session=True,  # Ctrl-C reaches only the main process, which ends its workers itself
    )


class Launcher:
    """The handle of a launcher in the main process."""

    _running: dict[tuple[tuple[str, str], ...], Launcher] = {}  # noqa: RUF012 - shared by all
    _one_at_a_time = threading.RLock()

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qdynbench.workers.launcher", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=dict(variables),
                start_new_session=True,  # Ctrl-C reaches only the main process
            )
        self._codes: dict[int, int] = {}
        """Exit status of each worker that has ended."""
        atexit.register(self._end)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Launcher:
        """Return a launcher whose libraries have been loaded under these environment variables."""
        key = (*sorted(item for item in variables.items() if item[0].startswith(READ_AT_LOAD)), ("", str(os.getpid())))
        with cls._one_at_a_time:
            found = cls._running.get(key)
            if found is None or found._process.poll() is not None:
                found = cls._running[key] = cls(variables)
            return found

    def launch(self, role: str, stream: socket.socket, log: IO[bytes], variables: Mapping[str, str]) -> Process:
        """Start a worker, see `launch`."""
        message = msgspec.msgpack.encode(Launch(role, os.getcwd(), dict(variables)))
        with self._one_at_a_time:
            socket.send_fds(self._control, [message], [stream.fileno(), log.fileno()])
            while True:
                answer = self._receive()
                if isinstance(answer, Started):
                    return Forked(answer.pid, self)

    def code(self, pid: int) -> int | None:
        """Return the exit status of a worker, or None while it runs."""
        with self._one_at_a_time:
            while pid not in self._codes and select.select([self._control], [], [], 0)[0]:
                try:
                    self._receive()
                except ChildProcessError:
                    self._codes[pid] = -signal.SIGKILL  # workers die with their launcher
            return self._codes.get(pid)

    def _receive(self) -> Started | Ended:
        body = self._control.recv(_LONGEST)
        if not body:
            raise ChildProcessError(f"the process that starts workers has ended with status {self._process.wait()}")
        message: Started | Ended = msgspec.msgpack.decode(body, type=Started | Ended)
        if isinstance(message, Ended):
            self._codes[message.pid] = message.code
        return message

    def _end(self) -> None:
        self._control.close()
        self._process.wait()


class Forked:
    """A worker that a launcher has forked."""

    def __init__(self, pid: int, launcher: Launcher) -> None:
        self.pid = pid
        self.poll = partial(launcher.code, pid)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status; raises `subprocess.TimeoutExpired`."""
        begun = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > begun + timeout:
                raise subprocess.TimeoutExpired("worker", timeout)
            time.sleep(0.001)
        return code


def main(descriptor: int) -> None:
    """Fork workers until the main process closes its end."""
    control = socket.socket(fileno=descriptor)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # the memory of what is loaded stays shared
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready: list[object] = select.select([control, woken], [], [])[0]  # type: ignore[type-var]  # both have a file
        if woken in ready:
            os.read(woken, 4096)
            for ended in _ended():
                control.send(msgspec.msgpack.encode(ended))
        if control in ready:
            body, descriptors, _, _ = socket.recv_fds(control, _LONGEST, 2)
            if not body:
                return
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for thing in (woken, wake, control.detach()):
                    os.close(thing)
                _become(msgspec.msgpack.decode(body, type=Launch), *descriptors)
            for thing in descriptors:
                os.close(thing)
            control.send(msgspec.msgpack.encode(Started(pid)))


def _ended() -> list[Ended]:
    """Return the workers that have ended since the last call."""
    found: list[Ended] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        found.append(Ended(pid, os.waitstatus_to_exitcode(status)))


def _become(launch: Launch, stream: int, log: int) -> None:
    """Turn this fork into the worker; it never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.chdir(launch.folder)
        os.environ.clear()
        os.environ.update(launch.variables)
        sys.path[0] = launch.folder
        random.seed()  # forks must not share their randomness

        import numpy as np

        from qdynbench.workers import worker

        np.random.seed()  # noqa: NPY002 - a solver may still use it
        worker.main(launch.role, stream)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
