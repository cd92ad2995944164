"""Run folders that a stranger has tampered with: opening them runs nothing, touches nothing else, and ends in a line.

A trial copies a real run, spoils one to three things in it, and opens it in a fork of this process in every way there
is, with an audit hook that notes every import, every process and every file outside. Some are opened from within by
new processes instead, which have imported nothing that a file of the run could stand for. Memory is what the trial
took on top of what the libraries hold; seconds are those of the processor, so that other work on the machine does not
count, without those of drawing the figures of the run as it was.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qdynbench
from campaign.trial import Outcome
from qdynbench.cli import main
from qdynbench.errors import QdynbenchError
from qdynbench.record.results import Run
from qdynbench.record.store import Store

LONGEST, LARGEST = 1.0, 300e6
"""Seconds of the processor and bytes that a trial may take, but for new processes, which import all that there is."""
HANGING, HANGING_AFRESH = 20, 180
"""Seconds after which a trial hangs, in a fork and in new processes."""
AFRESH = 50
"""Number of trials of which one is in new processes."""
IMPORTED = ("numpy", "rich", "matplotlib", "xarray", "qdynbench_exact", "sitecustomize")
"""Modules that are imported when a run is opened."""
OPENED = """\
import contextlib, sys
import qdynbench
with contextlib.suppress(qdynbench.QdynbenchError):
    run = qdynbench.load_run(sys.argv[1])
    len(run.table), len(run.curves), qdynbench.draw(run)
"""
"""A script that somebody opens a run with."""
TASK = """\
name: small
title: A small chain
model: {family: heisenberg, J: 1.0, disorder: 0.5}
sizes: [2, 3]
times: {dt: 0.01, steps: 5}
states: 40
training: {sizes: [2], trajectories: 8, steps: 5}
solvers: [ed, linear]
keep: {trajectories: 1}
timing: {batch_sizes: [1, 2], rounds: 2, launches: 1}
"""
EVIL = """\
from pathlib import Path
from qdynbench import hookimpl

Path({marker!r}).write_text("a plugin file of the run was executed")

@hookimpl
def register_figures(register):
    register("evil", dict, summary="")
"""
MINE = {"thesis.tex": "ten years of work", "cells/sample1.tif": "a measurement", "logs/server.log": "a log"}
"""Files of a user in a folder that also holds a run."""
FIGURES, DRAWN = ["work-precision", "scaling", "prediction", "evil", "../../victim"], 3
"""Figures that a spoilt run asks for; so many of them can be drawn."""
HUGE = 10**8
"""Bytes of a file that is not read in order to be spoilt."""
DEEP: Any = json.loads("[" * 400 + "]" * 400)


class Pwned:
    """A pickle of this would execute code."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.marker}",))


def run(seed: int, number: int, folder: Path) -> Iterator[Outcome]:
    """Open `number` run folders that are spoilt at random."""
    place, cache = Path.cwd(), os.environ.get("XDG_CACHE_HOME")
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    try:
        (folder / "small.yaml").write_text(TASK)
        qdynbench.run("small.yaml", out="whole", threads=1)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            use(
                Path("whole"), ["ed", "linear"], task=qdynbench.load_run("whole").task, fresh=False
            )  # loads all there is
        drawing = functools.cache(lambda: max(one("", folder, figures=[name]).seconds for name in FIGURES[:DRAWN]))
        for trial in range(number):
            yield one(f"{seed}-{trial}", folder, drawing, afresh=trial % AFRESH == 0)
    finally:
        os.chdir(place)
        os.environ.pop("XDG_CACHE_HOME")
        if cache is not None:
            os.environ["XDG_CACHE_HOME"] = cache


