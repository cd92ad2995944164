"""Mutated task files and `--set` texts: each is loaded in a process of its own, with limits of time and memory.

The seconds are those of the processor, so that other work on the machine does not decide.
"""

from __future__ import annotations

import os
import random
import re
import resource
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from campaign.trial import Outcome
from qdynbench import load_task
from qdynbench.cli import complain
from qdynbench.cli.options import overrides
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.runner.plan import cells_of
from qdynbench.task.case import cases
from qdynbench.task.pose import pose

SECONDS, MEMORY, LONGEST_MESSAGE = 1.0, 200e6, 20_000
"""What one trial may take of processor time, of memory in bytes, and of the terminal in characters."""
SPACE = 4 << 30
"""Bytes of address space at which a trial ends in any case."""
ACCEPTED, REFUSED, BROKEN = 0, 2, 1

TASKS = Path(__file__).parents[2] / "tasks"
WHOLE = """\
name: whole
title: Every key of a task
model: {family: ising, J: 1.0, g: -1.05, h: [0.5, 0.25], boundary: open}
sizes: [2]
ensemble: random_product
times: {dt: 0.002, steps: 100}
states: 20
seed: 1
seeds: [0, 1]
training: {sizes: [2], trajectories: 10, steps: 10, dt: 0.1, noise: 0.0, model: {family: pxp}}
reference: ed
solvers: [ed, linear, "ed[precision=single]"]
metrics: [infidelity]
tolerance: 1e-8
timing: {batch_sizes: [1, 64], launches: 10, rounds: 3, seconds: 2, subset: {ed: 3}}
limits: {seconds: 120, fit_seconds: 900, memory: 8 GB}
report: {steps: 10..20}
figures: [work-precision]
keep: {trajectories: 2}
settings:
  long: {times.steps: 500, states: 1000}
"""
KEYS = re.split(
    r"\s+",
    """name title model model.J model.family sizes ensemble times times.dt times.steps states seed seeds training
    training.sizes training.model reference solvers metrics tolerance timing timing.batch_sizes timing.subset limits
    limits.seconds limits.memory report report.steps figures keep settings settings.a""",
)
"""Keys for `--set`."""
WORDS = re.split(
    r"\s+",
    """~ null true .inf -.inf .nan 0 -0 -1 1.5 1e400 1e-400 1e308 0x1f 0o17 1_000 1:30 '' "" [] {} [[]] {{}} [a,b] {a:b}
    ed all none ising 2..3 2..1000000000 5..2 .. 2..99999999999999999999 1000000000000 2020-01-01 ² ٢..٣ << [1,2]
    *a &a !!int !!python/name:os.system ../../x /etc/passwd a/b "\\x1b[2J" "\\ud800" "\\u202e" "\\0" '[/red]' | > % @ `
    8GB 0B 1XB -1GB ed[ ed[mode] "ed[a=1,a=2]" [1e999] [2,2] [1000000000] [1.0] ["2"] {family:pxp} {family:xy}""",
)
"""Values, and parts of values, that have been trouble somewhere."""
LONG: tuple[Callable[[], str], ...] = (
    lambda: "9" * 5000,
    lambda: "a" * 100_000,
    lambda: "[" * 5000,
    lambda: "{a: " * 200,
    lambda: "[" + "1, " * 60_000 + "1]",
    lambda: "[" + ", ".join(map(str, range(2, 3000))) + "]",
    lambda: "{" + ", ".join(f"k{index}: 1" for index in range(20_000)) + "}",
    lambda: "{family: pauli, terms: [" + "[1.0, ZZ, [0, 1]], " * 6000 + "]}",
    lambda: "{family: driven_ising, segments: [" + "{duration: 1, g: 1}, " * 8000 + "]}",
    lambda: "{family: long_range_ising, g: 1.0, alpha: 1.0}",
)
"""Values that are long, or long once they are built."""
LINES = re.split(
    r"[|\n]",
    """batch-sizes: 1|? [a, b]|? {a: b}|: 1|- 1|<<: {a: 1}|1: 2|~: 1|.nan: 1|"": 1|"a b": 1|a.b: 1|!!set {a, b}|---|...
%YAML 9.9|%TAG ! x:|a: &a [1, 1]|b: &b [*a, *a, *a, *a, *a, *a]|c: [*b, *b, *b, *b]|a: &x [*x]|\t|# end|stats: 3
settings: {1: {}}|settings: {a: {times.dt.x: 1}}|settings: {a: {x-y: 1}}|times: {x-y: 1}|limits: {seconds: .inf}
!!python/object/apply:os.system ['touch hacked']|title: !!python/object/apply:os.system ['touch hacked']""",
)
ODD = [*"[]{}&*!|>%@`#:-?,'\"\\ \n\t\r\0\x07\x1b\x85\u2028\ufeff\ud800\U0001f600"]
"""Letters that mean something in YAML, and letters that are not allowed there."""


