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
from types import UnionType
from typing import Protocol, TypeVar

from qdynbench.errors import Infeasible, InputError, InvalidOutput, QdynbenchError, Unsupported
from qdynbench.workers.channel import Channel, ChannelClosed
from qdynbench.workers.protocol import Failed, Message

PR_SET_PDEATHSIG = 1


R_contra = TypeVar("R_contra", bound=Message, contravariant=True)
R = TypeVar("R", bound=Message)


class Side(Protocol[R_contra]):
    """One side of a run, which answers the requests that it knows."""

    @property
    def requests(self) -> UnionType:
        """The union of their types."""

    def answer(self, request: R_contra) -> Message:
        """Answer one request."""


def main(role: str, descriptor: int) -> None:
    """Serve requests on an inherited socket."""
    die_with_parent()
    channel = Channel(socket.socket(fileno=descriptor))
    if role == "solver":
        from qdynbench.workers.solver_side import SolverSide

        serve(channel, SolverSide(channel))
    else:
        from qdynbench.workers.scorer_side import ScorerSide

        serve(channel, ScorerSide())


def serve(channel: Channel, side: Side[R]) -> None:
    """Answer requests until the socket closes; an exception is an answer as well."""
    while True:
        try:
            request: R = channel.receive(side.requests)
            try:
                answer = side.answer(request)
            except ChannelClosed:
                return
            except Exception as error:
                answer = Failed(status_of(error), describe(error), traceback.format_exc())
            channel.send(answer)
        except ChannelClosed:
            return


def status_of(error: Exception) -> str:
    """Return the status that an exception means for the cell it ended."""
    if isinstance(error, InputError):
        return "input"
    if isinstance(error, InvalidOutput):
        return "invalid"
    if isinstance(error, Unsupported):
        return "unsupported"
    if isinstance(error, Infeasible):
        return "infeasible"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _torch_out_of_memory(error):
        return "out_of_memory"
    return "failed"


def _torch_out_of_memory(error: Exception) -> bool:
    # On the CPU torch has no class of its own for it.
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def describe(error: Exception) -> str:
    """Return the error in one line, as precise as it says itself."""
    text = str(error).strip()
    if isinstance(error, QdynbenchError):
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