def one(
    name: str,
    folder: Path,
    drawing: Callable[[], float] = float,
    figures: list[str] | None = None,
    *,
    afresh: bool = False,
) -> Outcome:
    """Spoil a copy of the run, open it in a process of its own, and judge what came of it.

    Args:
        name: of the trial, from which its random numbers come.
        folder: with the run as it was.
        drawing: returns the seconds that drawing a figure takes.
        figures: draw these, and spoil nothing.
        afresh: whether to open it in new processes, from within.
    """
    warnings.simplefilter("ignore")
    chance, yard = random.Random(name), folder / ("drawing" if figures else "yard")
    shutil.rmtree(yard, ignore_errors=True)
    yard.mkdir()
    victim, marker, output = yard / "victim.txt", folder / "marker", folder / "output"
    victim.write_text("somebody else's")
    target = yard / "runs" / "small"
    shutil.copytree(folder / "whole", target)
    done = _figures(target, figures) if figures else spoilt(chance, At(target, victim, marker))
    mine = {path: path.read_bytes() for path in (victim, *(target / name for name in MINE)) if path.is_file()}
    pid = os.fork()
    if not pid and afresh:
        _afresh(target, marker, output)
    if not pid:
        _child(chance, target, output)
    started, status, usage = time.monotonic(), 0, None
    while usage is None:
        found, status, usage_now = os.wait4(pid, os.WNOHANG)
        if found:
            usage = usage_now
        elif time.monotonic() - started > (HANGING_AFRESH if afresh else HANGING):
            os.kill(pid, signal.SIGKILL)
            usage = os.wait4(pid, 0)[2]
        else:
            time.sleep(0.002)
    said = output.read_text(errors="replace")
    memory = float(said.rpartition("\nmemory ")[2]) if "\nmemory " in said and not afresh else math.nan
    seconds = usage.ru_utime + usage.ru_stime
    drawn = said.count(".png, .svg")
    seconds -= min(seconds, drawn * drawing()) if drawn else 0.0
    fault = _fault(said, status, 0.0 if afresh else seconds, memory)
    if marker.exists():
        marker.unlink()
        fault = "code of the run was executed"
    if any(not path.is_file() or path.read_bytes() != before for path, before in mine.items()):
        fault = "somebody else's file was changed"
    if sorted(path.name for path in yard.iterdir()) != ["runs", "victim.txt"]:
        fault = "a file was made outside the folder"
    return Outcome("run_folders", f"{name} ({'; '.join(done)})", fault, seconds, memory)


def _fault(said: str, status: int, seconds: float, memory: float) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}" + (" since it hangs" if os.WTERMSIG(status) == 9 else "")
    if "Traceback" in said:
        return said[said.index("Traceback") :].strip().splitlines()[-2][:300]
    if odd := [line for line in said.splitlines() if line.startswith("AUDIT ")]:
        return odd[0][:300]
    if hidden := {letter for letter in said if not letter.isprintable() and letter != "\n"}:
        return f"control characters reached the terminal: {hidden}"
    if seconds > LONGEST:
        return f"took {seconds:.1f} s"
    return f"took {memory / 1e6:.0f} MB" if memory > LARGEST else ""


# Opening it


