"""The command line: each command in a file of its own reads its arguments, calls the core and shows the result."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

from qdynbench.errors import InputError, QdynbenchError

EXIT_FAILED, EXIT_INPUT = 1, 2
STOPPING = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP, its terminal was closed"}
"""Signals that stop a command, and how they are called; its exit status is then 128 and the signal's number."""


class Stopped(BaseException):
    """A signal came that stops the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> None:
    """Run the command line; exit status 0 all well, 1 some cells failed, 2 bad input, 128 + n stopped by signal n."""
    status: object
    try:
        with _stopping():
            from qdynbench.cli.app import build

            status = build(sys.argv[1:])(standalone_mode=False)
            sys.stdout.flush()
    except InputError as error:
        status = complain(str(error), EXIT_INPUT)
    except QdynbenchError as error:
        status = complain(str(error), EXIT_FAILED)
    except Stopped as stop:
        name = STOPPING[signal.Signals(stop.number).name]
        status = complain(f"stopped by {name}; what was finished is kept, the same command goes on from there")
        status = 128 + stop.number
    except BrokenPipeError:  # `qdynbench report ... | head`: whoever read it has seen enough
        status = EXIT_FAILED
    except OSError as error:  # a disk that is full, a folder that is gone, a device that takes no more
        place = f" {str(error.filename)!r}" if error.filename else " the output"
        status = complain(
            f"cannot read or write{place}: {error.strerror or error}. What was finished is kept, the same command goes "
            "on from there",
            EXIT_FAILED,
        )
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        show = getattr(error, "show", None)  # a wrong option or argument: the command-line library's own message
        if show is not None:
            show()
        status = int(error.exit_code)
    _let_go()
    sys.exit(status if isinstance(status, int) else 0)


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Raise `Stopped` for the first of the signals that stop a command; the rest is cleaned up undisturbed.

    Where something has swallowed it, the next signal raises it again. A signal that is ignored already, such as that of
    a closed terminal under `nohup`, stays so.
    """
    before: dict[int, Any] = {}
    raised: list[weakref.ref[Stopped]] = []

    def stop(number: int, _: FrameType | None) -> None:
        if not any(one() for one in raised):  # else it is on its way
            stopped = Stopped(number)
            raised.append(weakref.ref(stopped))
            try:
                raise stopped
            finally:
                del stopped  # this frame, which the exception knows, would keep it

    if threading.current_thread() is threading.main_thread():
        known = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
        before = {each: signal.getsignal(each) for each in known if signal.getsignal(each) is not signal.SIG_IGN}
        for each in before:
            signal.signal(each, stop)
    try:
        yield
    except Stopped:
        before = dict.fromkeys(before, signal.SIG_IGN)  # until the process has ended
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def complain(message: str, status: int = EXIT_FAILED) -> int:
    """Print an error for the user, and return the exit status."""
    from rich.console import Console
    from rich.text import Text

    from qdynbench.text import LONGEST_MESSAGE, legible

    text = Text.assemble(("error: ", "bold red"), legible(message, LONGEST_MESSAGE))
    with contextlib.suppress(OSError):  # there is nobody left to complain to
        Console(stderr=True, soft_wrap=True).print(text)
    return status


def _let_go() -> None:
    """Write out what is left; what cannot be written is dropped here, and not when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
