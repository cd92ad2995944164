"""A worker process: `python -m qdynbench.workers.worker ROLE FD` answers requests until its socket closes.

ROLE is "solver" (holds one solver and what it may know) or "scorer" (holds the task, its reference and the metrics).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import traceback
from typing import Protocol

from qdynbench.errors import InputError, InvalidOutput
from qdynbench.workers.channel import Channel, ChannelClosed, Message

PR_SET_PDEATHSIG = 1


class Role(Protocol):
    """Answers requests; what it returns becomes the fields and arrays of the "done" message."""

    def handle(self, message: Message) -> Message:
        """Answer one request."""


def main(role_name: str, descriptor: int) -> None:
    """Serve requests on an inherited socket."""
    die_with_parent()
    channel = Channel(socket.socket(fileno=descriptor))
    role: Role
    if role_name == "solver":
        from qdynbench.workers.solver_side import SolverHost

        role = SolverHost(channel)
    else:
        from qdynbench.workers.scorer_side import Scorer

        role = Scorer(channel)
    while True:
        try:
            message = channel.receive()
        except ChannelClosed:
            return
        try:
            answer = role.handle(message)
        except ChannelClosed:
            return
        except Exception as error:
            channel.send("error", status=status_of(error), reason=describe(error), details=traceback.format_exc())
        else:
            channel.send("done", *answer.arrays, **answer.fields)


def status_of(error: Exception) -> str:
    """Return the status that an exception means for the cell it ended."""
    if isinstance(error, InputError):
        return "input"
    if isinstance(error, InvalidOutput):
        return "invalid"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _torch_out_of_memory(error):
        return "out_of_memory"
    return "failed"


def _torch_out_of_memory(error: Exception) -> bool:
    # On the CPU torch has no class of its own for it.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def describe(error: Exception) -> str:
    """Return the error in one line, as precise as it says itself."""
    text = str(error).strip()
    if isinstance(error, InputError | InvalidOutput):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def die_with_parent() -> None:
    """Have the kernel end this process when the main process goes, even by SIGKILL (Linux)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
