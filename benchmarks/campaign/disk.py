"""Disks that are full, folders that are gone, terminals that are closed, signals: one message, and nothing is lost.

A trial starts the installed command, disturbs it, reads what it has said, then takes the disturbance away and runs the
same command again: what was finished has to be the same, bit for bit, and the run has to end well. A small file system
of its own needs the right to mount one; where there is none, these trials are left out, and one line says so.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from campaign.trial import Outcome

TASK = """\
name: small
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
states: 4
training: {sizes: [2], trajectories: 8, steps: 5}
solvers: [ed, linear]
timing: {batch_sizes: [1], rounds: 2, launches: 1}
limits: {seconds: 60, fit_seconds: 60}
"""
CELLS = 2
HANGING = 120
"""Seconds after which a run hangs."""


@dataclass
class Yard:
    """Where a trial takes place.

    Attributes:
        folder: with the task, the run, and the cache.
        chance: its random numbers.
        finished: contents of the cells that were finished before the run was disturbed.
        environment: of the command.
        output, errors: where its standard streams go.
        limit: bytes that a file may have, or None.
    """

    folder: Path
    chance: random.Random
    finished: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    output: Path | None = None
    errors: Path | None = None
    limit: int | None = None

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "disk" / "run"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command."""

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
            if self.limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, resource.RLIM_INFINITY))

        command = [str(Path(sys.executable).with_name("qdynbench")), "run", "small.yaml", "--out", str(self.run)]
        with (
            (self.output or self.folder / "output").open("wb") as output,
            (self.errors or self.folder / "errors").open("wb") as errors,
        ):
            return subprocess.Popen(
                [*command, "--threads", "1"],
                cwd=self.folder,
                env=os.environ | {"XDG_CACHE_HOME": str(self.folder / "cache")} | self.environment,
                stdout=output,
                stderr=errors,
                preexec_fn=prepare,
            )

    def said(self) -> str:
        """Return what the command has printed."""
        found = (self.folder / name for name in ("output", "errors"))
        return "".join(path.read_text(errors="replace") for path in found if path.is_file())

    def cells(self) -> dict[str, bytes]:
        """Return the cells that are finished, and are not to be tried again."""
        with contextlib.suppress(OSError):
            found = {path.name: path.read_bytes() for path in (self.run / "cells").glob("*.json")}
            return {name: text for name, text in found.items() if b'"complete": true' in text and b'"ok"' in text}
        return {}

    def wait_for(self, process: subprocess.Popen[bytes], *parts: str, longest: float = 0.3) -> None:
        """Wait until the command has said one of some texts, then a random moment, up to `longest` seconds."""
        deadline = time.monotonic() + HANGING
        while process.poll() is None and time.monotonic() < deadline:
            if any(part in self.said() for part in parts):
                break
            time.sleep(0.01)
        time.sleep(self.chance.random() * longest)


Disturbance = Callable[[Yard], Iterator[str | None]]
"""Disturbs a run: yields once, where the run is to be started and to end, with the text that its message has to hold
(None: any, also that all went well); what comes after takes the disturbance away."""


# Disks


def full(kilobytes: int, inodes: int | None = None) -> Disturbance:
    """Return a run on a file system of so many kilobytes."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        size = f"size={kilobytes}k" + ("" if inodes is None else f",nr_inodes={inodes}")
        with mounted(yard.run.parent, size):
            yield "No space left"
            subprocess.run(["mount", "-o", "remount,size=100m,nr_inodes=10000", yard.run.parent], check=True)
            yield None

    return disturbed


def full_cache(kilobytes: int) -> Disturbance:
    """Return a run whose fits are kept on a file system of so many kilobytes."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        with mounted(yard.folder / "cache", f"size={kilobytes}k"):
            yield "No space left"
            subprocess.run(["mount", "-o", "remount,size=100m", yard.folder / "cache"], check=True)
            yield None

    return disturbed


