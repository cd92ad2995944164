"""A worker process: `python -m qdynbench.workers.worker ROLE FD` answers requests until its socket closes.

ROLE is "solver" (one solver and what it may know) or "scorer" (the task, its reference and the metrics).
"""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import sys
import traceback
from types import UnionType
from typing import Protocol, TypeVar

from qdynbench.errors import CannotWrite, Infeasible, InputError, InvalidOutput, QdynbenchError, Unsupported
from qdynbench.scoring.reference import NoReference
from qdynbench.workers.channel import Channel, ChannelClosed
from qdynbench.workers.family import adopt, die_with
from qdynbench.workers.protocol import DISK, NO_REFERENCE, Failed, Line, Message, Trace

OUT_OF_THE_WAY = 1000
"""Number of the descriptor of the connection, where the system allows it: nobody writes to it by accident."""


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
    adopt()
    channel = Channel(socket.socket(fileno=_moved(descriptor)))
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
                channel.send(Failed(Line(status_of(error)), describe(error), Trace(traceback.format_exc())))
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


def describe(error: Exception) -> Line:
    """Return an error as one line of text."""
    name = type(error).__name__
    try:
        text = str(error).strip()
    except Exception as other:  # the solver's own class of errors
        text = f"its text cannot be had ({type(other).__name__})"
    if isinstance(error, QdynbenchError):
        return Line(text)
    return Line(f"{name}: {text}" if text else name)


def _moved(descriptor: int) -> int:
    """Move a descriptor to a high number, and from any program that this process starts."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = OUT_OF_THE_WAY if allowed == resource.RLIM_INFINITY else max(3, min(OUT_OF_THE_WAY, allowed - 8))
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(descriptor)
    return high


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), os.getppid())