def _child(chance: random.Random, target: Path, output: Path) -> None:
    code = 1
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", errors="backslashreplace") for stream in (1, 2))
        inside = chance.random() < 0.3
        os.chdir(target if inside else target.parents[1])
        started = _resident()
        sys.addaudithook(_hook(target))
        task = Run(target.parents[2] / "whole").task
        use(Path("." if inside else target), ["ed", "linear"], task=task, fresh=chance.random() < 0.5)
        print(f"\nmemory {_peak() - started}")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _afresh(target: Path, marker: Path, output: Path) -> None:
    """Open a run by commands whose working folder it is, and by a script that was started elsewhere."""
    for name in IMPORTED:
        (target / f"{name}.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    command = str(Path(sys.executable).with_name("qdynbench"))
    code = 1
    try:
        with output.open("wb") as stream:
            for arguments, place in (
                ([command, "report", ".", "--details"], target),
                ([command, "compare", "ed", "linear", "--run", "."], target),
                ([command, "list", "runs"], target),
                ([sys.executable, "-c", OPENED, str(target)], target.parents[1]),
            ):
                done = subprocess.run(arguments, cwd=place, stdout=stream, stderr=stream, check=False)
                if done.returncode not in (0, 1, 2):
                    stream.write(f"\nAUDIT exit status {done.returncode} of {arguments}\n".encode())
        code = 0
    finally:
        os._exit(code)


def use(folder: Path, solvers: list[str], *, task: Any, fresh: bool) -> None:
    """Do with a run whatever opens one, and at last begin another run in its folder."""
    for command in (["report", "--details"], ["report", "--json"], ["report", "--quiet"]):
        _command(command[0], str(folder), *command[1:])
    _command("list", "runs")
    with contextlib.suppress(QdynbenchError):
        opened = qdynbench.load_run(folder)
        for look in (
            lambda: opened.table,
            lambda: opened.curves,
            lambda: [opened.trajectories(cell) for cell in opened.cells],
            lambda: str(qdynbench.compare(opened, *solvers)),
        ):
            with contextlib.suppress(QdynbenchError):
                look()
    with contextlib.suppress(QdynbenchError), Store.create(folder, task, fresh=fresh):
        pass


def _command(*arguments: str) -> None:
    sys.argv = ["qdynbench", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code not in (0, 1, 2, None):
            raise


def _hook(target: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that prints what must not happen while a stranger's run is opened."""
    yard = target.parents[1]

    def hook(event: str, details: tuple[Any, ...]) -> None:
        if event in {
            "subprocess.Popen",
            "os.system",
            "os.exec",
            "os.posix_spawn",
            "pickle.find_class",
            "socket.connect",
        }:
            os.write(1, f"AUDIT {event} {details!r}\n".encode(errors="replace"))
        elif event in {"open", "import"} and isinstance(details[0 if event == "open" else 1], str):
            path = os.path.realpath(details[0 if event == "open" else 1])
            ours = path.startswith(f"{target}/")
            if (path.startswith(str(yard)) and not ours) or path in {"/dev/zero", "/etc/passwd"}:
                os.write(1, f"AUDIT {event} {path}\n".encode(errors="replace"))
            if event == "import" and ours:
                os.write(1, f"AUDIT import {path}\n".encode(errors="replace"))

    return hook


def _resident() -> int:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


def _peak() -> int:
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


# Spoiling it


@dataclass(frozen=True)
class At:
    """Where the folder lies that is spoilt, a file that is somebody else's, and one that is there when code has run."""

    target: Path
    victim: Path
    marker: Path


def spoilt(chance: random.Random, at: At) -> list[str]:
    """Spoil up to three things in a run folder and return what was done."""
    done = []
    evil = at.target / chance.choice(["evil.py", "numpy.py", "qdynbench_exact.py", "sitecustomize.py", "logs/evil.py"])
    evil.write_text(EVIL.format(marker=str(at.marker)))
    content = json.loads((at.target / "run.json").read_text())
    content["plugin_files"] = chance.choice([[str(evil)], [evil.name], [f"./{evil.name}", str(evil)]])
    if chance.random() < 0.3:
        content["task"]["figures"] = [chance.choice(FIGURES if chance.random() < 0.1 else FIGURES[DRAWN:])]
    (at.target / "run.json").write_text(json.dumps(content))
    if chance.random() < 0.3:
        for name, text in MINE.items():
            (at.target / name).write_text(text)
        done.append("files of a user")
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice([_value, _value, _value, _value, _bytes, _kind, _arrays, _arrays, _folder])
        with contextlib.suppress(Exception):  # what it would spoil is spoilt already
            done.append(kind(chance, at))
    return done


def _own(at: At) -> list[Path]:
    """Return what the run has written."""
    mine = {at.target / name for name in MINE}
    return [path for path in sorted(at.target.rglob("*")) if path.suffix != ".py" and path not in mine]


def _figures(target: Path, names: list[str]) -> list[str]:
    content = json.loads((target / "run.json").read_text())
    content["task"]["figures"] = names
    (target / "run.json").write_text(json.dumps(content))
    return names


def _value(chance: random.Random, at: At) -> str:
    """Replace values in one of the JSON files by others."""
    files = [at.target / "run.json", *sorted((at.target / "cells").glob("*.json"))]
    path = chance.choice([one for one in files if one.is_file() and one.lstat().st_size < HUGE])
    content, said = json.loads(path.read_text()), []
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        place: Any = content
        names: list[Any] = []
        while True:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            names.append(key)
            inner = place[key]
            if isinstance(inner, dict | list) and inner and chance.random() < 0.85:
                place = inner
            else:
                break
        other = chance.choice(HOSTILE)(chance, at.victim, place[key])
        what = chance.random()
        if what < 0.1 and isinstance(place, dict):
            del place[key]
        elif what < 0.2 and isinstance(place, dict):
            place[chance.choice(["\x1b[2J", "../x", "x" * 5000, "é", "", "\u202e"])] = other
        elif what < 0.25 and isinstance(place, list):
            place *= chance.choice([0, 2, 1000])
        else:
            place[key] = other
        said.append(f"{path.name}:{'.'.join(map(str, names))}")
    path.write_text(json.dumps(content))
    return ", ".join(said)


HOSTILE: list[Callable[[random.Random, Path, Any], Any]] = [
    lambda chance, _, __: chance.choice([None, True, False, "", {}, [], [[]], {"": None}, " "]),
    lambda chance, _, __: chance.choice([-1, 0, 1, 2, 7, 10**9, 10**18, 10**40, int("9" * 4000)]),
    lambda chance, _, __: chance.choice([-1.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), 0.5, 1e-17]),
    lambda chance, _, __: chance.choice(["\x1b[2J\x1b]0;x\x07", "[/bold][link=x]", "\ud800", "a\nb\r\tc", "\x9b31m"]),
    lambda chance, victim, _: chance.choice([str(victim), "../../victim.txt", "/etc/passwd", "/dev/zero", "a\0b"]),
    lambda chance, _, __: "x" * chance.choice([300, 100_000, 3_000_000]),
    lambda _, __, ___: DEEP,
    lambda chance, _, old: old * chance.choice([-1, 1e6, 1e-6, 1e300]) if isinstance(old, int | float) else [old, old],
    lambda chance, _, old: chance.choice([[old], {"x": old}, str(old), [old] * 300]),
    lambda chance, _, __: chance.choice(["ed", "linear[", "x[a=b]", "none", "ising", "2..4", "infidelity", "timeout"]),
]


def _bytes(chance: random.Random, at: At) -> str:
    """Spoil the bytes of a file."""
    path = chance.choice([one for one in _own(at) if one.is_file() and one.lstat().st_size < HUGE])
    content = bytearray(path.read_bytes())
    what = chance.choice(["truncated", "flipped", "empty", "noise", "appended", "pickle", "deep", "huge number"])
    if what == "truncated":
        content = content[: chance.randrange(len(content) + 1)]
    elif what == "flipped" and content:
        for _ in range(chance.choice([1, 1, 10, 100])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif what == "empty":
        content = bytearray()
    elif what == "noise":
        content = bytearray(chance.randbytes(chance.choice([1, 100, 100_000])))
    elif what == "appended":
        content += chance.randbytes(100)
    elif what == "pickle":
        content = bytearray(pickle.dumps(Pwned(str(at.marker))))
    elif what == "deep":
        content = bytearray(b"[" * 1_000_000)
    else:
        content = bytearray(b'{"schema_version": ' + b"9" * 5000 + b"}")
    path.write_bytes(content)
    return f"{path.name} {what}"


def _kind(chance: random.Random, at: At) -> str:
    """Put something else in the place of a file or a folder."""
    path = chance.choice(_own(at))
    what = chance.choice(["fifo", "socket", "device", "folder", "link", "link", "loop", "hole"])
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    if what == "fifo":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
            made.bind(path.name)
    elif what == "device" and os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.mknod(path, 0o020666, os.makedev(1, 5))  # /dev/zero
    elif what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(
            chance.choice([str(at.victim), str(at.victim.parent), "/dev/zero", "/etc/passwd", "/", "nowhere"])
        )
    elif what == "loop":
        path.symlink_to(path.name)
    else:
        path.touch()
        os.truncate(path, 1 << chance.choice([20, 32, 42]))
    return f"{path.name} a {what}"


def _arrays(chance: random.Random, at: At) -> str:
    """Spoil the curves of a cell."""
    path = chance.choice([one for one in (at.target / "curves").glob("*.npz") if one.lstat().st_size < HUGE])
    with np.load(path) as found:
        arrays: dict[str, Any] = dict(found)
    name = chance.choice(sorted(arrays))
    old = arrays[name]
    what = chance.choice(["objects", "type", "shape", "numbers", "all", "header", "bomb", "names", "number"])
    member: bytes | None = None
    if what == "objects":
        arrays[name] = np.array([Pwned(str(at.marker))], dtype=object)
    elif what == "type":
        arrays[name] = old.astype(chance.choice(["i4", "U5", "c16", "f2", "f8", "M8[s]", "?", "V7"]), casting="unsafe")
    elif what == "shape":
        arrays[name] = chance.choice(
            [old[:0], old[:1], old[..., None], old.T.copy(), old.ravel(), np.float32(1), old[:, :0]]
        )
    elif what in {"numbers", "all"}:
        value = chance.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 3e38, 1e-45])
        for each in [name] if what == "numbers" else list(arrays):
            arrays[each] = np.where(np.random.default_rng(0).random(old.shape) < 0.5, old, value).astype(old.dtype)
    elif what == "header":
        shape = chance.choice(
            ["(1000000000000,)", "(40, 6, 10**9)", "(-1, 6)", "(40, 6.0)", "(True, 6)", "(" * 500, "()"]
        )
        descr = chance.choice(["'<f4'", "'|O'", "'<f4'", "[('a', '<f4')]", "'<f99999999'", "__import__('os')"])
        text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
        member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(960)
    elif what == "bomb":
        arrays[name] = np.zeros(chance.choice([(40, 6 * 10**5), (10**7,), (40, 10**6)]), np.float32)
    elif what == "names":
        arrays[chance.choice(["../../x", "\x1b[2J", "x" * 3000, "/etc/passwd", "infidelity.npy"])] = old
    else:
        arrays |= {f"curve{number}": old for number in range(2000)}
    path.unlink()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, array, allow_pickle=True)
            archive.writestr(f"{each}.npy", stream.getvalue() if member is None or each != name else member)
    return f"{path.name}:{name} {what}"


