"""Run the command line with processes that can be told from all others, and see that none of them is left."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import psutil

MARK = "QDYNBENCH_TRIAL"
START = """
import sys
from qdynbench.runner import fleet
fleet.LOAD_SECONDS = float(sys.argv[1])
sys.argv = ["qdynbench", *sys.argv[2:]]
from qdynbench.cli import main
main()
"""
PATIENCE = 5.0
"""Seconds that processes may take to be gone."""


class Command:
    """`qdynbench` with some arguments, started in a folder.

    Args:
        folder: where it runs; its fits are kept there as well.
        arguments: of the command.
        loading: seconds that a solver may take to load.
    """

    def __init__(self, folder: Path, *arguments: object, loading: float = 60.0) -> None:
        self.mark = secrets.token_hex(8)
        self.output = folder / f"{self.mark}.txt"
        own = {MARK: self.mark, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(loading), *map(str, arguments)],
                cwd=folder,
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float) -> str:
        """Wait until it ends, and return what it has printed; what goes on for longer is killed."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"{self.text()}\nTraceback: it did not end within {seconds:g} s"
        return self.text()

    def text(self) -> str:
        """Return what it has printed so far."""
        return self.output.read_text(errors="surrogateescape")

    def alive(self) -> list[psutil.Process]:
        """Return all processes that it has started, whoever their parents are by now."""
        return [one for one in psutil.process_iter() if one.pid != self.process.pid and _mark_of(one) == self.mark]

    def left_behind(self) -> str:
        """Return a sentence on what lives on after the end, or nothing; what does is killed."""
        deadline = time.monotonic() + PATIENCE
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        return f"{len(left)} processes left behind: {left}" if left else ""


def _mark_of(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error, OSError):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ().get(MARK)
    return None