def read_only(yard: Yard) -> Iterator[str | None]:
    """Run on a file system that cannot be written to."""
    with mounted(yard.run.parent, "size=10m,ro"):
        yield "Read-only file system"
        subprocess.run(["mount", "-o", "remount,rw", yard.run.parent], check=True)
        yield None


def small_files(yard: Yard) -> Iterator[str | None]:
    """Run where no file can grow beyond some size."""
    yard.limit = yard.chance.choice([1000, 3000, 8000])  # what the command says goes to a file as well
    yield "File too large"
    yard.limit = None
    yield None


def no_cache(yard: Yard) -> Iterator[str | None]:
    """Run where no fit can be kept."""
    yard.environment = {"XDG_CACHE_HOME": "/proc/nope"}
    yield "cannot be kept"
    yard.environment = {}
    yield None


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a small file system on a folder."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def can_mount() -> bool:
    """Return whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder) / "try", "size=4k"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


# Folders that are gone


def gone(*parts: str) -> Disturbance:
    """Return a run of whose folder something is removed while it runs; nothing: the folder itself."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        process = yard.start()
        yard.wait_for(process, "[1/", "fit linear")
        for path in [yard.run / part for part in parts] or [yard.run]:
            for _ in range(10):  # the run may write into it meanwhile
                shutil.rmtree(path, ignore_errors=True)
        yard.finished = yard.cells()
        judged(yard, process, None)
        yield None

    return disturbed


# Streams


def stream(name: str) -> Disturbance:
    """Return a run one of whose standard streams takes nothing."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        setattr(yard, name, Path("/dev/full"))
        yield "No space left" if name == "output" else None
        setattr(yard, name, None)
        yield None

    return disturbed


def pipe(yard: Yard) -> Iterator[str | None]:
    """Run into a pipe whose reader leaves after the first line."""
    fifo = yard.folder / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["head", "-1", fifo], stdout=subprocess.DEVNULL)
    yard.output = yard.errors = fifo
    yield None
    reader.wait()
    yard.output = yard.errors = None
    yield None


# Signals


def signalled(number: signal.Signals, moment: str, times: int = 1) -> Disturbance:
    """Return a run that gets a signal some time after it has said something."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        for haste in (1, 4, 16, math.inf):  # a run that has ended before the signal came is begun anew
            process = yard.start()
            yard.wait_for(process, moment, longest=0.3 / haste)
            if process.poll() is None:
                break
            judged(yard, process, None, 0)
            shutil.rmtree(yard.run)
        else:
            raise Survived(f"each run had ended before {number.name} could come")
        if moment not in yard.said():
            raise Survived(f"it has not said {moment!r}: {yard.said()[-300:]}")
        family = psutil.Process(process.pid).children(recursive=True)
        for _ in range(times):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
        yard.finished = judged(yard, process, "stopped by", 128 + number)
        _, alive = psutil.wait_procs(family, timeout=10)
        if alive:
            raise Survived(f"left behind: {alive}")
        yield None

    return disturbed


# Fits


def damaged(how: str) -> Disturbance:
    """Return a run that finds damaged weights in the cache, after one that has kept them."""

    def disturbed(yard: Yard) -> Iterator[str | None]:
        judged(yard, yard.start(), None, 0)
        shutil.rmtree(yard.run)
        home = next((yard.folder / "cache" / "qdynbench" / "fits").glob("linear-*/weights"))
        path = home / "manifest.json" if "manifest" in how else next(home.glob("*.safetensors"))
        content = bytearray(path.read_bytes())
        if "cut" in how:
            path.write_bytes(content[: yard.chance.randrange(len(content))])
        elif "flipped" in how:
            content[yard.chance.randrange(len(content))] ^= 1 << yard.chance.randrange(8)
            path.write_bytes(content)
        elif "gone" in how:
            path.unlink()
        elif "file" in how:
            shutil.rmtree(home)
            home.write_text("no folder")
        elif "cost" in how:
            path.write_text('{"fit_time": -1e9, "data_time": "x", "training": [], "weights": 3}')
        else:
            path.unlink()
            path.symlink_to("/dev/zero")
        judged(yard, yard.start(), "damaged, and are made anew", 0)
        yield None

    return disturbed


