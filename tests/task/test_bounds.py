"""Task files and `--set` texts that ask for too much, or are no plain data, end in one line with the place."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qdynbench.cli.options import overrides
from qdynbench.errors import InputError
from qdynbench.plugins.registry import Registry
from qdynbench.task import yaml
from qdynbench.task.load import load_task

TASK = """\
model:
  {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
states: 4
solvers: [ed]
"""
BOMB = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in itertools.pairwise("abcdefghi"))
STRINGS = ", ".join(["[1.0, ZZ, [0, 1]]"] * 6000)
SEGMENTS = ", ".join(["{duration: 1, g: 1.0}"] * 9000)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def load(folder: Path, registry: Registry, text: str) -> None:
    path = folder / "task.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    load_task(path, registry)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("metrics: [infidelity, infidelity]", "metrics: an entry appears twice"),
        ("seeds: [100000000000000000000]", "seeds.0: .*less than 9223372036854775808"),
        ("limits: {memory: 1 GB; rm}", "limits.memory: a number of bytes with its unit is needed"),
        ("title: x\nreport: {steps: 6..7}", "task.yaml:8: report.steps: the grid ends at step 5"),
        ("title: x\ntiming: {subset: {krylov: 3}}", "task.yaml:8: timing.subset: 'krylov' is not among the solvers"),
        (BOMB, r"task\.yaml:8: aliases such as \*a are not read"),
        ("a: &x [*x]", "aliases such as"),
        ("<<: {a: 1}", "unknown key '<<'"),
        ("a: " + "[" * 5000, "nested more than 20 levels deep"),
        ("a: " + "{a: " * 3000, "nested more than 20 levels deep"),
        ("- " * 2000, "task.yaml:7: "),
        ("? [a, b]", "a key is a single word, this is a list"),
        ("? {a: b}\n: 1", "a key is a single word, this is a list or a mapping"),
        ("title: !!int x", "tags such as 'tag:yaml.org,2002:int' are not read"),
        ("title: !!bool x", "tags such as"),
        ("title: !!timestamp 2020-99", "tags such as"),
        ("title: !!set {a}", "tags such as"),
        ("title: !!set {a: 1}", "tags such as"),
        ("seed: " + "9" * 1000, "more than 64"),
        ("seed: " + "9" * 5000, "longer than 2000"),
        ("seed: 0x" + "f" * 1000, "more than 64"),
        ("title: \x1b[2J", r"the character '\\x1b' is not allowed"),
        ("title: \0", r"the character '\\x00' is not allowed"),
        ('title: "\\e[2J"', r"the character '\\x1b' is not allowed"),
        ('title: "\\ud800"', "invalid Unicode character escape code"),
        ('title: "\\UFFFFFFFF"', "invalid Unicode character escape code"),
        ("batch-sizes: 1", "unknown key 'batch-sizes'; did you mean 'sizes'"),
        ("timing: {batch-sizes: 1}", "unknown key 'timing.batch-sizes'; did you mean 'batch_sizes'"),
        ("batch sizes: 1", "unknown key 'batch sizes'"),
        (".nan: 1\nstats: 3", "unknown key '.nan'"),
        ("settings: {a: {time-step: 1}}", "unknown key 'time-step'"),
        ("settings: {a: {x.y.z: 1}}", "task.yaml:7: unknown key 'x'"),
        ("settings: {a: ~}", "settings.a: input should be an object"),
        ("settings: {a: {settings: {}}}", "is chosen with --setting"),
        ("settings: {a: {" + "x." * 30 + "x: 1}}", "no task is that deep"),
        ("settings: {" + ", ".join(f"s{i}: {{states: 1}}" for i in range(9000)) + "}", "at most 100 items"),
        ("limits: {seconds: .inf}", "limits.seconds: input should be a finite number"),
        ("limits: {fit_seconds: 1e400}", "limits.fit_seconds: input should be a finite number"),
        ("timing: {seconds: .inf}", "timing.seconds: input should be a finite number"),
        ("limits: {seconds: " + "9" * 60 + "}", "limits.seconds: input should be less than"),
        ("limits: {memory: " + "9" * 60 + "}", "limits.memory: input should be less than"),
        ("limits: {memory: 0}", "limits.memory: input should be greater than 0"),
        ("timing: {rounds: 1000000000000}", "timing.rounds: input should be less than"),
        ("timing: {batch_sizes: [1000000000000]}", "timing.batch_sizes.0: input should be less than"),
        ("training: {sizes: 2..1000000000}", "training.sizes: a range of 1 to 1000 numbers is needed"),
        ("training: {sizes: [3], model: {family: isnig}}", "task.yaml:7: unknown model 'isnig'; did you mean 'ising'"),
        ("training: {sizes: [3], model: {family: ising}}", "task.yaml:7: model 'ising': key 'g' is missing"),
        (
            "training: {sizes: [16], trajectories: 1000000, steps: 1, ensemble: haar}",
            "training.trajectories: the initial states of 1000000 trajectories of 16 spins take 1.05e.03 GB",
        ),
        ("report: {steps: 1..10000000000}", "report.steps: a range of 1 to 1000 numbers"),
        ("".join(f"k{i}: 1\n" for i in range(20_000)), "and 19990 more"),
        ("".join(f"k{i}: [1, 2]\n" for i in range(20_000)), "more than 50000 values"),
        ("# " + "x" * 1_000_000, "larger than the 1000000 bytes"),
        ("--- {}", "a second document begins here"),
    ],
)
def test_what_is_no_plain_data_or_too_much_is_refused_with_its_line(
    tmp_path: Path, registry: Registry, line: str, expected: str
) -> None:
    with pytest.raises(InputError, match=r"^\S*task\.yaml(:\d+)?: (?s:.*)") as caught:
        load(tmp_path, registry, TASK + line + "\n")
    assert re.search(expected, str(caught.value)), str(caught.value)[:500]
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[2]", "2..1000000000", "task.yaml:3: sizes: a range of 1 to 1000 numbers is needed, not '2..1000000000'"),
        ("[2]", "5..2", "task.yaml:3: sizes: a range of 1 to 1000 numbers"),
        ("[2]", "[9223372036854775807]", "task.yaml:3: sizes.0: input should be less than or equal to 1000"),
        ("[2]", "1..1000", "task.yaml:1: the Hamiltonians of this task have"),
        ("states: 4", f"states: {2**60}", "task.yaml:5: states: input should be less than"),
        ("steps: 5", "steps: 1000000000000", "task.yaml:4: times.steps: input should be less than"),
        ("steps: 5", "steps: 5, time-step: 1", "task.yaml:4: unknown key 'times.time-step'; did you mean 'steps'"),
        ("J: 1.0", "J: [" + "1, " * 40_000 + "1]", "J lists 40001 values where this size needs 1"),
        ("ising, J: 1.0, g: -1.05, h: 0.5", "heisenberg, disorder: 1e308", "task.yaml:1: model 'heisenberg': Overflow"),
        ("ising, J: 1.0, g: -1.05, h: 0.5", "heisenberg, disorder: .inf", "disorder: input should be a finite number"),
        ("ising, J: 1.0, g: -1.05, h: 0.5", "driven_ising, segments: [{duration: 1e-300}]", "repeats more than 10000"),
        ("[ed]", "[" + ", ".join(f"'ed[x={i}]'" for i in range(9000)) + "]", "at most 1000 items"),
        ("[ed]", "[" + "a" * 100_000 + "]", "longer than 2000"),
        ("[ed]", "[" + ", ".join(f"'ed[x={i}]'" for i in range(999)) + "]\nseeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
         "make 10989 cells"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_refused(tmp_path: Path, registry: Registry, old: str, new: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, registry, TASK.replace(old, new))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [f"{{family: pauli, terms: [{STRINGS}]}}", f"{{family: driven_ising, segments: [{SEGMENTS}]}}"],
)
def test_a_large_model_is_read(tmp_path: Path, registry: Registry, model: str) -> None:
    load(tmp_path, registry, TASK.replace("{family: ising, J: 1.0, g: -1.05, h: 0.5}", model))


def test_the_code_of_a_family_cannot_end_the_command(tmp_path: Path) -> None:
    plugin = tmp_path / "family.py"
    plugin.write_text(
        "from qdynbench import Model, hookimpl\n"
        "class Odd(Model):\n    def hamiltonian(self, size):\n        raise KeyError('lost')\n"
        "@hookimpl\ndef register_models(register):\n    register('odd', Odd, summary='')\n"
    )
    with pytest.raises(InputError, match=r"task\.yaml:1: model 'odd': KeyError: 'lost'"):
        load(tmp_path, Registry.discover([plugin]), TASK.replace("ising, J: 1.0, g: -1.05, h: 0.5", "odd"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=!!bool x", "--set seed: tags such as"),
        ("seed=!!int x", "--set seed: tags such as"),
        ("seed=" + "9" * 5000, "--set seed: a text of 5000 characters"),
        (".=1", "--set .: unknown key ''"),
        ("? [a]=1", "--set ? [a]: unknown key '? [a]'"),
        ("batch-sizes=1", "--set batch-sizes: unknown key 'batch-sizes'; did you mean 'sizes'"),
        ("times.stps=1", "--set times.stps: unknown key 'times.stps'; did you mean 'steps'"),
        ("model.H=1", "--set model.H: model 'ising': unknown key 'H'; did you mean 'h'"),
        ("times={dt: 1, stps: 3}", "--set times: unknown key 'times.stps'; did you mean 'steps'"),
        ("sizes=2..1000000000", "--set sizes: sizes: a range of 1 to 1000 numbers"),
        ("solvers=[edd]", "--set solvers: unknown solver 'edd'; did you mean 'ed'"),
        (".".join("a" * 200) + "=1", "a key of 200 parts"),
        ("a" * 5000 + "=1", "longer than 2000"),
        ("title=\udcff", "--set title: the character '\\udcff' is not allowed"),
        ("\udcff=1", "--set: the character '\\udcff' is not allowed"),
        ("states=&a [*a]", "--set states: aliases such as *a are not read"),
        ("settings={}", "--set settings: a setting is chosen with --setting"),
    ],
)
def test_a_wrong_text_of_set_is_refused(tmp_path: Path, registry: Registry, text: str, expected: str) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(TASK)
    with pytest.raises(InputError) as caught:
        load_task(path, registry, overrides=overrides([text]))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("yes", "yes"), ("'true'", "true"),
        ("12", 12), ("-3", -3), ("010", 10), ("0x1f", 31), ("0o17", 15), ("1_000", "1_000"), ("1:30", "1:30"),
        ("1e-3", 1e-3), (".5", 0.5), ("-1.", -1.0), (".inf", float("inf")), ("-.INF", -float("inf")),
        ("2020-01-01", "2020-01-01"), ("2..8", "2..8"), ("8 GB", "8 GB"), ("[1, [a]]", [1, ["a"]]),
        ("{1: a, true: b, ~: c}", {"1": "a", "true": "b", "~": "c"}),
    ],
)  # fmt: skip
def test_values_are_read_by_the_core_schema(text: str, value: object) -> None:
    assert yaml.parse(text, "here") == value


def test_a_file_that_is_no_regular_one_is_not_opened(tmp_path: Path, registry: Registry) -> None:
    os.mkfifo(tmp_path / "task.yaml")
    with pytest.raises(InputError, match="is no regular file"):
        load_task(tmp_path / "task.yaml", registry)


def test_mutated_files_and_texts_are_survived() -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, str(root / "benchmarks" / "faults.py"), "task_files", "--number", "400"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