def run(seed: int, number: int, folder: Path) -> Iterator[Outcome]:
    """Yield the outcome of `number` trials: of three, two are task files and one is a `--set` text."""
    registry = Registry.discover()
    texts = [WHOLE, *(path.read_text() for path in sorted(TASKS.rglob("*.yaml")))]
    for index in range(number):
        chance = random.Random(f"{seed} {index}")
        if index % 3 == 2:
            setting = f"{_key(chance)}={_value(chance)}"
            yield _trial(f"{index}: --set {setting[:60]!r}", folder, registry, WHOLE.encode(), setting)
        else:
            text = chance.choice(texts)
            for _ in range(chance.randint(1, 3)):
                text = chance.choice(MUTATIONS)(text, chance)
            content = text.encode(errors="surrogatepass")
            if chance.random() < 0.05:
                place = chance.randrange(len(content) + 1)
                content = content[:place] + chance.randbytes(chance.randint(1, 4)) + content[place:]
            yield _trial(f"{index}: file", folder, registry, content, None)


def _trial(name: str, folder: Path, registry: Registry, content: bytes, setting: str | None) -> Outcome:
    path, output = folder / "task.yaml", folder / "output"
    path.write_bytes(content)
    child = os.fork()
    if child == 0:
        _child(path, output, registry, setting)
    _, status, used = os.wait4(child, 0)
    seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024.0
    fault = _fault(os.waitstatus_to_exitcode(status), output.read_text(errors="replace"), seconds, memory)
    if more := {found.name for found in folder.iterdir()} - {"task.yaml", "output"}:
        fault = f"there is a new file: {', '.join(more)}"
    return Outcome("task_files", name, fault, seconds, memory)


def _fault(code: int, said: str, seconds: float, memory: float) -> str:
    if code not in {ACCEPTED, REFUSED}:
        return f"it ended with {code}: {said[-400:]}"
    if code == REFUSED and not said.startswith("error: "):
        return f"refused without a message: {said[:400]!r}"
    if len(said) > LONGEST_MESSAGE:
        return f"a message of {len(said)} characters"
    if seconds > SECONDS:
        return f"{seconds:.1f} s"
    return f"{memory / 1e6:.0f} MB" if memory > MEMORY else ""


def _child(path: Path, output: Path, registry: Registry, setting: str | None) -> None:
    """Load the task as `qdynbench run` does, and pose its first problem; it never returns."""
    code = BROKEN
    try:
        resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        os.chdir(path.parent)
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        changes: Mapping[str, Any] = {} if setting is None else overrides([setting])
        task = load_task(path, registry, overrides=changes)
        cells_of(task)
        pose(task, registry, cases(task)[0], batch=1, device="cpu", threads=1)
        task.model_dump_json()
        code = ACCEPTED
    except InputError as error:
        complain(str(error))
        code = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _value(chance: random.Random) -> str:
    if chance.random() < 0.05:
        return chance.choice(LONG)()
    if chance.random() < 0.2:
        return "".join(chance.choice([*WORDS, *ODD]) for _ in range(chance.randint(1, 5)))
    return chance.choice(WORDS)


def _key(chance: random.Random) -> str:
    key = chance.choice(KEYS)
    if chance.random() < 0.2:
        place = chance.randrange(len(key) + 1)
        key = key[:place] + chance.choice([*ODD, ".", "..", ".x", "-", ".".join("a" * 200)]) + key[place:]
    return key


def _other_value(text: str, chance: random.Random) -> str:
    lines = text.splitlines()
    index = chance.randrange(max(1, len(lines)))
    head, colon, _ = (lines[index] if lines else "").partition(":")
    return "\n".join([*lines[:index], f"{head}{colon} {_value(chance)}", *lines[index + 1 :]])


def _inner_value(text: str, chance: random.Random) -> str:
    """Exchange what stands between two of the characters that part values."""
    places = [index for index, letter in enumerate(text) if letter in ":,[]{}\n"]
    if len(places) < 2:
        return text
    index = chance.randrange(len(places) - 1)
    return f"{text[: places[index] + 1]} {_value(chance)}{text[places[index + 1] :]}"


def _new_line(text: str, chance: random.Random) -> str:
    lines = text.splitlines()
    line = chance.choice(LINES)
    lines.insert(chance.randrange(len(lines) + 1), " " * chance.choice([0, 0, 0, 2, 4]) + line)
    return "\n".join(lines)


def _lines_moved(text: str, chance: random.Random) -> str:
    lines = text.splitlines() or [""]
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randrange(3)):  # gone, moved or twice
        lines.insert(chance.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _odd_letter(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    return text[:place] + chance.choice(ODD) * chance.choice([1, 1, 1, 3]) + text[place + chance.randrange(3) :]


def _cut(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    return text[:start] + text[start + chance.randrange(200) :]


MUTATIONS = (_other_value, _other_value, _inner_value, _inner_value, _new_line, _lines_moved, _odd_letter, _cut)
