"""Plugins that go wrong, each in its own way: what they break is their own cells, and nobody else's.

Solvers run side by side in a few runs, in an order that the seed decides, beside `ed`, which has to end well each time.
Models, ensembles, metrics and figures, and plugins that cannot even be registered, have a run each.
"""

from __future__ import annotations

import json
import math
import random
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campaign.processes import Command
from campaign.trial import Outcome
from qdynbench import load_run
from qdynbench.record.schema import CellRecord, Status
from qdynbench.text import legible

HEAD = """
import contextlib, ctypes, gc, json, os, pathlib, signal, subprocess, sys, time
import numpy as np
import torch
import qdynbench
from qdynbench import Block, Cost, CurveMetric, Ensemble, Knowledge, LearnedSolver, Model, Solver, hookimpl

IN_WORKER = not sys.argv[0].endswith("qdynbench")

def good(self, given):
    return given.states[:, None].repeat(1, self.problem.steps + 1, 1)

def start(**how):
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL, **how)

def daemon():
    if not (child := os.fork()):
        os.setsid()
        start()
        os._exit(0)
    os.waitpid(child, 0)

class Lazy:
    def __init__(self, realise):
        self.realise = realise

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, *arguments, **more):
        return self.realise()

def low():
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(number, b"hello")

def channel():
    from qdynbench.workers.channel import Channel
    return next(thing for thing in gc.get_objects() if isinstance(thing, Channel))

def write(data):
    with contextlib.suppress(OSError):
        os.write(channel()._stream.fileno(), data)

TRAINING = {
    "sizes": [2], "trajectories": 10, "steps": 4, "dt": 0.01, "ensemble": "random_product", "noise": 0.0, "seed": 0,
    "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"},
}

def shipped(name, manifest):
    folder = pathlib.Path(os.environ["XDG_CACHE_HOME"], name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "w.json").write_text("{}")
    (folder / "manifest.json").write_text(manifest)
    return [folder]

def message(body, layout=b"\\x90"):
    write(b"\\xc1qdb" + len(body).to_bytes(8, "big") + len(layout).to_bytes(8, "big") + body + layout)
"""

SOLVER = """
class Bad({base}):
    knowledge = Knowledge.TRAJECTORIES

    def fit(self, data, context):
        pass

    def save(self, folder):
        (folder / "w.json").write_text("{{}}")

    def load(self, folder):
        pass

    def solve(self, given):
        {solve}
        yield Block(0, good(self, given))

{body}

@hookimpl
def register_solvers(register):
    register("{name}", {target}, summary="bad")
"""


@dataclass(frozen=True)
class Fault:
    """One faulty solver.

    Attributes:
        status, reason: how its cells have to end, and what the reason contains.
        solve: statements at the beginning of `solve`.
        body: lines of the class that replace what it has.
        learned: whether it is a learned solver.
        top: lines before the class, or of the module beside it that is registered by its name.
        target: what is registered.
        slow: whether it takes the time limit, or much memory.
        parameters: as they stand in the spec.
    """

    status: str
    reason: str = ""
    solve: str = "pass"
    body: str = ""
    learned: bool = False
    top: str = ""
    target: str = "Bad"
    slow: bool = False
    parameters: str = ""

    def write(self, folder: Path, name: str) -> Path:
        """Write the plugin and return its file."""
        base = "LearnedSolver" if self.learned else "Solver"
        body = textwrap.indent(self.body, "    ")
        path, target = folder / f"{name[:60]}.py", self.target.format(name=name)
        if "beside" in target:
            (folder / f"beside_{name}.py").write_text(self.top)
        head = HEAD if "beside" in target else HEAD + self.top
        path.write_text(head + SOLVER.format(name=name, base=base, solve=self.solve, body=body, target=target))
        return path


ARGUMENTS = {
    **dict.fromkeys(("shipped", "starts_from", "__post_init__"), "self"),
    **dict.fromkeys(("save", "load"), "self, folder"),
    "fit": "self, data, context",
    "solve": "self, given",
}
"""Of methods that do not take a problem."""
LEARNED = {"shipped", "starts_from", "save", "load", "fit"}


def asked(name: str, code: str, status: str, reason: str = "", *, slow: bool = False) -> Fault:
    """Return a solver in which a method is another."""
    body = f"def {name}({ARGUMENTS.get(name, 'self, problem')}):\n    {code}"
    return Fault(status, reason, body=body, learned=name in LEARNED, slow=slow)