MOUNTING: dict[str, Disturbance] = {
    **{f"full at {size} kB": full(size) for size in (4, 20, 60, 72, 76, 80, 84, 90, 130)},
    **{f"full at {number} files": full(10_000, number) for number in (2, 5, 7, 9, 12)},
    **{f"cache full at {size} kB": full_cache(size) for size in (4, 12, 20)},
    "read-only": read_only,
}
OTHER: dict[str, Disturbance] = {
    "small files": small_files,
    "no cache": no_cache,
    "folder gone": gone(),
    "logs and curves gone": gone("logs", "curves"),
    "cells gone": gone("cells"),
    "stdout full": stream("output"),
    "stderr full": stream("errors"),
    "pipe": pipe,
    **{
        f"{number.name} after {moment!r}": signalled(number, moment)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for moment in ("starting", "fit linear", "[1/", "[2/")
    },
    "SIGINT twice": signalled(signal.SIGINT, "[1/", 2),
    **{
        f"weights {how}": damaged(how)
        for how in ("cut", "flipped", "gone", "linked", "a file", "manifest cut", "manifest gone", "manifest cost")
    },
}


class Survived(Exception):
    """A trial was not survived; the message says why."""


def judged(
    yard: Yard, process: subprocess.Popen[bytes], message: str | None, status: int | None = None
) -> dict[str, bytes]:
    """Wait for a run, judge how it ended, and return the cells that it has finished."""
    try:
        found = process.wait(timeout=HANGING)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Survived("it hangs") from None
    said = yard.said()
    if "Traceback" in said or "Exception ignored" in said:
        raise Survived(said[-300:])
    if found not in ((0, 1, 2) if status is None else (status,)):
        raise Survived(f"exit status {found}, {said[-300:]}")
    if message is not None and found != 0 and message not in said:
        raise Survived(f"exit status {found}, and no {message!r} in {said[-300:]!r}")
    if message is not None and status == 0 and message not in said:
        raise Survived(f"no {message!r} in {said[-300:]!r}")
    if found == 0 and (message is not None or status == 0) and len(yard.cells()) < CELLS:
        raise Survived(f"exit status 0, and of {CELLS} cells only {list(yard.cells())} are there")
    for name, content in yard.finished.items():
        if yard.cells().get(name) != content:
            raise Survived(f"{name}, which was finished, is another one now")
    return yard.cells()


def run(seed: int, number: int, folder: Path) -> Iterator[Outcome]:
    """Go `number` times through all disturbances."""
    trials = OTHER | (MOUNTING if can_mount() else {})
    if trials == OTHER:
        print(f"{len(MOUNTING)} trials of a full disk are left out: this process may not mount a file system")
    for turn in range(number):
        for name, disturbance in trials.items():
            yield one(f"{seed}-{turn} {name}", disturbance, folder)


def one(name: str, disturbance: Disturbance, folder: Path) -> Outcome:
    """Disturb a run, then run the same command again undisturbed."""
    yard = Yard(folder / "yard", random.Random(name))
    yard.folder.mkdir()
    (yard.folder / "small.yaml").write_text(TASK)
    started, fault = time.monotonic(), ""
    try:
        for message in disturbance(yard):
            undisturbed = message is None and not (yard.output or yard.errors)
            yard.finished = judged(yard, yard.start(), message, 0 if undisturbed else None)
    except Survived as error:
        fault = str(error)
    finally:
        shutil.rmtree(yard.folder, ignore_errors=True)
    return Outcome("disk", name, fault, time.monotonic() - started, float("nan"))
