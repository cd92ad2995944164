"""Kill processes of a run at random moments, let the same command go on, and compare with a run left in peace."""

from __future__ import annotations

import contextlib
import math
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from campaign.processes import Command
from campaign.trial import Outcome
from qdynbench.record.schema import CellRecord, Status

TASK = """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2, 3]
times: {dt: 0.01, steps: 4}
states: 8
metrics: [infidelity, energy_drift]
training: {sizes: [2, 3], trajectories: 10, steps: 4}
solvers: [ed]
timing: {batch_sizes: [4], rounds: 1, launches: 3}
limits: {seconds: 60, memory: 2 GB}
"""
VICTIMS = ("main", "worker", "scorer", "launcher", "all")
LONGEST = 120.0
"""Seconds of one run."""


def run(seed: int, number: int, folder: Path) -> Iterator[Outcome]:
    """Kill once in each of so many runs, one victim after the other."""
    chance = random.Random(seed)
    (folder / "task.yaml").write_text(TASK)
    begun = time.monotonic()
    printed = _command(folder, "undisturbed").wait(LONGEST)
    longest, expected = time.monotonic() - begun, _accuracy(folder / "undisturbed")
    if not expected:
        yield Outcome("kills", "nobody", f"the undisturbed run fails: {printed[-1000:]}", longest, math.nan)
        return
    for trial in range(number):
        victim, moment = VICTIMS[trial % len(VICTIMS)], chance.uniform(0, longest)
        begun = time.monotonic()
        while (fault := _trial(folder, victim, moment, expected, chance)) is None:
            moment = chance.uniform(0, moment)  # the run had ended before
        name = f"{trial}: {victim} after {moment:.2f} s"
        yield Outcome("kills", name, fault, time.monotonic() - begun, math.nan)


def _trial(folder: Path, victim: str, moment: float, expected: dict[str, bytes], chance: random.Random) -> str | None:
    """Kill once and go on; return what went wrong, or nothing, or None where nobody was there to be killed."""
    for left in ("cache", "run"):
        shutil.rmtree(folder / left, ignore_errors=True)
    first = _command(folder)
    time.sleep(moment)
    while not (victims := _victims(first, victim)) and first.process.poll() is None:
        time.sleep(0.01)  # it has not been started yet
    killed = 0
    for process in chance.sample(victims, 1) if victim == "worker" and victims else victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            killed += 1
    if fault := _fault(first, {0, 1, -signal.SIGKILL} if victim in {"main", "all"} else {0, 1}):
        return fault
    if not killed:
        return None
    finished = {path: path.read_bytes() for path in (folder / "run" / "cells").glob("*.json") if _done(path)}
    if fault := _fault(_command(folder), {0}):
        return f"when it goes on: {fault}"
    if lost := [path.name for path, content in finished.items() if path.read_bytes() != content]:
        return f"finished cells are lost: {', '.join(lost)}"
    found = _accuracy(folder / "run")
    other = [key for key in {*found, *expected} if found.get(key) != expected.get(key)]
    return f"accuracy is another in {', '.join(other)}" if other else ""


def _command(folder: Path, out: str = "run") -> Command:
    return Command(folder, "run", "task.yaml", "--out", out, "--quiet")


def _victims(command: Command, victim: str) -> list[psutil.Process]:
    main = psutil.Process(command.process.pid)
    if victim == "main":
        return [main]
    others = command.alive()
    if victim == "all":
        return [main, *others]
    kinds = {one: _kind(one, command.process.pid) for one in others}
    return [one for one, kind in kinds.items() if kind == victim]


def _kind(process: psutil.Process, main: int) -> str:
    """Return what a process is: that of a worker writes to the log of its solver, the launcher to none."""
    with contextlib.suppress(OSError, psutil.Error):
        if process.ppid() == main:
            return "launcher"
        log = Path(os.readlink(f"/proc/{process.pid}/fd/1"))
        return "" if log.suffix != ".log" else "scorer" if log.stem == "scorer" else "worker"
    return ""


def _fault(command: Command, statuses: set[int]) -> str:
    """Return what is wrong with the end of a run, or nothing."""
    printed = command.wait(LONGEST)
    if "Traceback" in printed or command.process.returncode not in statuses:
        return f"it ends with {command.process.returncode}: {printed[-2000:]}"
    return command.left_behind()


def _done(path: Path) -> bool:
    record = CellRecord.model_validate_json(path.read_bytes())
    return record.complete and record.status is Status.OK


def _accuracy(run: Path) -> dict[str, bytes]:
    """Return all that was scored and every number of the curves, by cell."""
    found = {}
    for path in sorted((run / "cells").glob("*.json")):
        record = CellRecord.model_validate_json(path.read_bytes())
        with np.load(run / "curves" / f"{path.stem}.npz") as curves:
            numbers = b"".join(name.encode() + curves[name].tobytes() for name in sorted(curves))
        scores = "".join(score.model_dump_json() for score in record.scores)
        found[path.stem] = f"{record.status.value}{scores}".encode() + numbers
    return found