def solving(code: str, status: str, reason: str = "", *, slow: bool = False) -> Fault:
    """Return a solver whose calls begin with other statements."""
    return Fault(status, reason, solve=code, slow=slow)


def imported(code: str, status: str, reason: str, *, slow: bool = False) -> Fault:
    """Return a solver whose file is loaded well in the main process alone."""
    return Fault(status, reason, top=f"\nif IN_WORKER:\n    {code}\n", slow=slow)


def beside(code: str, status: str, reason: str, *, slow: bool = False) -> Fault:
    """Return a solver that is registered by the name of another module, which is imported where it is used."""
    return Fault(status, reason, top=f"import os, time\n{code}\n", target="'beside_{name}:Bad'", slow=slow)


RAISE, HANG, CRASH = "raise RuntimeError('boom')", "time.sleep(600)", "os.kill(os.getpid(), signal.SIGSEGV)"
STRAY, UNEXPECTED = "something other than a message", "an unexpected message came"
WILD = "'\\x1b[2J\\x1b]0;pwned\\x07half \\udcff'"
ALLOTS = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(2 * 10**9); input()'])"
FORGED = "from qdynbench.workers import protocol as to; channel().send(to.Need(40, 0, 1)); time.sleep(9)"
COSTLESS = "return shipped('costless', json.dumps({'training': TRAINING}))"
DAMAGED = "return shipped('damaged', json.dumps({'training': TRAINING, 'data_time': 1, 'fit_time': 1, 'weights': 'x'}))"
HUGE = r"message(b'\x80', b'\x91\x92\xa7float64\x91\xcf\x00\x00\x40\x00\x00\x00\x00\x00')"
FAULTS = {
    # What is asked before anything is solved.
    "prepare-raises": asked("prepare", RAISE, "failed", "boom"),
    "supports-raises": asked("supports", RAISE, "failed", "boom"),
    "estimate-raises": asked("estimate", RAISE, "failed", "boom"),
    "init-raises": asked("__post_init__", RAISE, "failed", "boom"),
    "init-exits": asked("__post_init__", "os._exit(9)", "crashed", "status 9"),
    "supports-exits": asked("supports", "os._exit(77)", "crashed", "status 77"),
    "prepare-crashes": asked("prepare", CRASH, "crashed", "SIGSEGV"),
    "supports-true": asked(
        "supports", "return True", "invalid", "a reason or None expected from supports, a bool came"
    ),
    "supports-false": asked("supports", "return False", "invalid", "from supports, a bool came"),
    "supports-dict": asked("supports", "return {'no': 1}", "invalid", "from supports, a dict came"),
    "supports-wild": asked("supports", f"return {WILD}", "unsupported", "half"),
    "supports-long": asked("supports", "return 'x' * 10_000_000", "unsupported", "xxx"),
    "estimate-nan": asked("estimate", "return Cost(float('nan'), 1.0)", "invalid", "from estimate, nan came"),
    "estimate-negative": asked("estimate", "return Cost(-1, 1)", "invalid", "from estimate, -1.0 came"),
    "estimate-infinite": asked("estimate", "return Cost(float('inf'), 1.0)", "infeasible", "memory"),
    "estimate-tuple": asked("estimate", "return 1, 2", "invalid", "Cost or None expected from estimate, a tuple came"),
    "estimate-text": asked("estimate", "return Cost('1', 1)", "invalid", "from estimate, a str came"),
    "label-list": Fault("invalid", "a text expected from label, a list came", body="label = ['a']"),
    "label-raises": Fault("failed", "boom", body=f"@property\ndef label(self):\n    {RAISE}"),
    "label-wild": Fault("ok", body=f"label = {WILD}"),
    "knowledge-text": Fault("invalid", "knowledge is 'hamiltonian'", body="knowledge = 'hamiltonian'"),
    "knowledge-raises": Fault("invalid", "knowledge is", body=f"@property\ndef knowledge(self):\n    {RAISE}"),
    "accuracy-numbers": Fault("invalid", "names of parameters expected from accuracy", body="accuracy = [1]"),
    "shipped-number": asked("shipped", "return 3", "invalid", "expected from shipped, a int came"),
    "shipped-none": asked("shipped", "return [None]", "invalid", "expected from shipped, None came"),
    "starts-from-number": asked("starts_from", "return 1", "invalid", "expected from starts_from, a int came"),
    # How a call can end.
    "solve-raises": solving(RAISE, "failed", "boom"),
    "solve-interrupts": solving("raise KeyboardInterrupt", "crashed"),
    "solve-leaves": solving("raise SystemExit(3)", "crashed", "status 3"),
    "solve-exits": solving("os._exit(0)", "crashed", "status 0"),
    "solve-crashes": solving("ctypes.string_at(0)", "crashed", "SIGSEGV"),
    "solve-killed": solving("os.kill(os.getpid(), signal.SIGKILL)", "crashed", "SIGKILL"),
    "solve-unnamed-signal": solving("os.kill(os.getpid(), 40)", "crashed", "signal 40"),
    "error-long": solving("raise ValueError('x' * 10_000_000)", "failed", "xxx"),
    "error-wild": solving(f"raise ValueError({WILD})", "failed", "half"),
    "error-name-wild": solving("raise type('E\\x1b[31m\\n', (Exception,), {})('x')", "failed", "E"),
    "error-unspeakable": solving("raise type('E', (Exception,), {'__str__': 1})()", "failed", "cannot be had"),
    "notes-none": solving("object.__setattr__(given, 'notes', None)", "failed", "NoneType"),
    "notes-wild": solving(f"given.note({WILD})", "ok"),
    "notes-million": solving("given.notes.extend(['n'] * 1_000_000)", "ok"),
    "output-much": solving("os.write(1, b'x' * 50_000_000)", "ok"),
    "output-binary": solving(f"os.write(2, bytes(range(256)) * 100); {RAISE}", "failed", "boom"),
    "no-blocks": solving("return", "invalid", "only 0 came"),
    "none-for-blocks": asked("solve", "return None", "invalid", "iterator of blocks"),
    "number-for-blocks": asked("solve", "return 3", "invalid", "iterator of blocks"),
    "nan": solving("yield Block(0, good(self, given) * float('nan'))", "invalid"),
    "shape": solving("yield Block(0, good(self, given)[..., :-1])", "invalid", "shape"),
    "integers": solving("yield Block(0, good(self, given).real.int())", "invalid", "dtype"),
    "text": solving("yield Block(0, 'states')", "invalid", "numerical array"),
    "late": solving("yield Block(2, good(self, given))", "invalid", "starts at"),
    "start-text": solving("yield Block('0', good(self, given))", "invalid", "start of a block expected, a str came"),
    "start-real": solving("yield Block(0.0, good(self, given))", "invalid", "start of a block expected, a float came"),
    "none-for-a-block": solving("yield None", "invalid", "a qdynbench.Block expected from solve, None came"),
    "twice": solving("yield Block(0, good(self, given))", "invalid"),
    "dlpack-raises": solving("yield Block(0, Lazy(lambda: {}['x']))", "failed", "KeyError"),
    "dlpack-leaves": solving("yield Block(0, Lazy(lambda: sys.exit(3)))", "crashed", "status 3"),
    # The wire.
    "stray-low": solving("low()", "ok"),
    "stray-random": solving("write(os.urandom(4096))", "invalid", STRAY),
    "stray-text": solving("write(b'a stray print\\n')", "invalid", STRAY),
    "stray-zeros": solving("write(bytes(64))", "invalid", STRAY),
    "stray-ones": solving("write(b'\\xff' * 64)", "invalid", STRAY),
    "message-endless": solving("write(b'\\xc1qdb' + b'\\xff' * 16)", "invalid", STRAY),
    "message-deep": solving("message(b'\\x91' * 100_000)", "invalid", UNEXPECTED),
    "message-list": solving("message(b'\\x90')", "invalid", UNEXPECTED),
    "message-empty": solving("message(b'\\x81\\xa4type\\xa6Called')", "invalid", UNEXPECTED),
    "message-huge": solving(HUGE, "invalid", UNEXPECTED),
    "message-negative": solving("message(b'\\x80', b'\\x91\\x92\\xa7float64\\x91\\xff')", "invalid", UNEXPECTED),
    "message-forbidden": solving(
        "message(b'\\x82\\xa4type\\xaaFinishCell\\xa6curves\\xa5x.npz')", "invalid", "FinishCell"
    ),
    "message-odd-status": solving(
        "message(b'\\x84\\xa4type\\xa6Failed\\xa6status\\xa3wow\\xa6reason\\xa3odd\\xa7details\\xa0')", "invalid", "odd"
    ),
    "wire-closed": solving("os.closerange(3, 4096); os._exit(1)", "crashed"),
    # What it starts.
    "child": solving("start()", "ok"),
    "child-own-session": solving("start(start_new_session=True)", "ok"),
    "grandchild": solving("daemon()", "ok"),
    "child-then-exit": solving("start(start_new_session=True); os._exit(4)", "crashed", "status 4"),
    "child-then-crash": solving(f"start(); {CRASH}", "crashed", "SIGSEGV"),
    "child-holds-wire": solving("os._exit(3) if os.fork() else time.sleep(600)", "crashed", "status 3"),
    # Import.
    "import-raises": imported(RAISE, "failed", "boom"),
    "import-exits": imported("os._exit(3)", "crashed", "status 3"),
    "import-leaves": imported("sys.exit(3)", "failed", "SystemExit"),
    "import-crashes": imported(CRASH, "crashed", "SIGSEGV"),
    "target-raises": beside(RAISE, "failed", "boom"),
    "target-leaves": beside("raise SystemExit(4)", "failed", "SystemExit"),
    "target-exits": beside("os._exit(3)", "crashed", "status 3"),
    "target-missing": Fault("failed", "cannot be imported", target="'no_such_module:Bad'"),
    # Learning.
    "learned": Fault("ok", learned=True),
    "save-nothing": asked("save", "pass", "ok"),
    "save-raises": asked("save", RAISE, "failed", "boom"),
    "save-removes": asked("save", "folder.rmdir()", "invalid", "save has removed the folder"),
    "save-manifest": asked("save", "(folder / 'manifest.json').mkdir()", "invalid", "manifest.json"),
    "save-link": asked("save", "(folder / 'manifest.json').symlink_to('/tmp/victim')", "invalid", "manifest.json"),
    "load-raises": asked("load", RAISE, "failed", "boom"),
    "load-exits": asked("load", "os._exit(3)", "crashed", "status 3"),
    "load-refuses": asked("load", "raise qdynbench.InputError('boom')", "failed", "boom"),
    "fit-raises": asked("fit", RAISE, "failed", "boom"),
    "fit-exits": asked("fit", "os._exit(3)", "crashed", "status 3"),
    "fit-crashes": asked("fit", f"start(); {CRASH}", "crashed", "SIGSEGV"),
    "fit-wrong-range": asked("fit", "data.trajectories(2, 5, 50)", "failed", "not within"),
    "fit-note-wild": asked("fit", f"context.note({WILD})", "ok"),
    "fit-progress-nan": asked("fit", "context.progress(float('nan'))", "ok"),
    "fit-progress-flood": asked("fit", "[context.progress(n / 2e4, loss=n) for n in range(20_000)]", "ok"),
    "fit-forges-need": asked("fit", FORGED, "invalid", "data that its training does not have"),
    "fit-forges": asked("fit", "write(bytes(99))", "invalid", STRAY),
    "shipped-nowhere": asked("shipped", "return ['/nowhere']", "ok"),
    "shipped-deep": asked("shipped", "return shipped('deep', '[' * 100_000)", "ok"),
    "shipped-huge": asked("shipped", "return shipped('huge', json.dumps({'notes': ['x' * 20_000_000]}))", "ok"),
    "shipped-costless": asked("shipped", COSTLESS, "failed", "says what they had cost"),
    "shipped-damaged": asked("shipped", DAMAGED, "failed", "are not those of their manifest.json"),
    # Names.
    "long-parameter": Fault("ok", body="n: int = 1", parameters=f"[n={'9' * 400}]"),
    "b" * 250: Fault("ok"),
    # What takes its time.
    "prepare-hangs": asked("prepare", HANG, "timeout", slow=True),
    "supports-hangs": asked("supports", HANG, "timeout", slow=True),
    "solve-hangs": solving(HANG, "timeout", slow=True),
    "solve-spins": solving("while True: pass", "timeout", slow=True),
    "solve-stops": solving("os.kill(os.getpid(), signal.SIGSTOP)", "timeout", slow=True),
    "message-half": solving(f"write(b'\\xc1qdb' + bytes(7)); {HANG}", "timeout", slow=True),
    "wire-closed-hangs": solving(f"os.closerange(3, 4096); {HANG}", "crashed", "closed its connection", slow=True),
    "output-endless": solving("while True: os.write(1, b'x' * 1_000_000)", "timeout", slow=True),
    "memory": solving("kept = [np.ones(20_000_000) for _ in range(100)]", "out_of_memory", slow=True),
    "memory-of-child": solving(ALLOTS, "out_of_memory", slow=True),
    "import-hangs": imported(HANG, "timeout", "loading", slow=True),
    "target-hangs": beside(HANG, "timeout", "loading", slow=True),
    "load-hangs": asked("load", HANG, "timeout", "weights", slow=True),
    "fit-hangs": asked("fit", HANG, "timeout", "fit", slow=True),
}
"""Solvers by name."""