def _folder(chance: random.Random, at: At) -> str:
    """Spoil what a folder as a whole says of itself."""
    listed = at.target / "written.txt"
    what = chance.choice(["list", "no list", "long list", "part elsewhere", "figures elsewhere", "partial", "weights"])
    if what == "list":
        with listed.open("a") as stream:
            stream.write(
                f"../../victim.txt\n{at.victim}\nthesis.tex\ncells/../../../victim.txt\ncells/sample1.tif\n\x1b[2J\n"
            )
    elif what == "no list":
        listed.unlink()
    elif what == "long list":
        listed.write_text("cells/x.json\n" * chance.choice([10**5, 10**6]))
    elif what == "part elsewhere":
        part = at.target / chance.choice(["cells", "curves", "logs"])
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part)
        else:  # it may be a fifo by now, which `rmtree` would open
            part.unlink(missing_ok=True)
        part.symlink_to(at.victim.parent)
    elif what == "figures elsewhere":
        (at.target / "figures").symlink_to(at.victim.parent)
    elif what == "partial":
        (at.target / f"{chance.choice(['run.json', 'results.parquet', 'cells/x.json'])}.partial").symlink_to(at.victim)
    else:
        content = json.loads((at.target / "run.json").read_text())
        content["fits"]["linear"] |= {"source": "given", "folder": chance.choice(["/", "/proc", str(at.victim.parent)])}
        (at.target / "run.json").write_text(json.dumps(content))
    return what
