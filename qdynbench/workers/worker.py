"""A worker process: `python -m qdynbench.workers.worker ROLE FD` answers requests until its socket closes.

ROLE is "solver" (one solver and what it may know) or "scorer" (the task, its reference and the metrics).
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import traceback
from types import UnionType
from typing import Protocol, TypeVar

from qdynbench.errors import CannotWrite, Infeasible, InputError, InvalidOutput, QdynbenchError, Unsupported
from qdynbench.scoring.reference import NoReference
from qdynbench.workers.channel import Channel, ChannelClosed
from qdynbench.workers.protocol import DISK, NO_REFERENCE, Failed, Message

PR_SET_PDEATHSIG = 1


R_contra = TypeVar("R_contra", bound=Message, contravariant=True)
R = TypeVar("R", bound=Message)


class Side(Protocol[R_contra]):
    """The code of a worker, which answers one set of requests."""

    @property
    def requests(self) -> UnionType:
        """The union of the types of requests."""

    def answer(self, request: R_contra) -> Message:
        """Answer one request."""


def main(role: str, descriptor: int, parent: int) -> None:
    """Serve requests on an inherited socket, as long as the process lives that has started this one."""
    die_with(parent)
    channel = Channel(socket.socket(fileno=descriptor))
    if role == "solver":
        from qdynbench.workers.solver_side import SolverSide

        serve(channel, SolverSide(channel))
    else:
        from qdynbench.workers.scorer_side import ScorerSide

        serve(channel, ScorerSide())


def serve(channel: Channel, side: Side[R]) -> None:
    """Answer requests until the socket closes; the answer to a request that raises is `Failed`."""
    while True:
        try:
            request: R = channel.receive(side.requests)
            try:
                channel.send(side.answer(request))  # what cannot be written as a message raises before a byte is sent
            except ChannelClosed:
                return
            except Exception as error:
                channel.send(Failed(status_of(error), describe(error), traceback.format_exc()))
        except ChannelClosed:
            return


STATUSES: tuple[tuple[type[Exception], str], ...] = (
    (CannotWrite, DISK),
    (InputError, "input"),
    (InvalidOutput, "invalid"),
    (NoReference, NO_REFERENCE),
    (Unsupported, "unsupported"),
    (Infeasible, "infeasible"),
    (MemoryError, "out_of_memory"),
)


def status_of(error: Exception) -> str:
    """Return the status of a cell that ends with this exception."""
    if type(error).__name__ == "OutOfMemoryError" or _torch_out_of_memory(error):
        return "out_of_memory"
    return next((status for kind, status in STATUSES if isinstance(error, kind)), "failed")


def _torch_out_of_memory(error: Exception) -> bool:
    # For the memory of the CPU torch has no exception class of its own.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def describe(error: Exception) -> str:
    """Return an error as one line of text."""
    text = str(error).strip()
    if isinstance(error, QdynbenchError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def die_with(parent: int) -> None:
    """Ask the system to end this process when its parent ends, even by SIGKILL (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), os.getppid())