MODEL = """
class Bad(Model):
    def hamiltonian(self, size):
        {code}

@hookimpl
def register_models(register):
    register("bad", Bad, summary="bad")
"""
ENSEMBLE = """
class Bad(Ensemble):
    def draw(self, size, count, generator):
        {code}

@hookimpl
def register_ensembles(register):
    register("bad", Bad, summary="bad")
"""
METRIC = """
class Bad(CurveMetric):
    name = "bad"

    def values(self, pair):
        {code}

@hookimpl
def register_metrics(register):
    register("bad", Bad, summary="bad")
"""
FIGURE = """
class Bad:
    def table(self, run):
        return None

    def draw(self, run):
        {code}

@hookimpl
def register_figures(register):
    register("bad", Bad, summary="bad")
"""
REGISTERS = """
@hookimpl
def register_solvers(register):
    {code}
"""
KINDS = {
    "model": (MODEL, "model={family: bad}"),
    "ensemble": (ENSEMBLE, "ensemble=bad"),
    "metric": (METRIC, "metrics=[infidelity, bad]"),
    "figure": (FIGURE, "figures=[bad]"),
    "registers": (REGISTERS, "states=2"),
    "import": ("\n{code}\n", "states=2"),
}
"""By kind, the plugin and the change of the task that makes use of it."""
OTHERS = {
    ("model", RAISE): (2, "boom"),
    ("model", "return None"): (2, "model 'bad'"),
    ("model", "sys.exit(3)"): (2, "SystemExit"),
    ("ensemble", RAISE): (1, "boom"),
    ("ensemble", "return None"): (1, "reference or metric"),
    ("ensemble", "os._exit(3)"): (1, "the scorer died: the worker process exited with status 3"),
    ("ensemble", "write(bytes(99)); return None"): (1, STRAY),
    ("metric", RAISE): (1, "boom"),
    ("metric", CRASH): (1, "the scorer died: the worker process ended by SIGSEGV"),
    ("metric", "start(start_new_session=True); return pair.prediction.norm * 0"): (0, "ok"),
    ("metric", "return torch.zeros(3)"): (1, "reference or metric"),
    ("figure", RAISE): (0, "boom"),
    ("figure", "return None"): (0, "cannot be drawn"),
    ("figure", "sys.exit(4)"): (0, "SystemExit"),
    ("registers", RAISE): (2, "boom"),
    ("registers", "register(3, 'a:B', summary='bad')"): (2, "have to be texts"),
    ("registers", "register('bad', 'a:B', summary=3)"): (2, "have to be texts"),
    ("registers", "register('bad', 3, summary='bad')"): (2, "the target of solver 'bad' is a int"),
    ("registers", "[register('bad', 'a:B', summary='bad') for _ in range(2)]"): (2, "already registered"),
    ("registers", "register('ed', 'a:B', summary='bad')"): (2, "already registered"),
    ("registers", "register('bad', 'a:B', summary='bad', gate='evil')"): (2, "the gate of 'bad'"),
    ("import", RAISE): (2, "boom"),
    ("import", "sys.exit(3)"): (2, "SystemExit"),
    ("import", "os.chdir('/')"): (0, "ok"),
    ("import", "def ("): (2, "SyntaxError"),
    ("import", "import no_such_module"): (2, "no_such_module"),
}
"""By kind and code, the exit status and what the output contains."""

TASK = """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 4}
states: 2
metrics: [infidelity]
training: {sizes: [2], trajectories: 10, steps: 4}
solvers: [ed]
timing: {batch_sizes: [1], rounds: 1, launches: 1}
limits: {seconds: 12, fit_seconds: 20, memory: 1.2 GB}
"""
GROUP = 20
"""Number of solvers in one run."""
MOST_PRINTED, MOST_KEPT = 200_000, 30_000_000
"""Bytes that a run may print, and keep in its folder."""


def run(seed: int, number: int, folder: Path) -> Iterator[Outcome]:
    """Go through all plugins, `number` times."""
    for turn in range(number):
        order = random.Random(f"{seed} {turn}")
        names = order.sample(list(FAULTS), len(FAULTS))
        for start in range(0, len(names), GROUP):
            yield from side_by_side(names[start : start + GROUP], folder / f"{turn}-{start}")
        others = order.sample(list(OTHERS), len(OTHERS))
        for place, (kind, code) in enumerate(others):
            yield alone(kind, code, folder / f"{turn}-other-{place}")


def side_by_side(names: Sequence[str], folder: Path) -> Iterator[Outcome]:
    """Run some faulty solvers beside `ed`, and judge each by its cell."""
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    solvers = [f"{name}{FAULTS[name].parameters}" for name in names]
    plugins = [part for name in names for part in ("--plugin", FAULTS[name].write(folder, name))]
    begun = time.monotonic()
    arguments = ["run", "task.yaml", "--out", "run", *plugins, "-s", "ed"]
    command = Command(folder, *arguments, *(part for solver in solvers for part in ("-s", solver)), loading=30)
    printed = command.wait(120 + 40 * len(names))
    seconds, fault = time.monotonic() - begun, clean(printed) or command.left_behind()
    if not fault and not (folder / "run" / "run.json").exists():
        fault = f"it was not run: {printed[-1000:]}"
    kept = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
    if not fault and kept > MOST_KEPT:
        fault = f"the run keeps {kept:,} bytes"
    cells = {} if fault else {cell.solver: cell for cell in load_run(folder / "run").cells}
    each = [json.loads(path.read_bytes()) for path in (folder / "run" / "cells").glob("*.json")]
    written = {one["solver"]: one for one in each}
    if not fault and ("ed" not in cells or cells["ed"].status is not Status.OK):
        fault = f"ed did not end well beside them: {cells.get('ed')}"
    for name, solver in zip(names, solvers, strict=True):
        wanted = FAULTS[name]
        yield Outcome(
            "faulty_plugins",
            name[:30],
            fault or wrong(cells.get(solver), written.get(solver, {}), wanted),
            seconds,
            math.nan,
        )


def wrong(cell: CellRecord | None, written: dict[str, Any], wanted: Fault) -> str:
    """Return what is wrong with a cell, as it is read and as it is written, or nothing."""
    if cell is None:
        return "it has no row"
    if cell.status != wanted.status or wanted.reason not in cell.reason:
        return f"{wanted.status} with {wanted.reason!r} expected, {cell.status.value} came: {cell.reason}"
    texts = [written["reason"], written["details"], written["label"], *written["notes"]]
    if any(text != legible(text, 20_000) for text in texts):
        return f"its record holds what a terminal obeys: {texts}"
    return ""


def alone(kind: str, code: str, folder: Path) -> Outcome:
    """Run a faulty plugin that is no solver."""
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    text, change = KINDS[kind]
    (folder / "bad.py").write_text(HEAD + text.format(code=code))
    status, wanted = OTHERS[kind, code]
    begun = time.monotonic()
    command = Command(folder, *("run", "task.yaml", "--out", "run", "--plugin", "bad.py", "--set", change, "-s", "ed"))
    printed = command.wait(120)
    fault = clean(printed) or command.left_behind()
    if not fault and (command.process.returncode != status or wanted not in " ".join(printed.split())):
        fault = f"exit {status} with {wanted!r} expected, {command.process.returncode} came: {printed[-2000:]}"
    return Outcome("faulty_plugins", f"{kind}: {code[:40]}", fault, time.monotonic() - begun, math.nan)


def clean(printed: str) -> str:
    """Return what is wrong with the output of a run, or nothing."""
    if "Traceback" in printed and "qdynbench/cli" in printed:
        return f"traceback: {printed[-2000:]}"
    if "\x1b" in printed or len(printed) > MOST_PRINTED:
        return f"it prints {len(printed):,} characters, or what a terminal obeys: {printed[:200]!r}"
    return ""
