"""Bad input ends with status 2, one message that says what to do, and nothing run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2]
times: {dt: 0.01, steps: 5}
states: 4
solvers: [ed]
"""


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


CASES = {
    "unknown key": (GOOD + "staets: 3\n", ("task.yaml:6", "unknown key 'staets'", "did you mean 'states'")),
    "unknown inner key": (changed("dt:", "Dt: 1, dt:"), ("task.yaml:3", "'times.Dt'", "did you mean 'dt'")),
    "unknown key with a dash": (GOOD + "batch-sizes: 1\n", ("task.yaml:6", "'batch-sizes'", "did you mean 'sizes'")),
    "list for a key": (GOOD + "? [a, b]\n", ("task.yaml:6", "a key is a single word")),
    "alias bomb": (GOOD + "a: &a [1, 1]\nb: [*a, *a]\n", ("task.yaml:7", "aliases such as *a are not read")),
    "endless range": (changed("[2]", "2..1000000000"), ("task.yaml:2", "a range of 1 to 1000 numbers")),
    "infinite limit": (GOOD + "limits: {seconds: .inf}\n", ("task.yaml:6", "limits.seconds", "finite")),
    "wrong type": (changed("states: 4", "states: many"), ("task.yaml:4", "states", "integer", "'many'")),
    "boolean for a number": (changed("states: 4", "states: true"), ("task.yaml:4", "states", "integer")),
    "negative dt": (changed("0.01", "-0.01"), ("task.yaml:3", "times.dt", "greater than 0", "-0.01")),
    "infinite dt": (changed("0.01", ".inf"), ("task.yaml:3", "times.dt", "finite")),
    "size 0": (changed("[2]", "[0]"), ("task.yaml:2", "sizes.0", "greater than 0")),
    "size twice": (changed("[2]", "[2, 2]"), ("task.yaml:2", "sizes", "twice")),
    "unknown solver": (changed("[ed]", "[edd]"), ("unknown solver 'edd'", "did you mean 'ed'")),
    "malformed solver": (changed("[ed]", "['ed[mode']"), ("task.yaml:5", "name[key=value,key=value]")),
    "unknown parameter": (changed("[ed]", "['ed[moed=batched]']"), ("no parameter 'moed'", "did you mean 'mode'")),
    "wrong parameter": (changed("[ed]", "['ed[mode=fast]']"), ("mode=fast", "batched")),
    "unknown metric": (GOOD + "metrics: [infidelitty]\n", ("task.yaml:6", "did you mean 'infidelity'")),
    "unknown figure": (
        GOOD + "figures:\n  - paper-fig2\n  - paper-fig33\n",
        ("task.yaml:8", "unknown figure 'paper-fig33'", "did you mean 'paper-fig3'"),
    ),
    "figure twice": (GOOD + "figures: [paper-fig2, paper-fig2]\n", ("task.yaml:6", "figures", "twice")),
    "figure with a path": (GOOD + "figures: [../fig2]\n", ("task.yaml:6", "figures.0", "'../fig2'")),
    "too much kept": (
        changed("[2]", "[16]").replace("states: 4", "states: 900") + "keep:\n  trajectories: 900\n",
        ("task.yaml:7", "keep.trajectories", "11.3 GB", "more than 1 GB"),
    ),
    "bad name of a setting": (GOOD + "settings: {../x: {states: 3}}\n", ("task.yaml:6", "settings")),
    "unknown family": (changed("ising", "isnig"), ("unknown model 'isnig'", "did you mean 'ising'")),
    "no family": (changed("family: ising, ", ""), ("needs a 'family'", "ising")),
    "unknown model parameter": (changed("h: 0.5", "H: 0.5"), ("unknown key 'H'", "did you mean")),
    "list of the wrong length": (changed("h: 0.5", "h: [1, 2, 3]"), ("h lists 3 values", "needs 2")),
    "unknown ensemble": (GOOD + "ensemble: random\n", ("unknown ensemble 'random'", "random_product")),
    "unknown reference": (GOOD + "reference: exact\n", ("unknown solver 'exact'",)),
    "object tag": ("!!python/object/apply:os.system ['touch hacked']\n", ("task.yaml:1", "tags such as")),
    "object tag inside": (
        changed("states: 4", "states: !!python/object/apply:os.system ['touch hacked']"),
        ("task.yaml:4", "tags such as", "a task is plain data"),
    ),
    "empty file": ("", ("the file is empty",)),
    "only comments": ("# nothing\n", ("the file is empty",)),
    "a list": ("- 1\n", ("a task is a mapping",)),
    "broken YAML": ("model: {family: ising\nsizes: [\n", ("task.yaml:",)),
    "key twice": (GOOD + "states: 5\n", ("task.yaml:6", "'states' is given twice")),
    "no solver": (changed("solvers: [ed]\n", ""), ("at least one entry under 'solvers'",)),
    "empty solvers": (changed("[ed]", "[]"), ("at least one entry under 'solvers'",)),
    "missing model": ("sizes: [2]\ntimes: {dt: 0.1, steps: 1}\nsolvers: [ed]\n", ("key 'model' is missing",)),
    "bad name": (GOOD + "name: ../../etc\n", ("task.yaml:6", "name")),
    "step beyond the grid": (GOOD + "report: {steps: [6]}\n", ("report.steps", "ends at step 5")),
    "learned reference": (
        GOOD + "reference: local-generator\ntraining: {sizes: [2]}\n",
        ("reference 'local-generator': it is learned",),
    ),
    "learned without training": (changed("[ed]", "[local-generator]"), ("no 'training' section",)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_task_is_refused_with_its_line(qdynbench: Command, tmp_path: Path, name: str) -> None:
    text, expected = CASES[name]
    (tmp_path / "task.yaml").write_text(text)
    done = qdynbench("run", "task.yaml")
    assert done.returncode == 2, done.stdout + done.stderr
    for part in expected:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "hacked").exists()
    assert not list(tmp_path.glob("runs/*/cells/*"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "nowhere.yaml"), "'nowhere.yaml' does not exist"),
        (("run", "ising_mixd"), "did you mean 'ising_mixed'"),
        (("run", "paper/fig9"), "unknown task 'paper/fig9'; did you mean 'paper/fig"),
        (("run", "ising_mixed", "--setting", "full"), "the task has no settings"),
        (("run", "paper/fig2", "--setting", "ful"), "did you mean 'full'"),
        (("compare", "sru", "ed", "--setting", "full"), "belongs to a task"),
        (("run", "ising_mixed", "--set", "states"), "write key=value"),
        (("run", "ising_mixed", "--set", "times.stps=3"), "did you mean 'steps'"),
        (("run", "ising_mixed", "--set", "name.inner=3"), "single value"),
        (("run", "ising_mixed", "--solver", "sur"), "did you mean 'sru'"),
        (("run", "ising_mixed", "--device", "gpu"), "unknown device 'gpu'"),
        (("run", "ising_mixed", "--device", "cuda"), "no CUDA device"),
        (("run", "ising_mixed", "--threads", "4096"), "4096 threads"),
        (("run", "ising_mixed", "--plugin", "absent.py"), "does not exist"),
        (("run", "ising_mixed", "--out", "/proc/nowhere"), "cannot write to"),
        (("run", "ising_mixed", "--out", "file"), "is a file"),
        (("run", "ising_mixed", "--out", "full"), "files that are not a run"),
        (("compare", "sru"), "at least two different solvers"),
        (("compare", "sru", "sru"), "at least two different solvers"),
        (("compare", "sru", "ed"), "there is no run yet"),
        (("run",), "which task?"),
        (("compare", "sru", "ed", "--run", "nowhere"), "unknown task 'nowhere'"),
        (("report",), "there is no run yet"),
        (("report", "nowhere"), "no run at 'nowhere'"),
        (("check", "sur"), "did you mean 'sru'"),
    ],
)
def test_a_wrong_command_line_is_refused(
    qdynbench: Command, tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    if "cuda" in arguments:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            arguments, expected = ("run", "ising_mixed", "--device", "gpu"), "unknown device"
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    done = qdynbench(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert expected in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("rnu",), ("run", "ising_mixed", "--frsh"), ("list", "solver")])
def test_wrong_usage_exits_with_2(qdynbench: Command, arguments: tuple[str, ...]) -> None:
    done = qdynbench(*arguments)
    assert done.returncode == 2
    assert "Usage" in done.stderr


def test_a_wrong_task_of_a_folder_does_not_stop_the_others(qdynbench: Command, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, text in {"a": "sizes: [", "b": GOOD, "c": GOOD + "? [a]\n", "d": GOOD}.items():
        (folder / f"{name}.yaml").write_text(text)
    done = qdynbench("run", "tasks", "--quiet", "--set", "timing={launches: 1}", "--out", "here")
    assert done.returncode == 2
    assert [line.split("/")[-1].split(":")[0] for line in done.stderr.splitlines()] == ["a.yaml", "c.yaml"]
    assert sorted(path.parent.name for path in tmp_path.glob("here/*/results.parquet")) == ["b", "d"]


def test_a_wrong_task_is_refused_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("batch-sizes: 1")
    code = (
        "import sys; from qdynbench.cli import main; sys.argv[1:] = ['run', 'task.yaml']\n"
        "try: main()\nfinally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "False\n")


@pytest.mark.parametrize("command", [("run",), ("report",), ("compare", "ed", "krylov", "--run"), ("run", "--weights")])
def test_a_name_that_is_too_long_for_a_file_is_refused(qdynbench: Command, command: tuple[str, ...]) -> None:
    arguments = (*command, "a" * 300, "ising_mixed") if "--weights" in command else (*command, "a" * 300)
    assert qdynbench(*arguments).returncode == 2


def test_a_plugin_file_with_a_syntax_error_names_the_line(qdynbench: Command, tmp_path: Path, small_task: Path) -> None:
    (tmp_path / "broken.py").write_text("def solve(:\n")
    done = qdynbench("run", small_task, "--plugin", "broken.py")
    assert done.returncode == 2
    assert "broken.py" in done.stderr
    assert "SyntaxError" in done.stderr
    assert "line 1" in done.stderr


def test_a_plugin_file_that_takes_a_name_is_refused(qdynbench: Command, tmp_path: Path, small_task: Path) -> None:
    (tmp_path / "thief.py").write_text(
        "from qdynbench import hookimpl\n"
        "@hookimpl\ndef register_solvers(register):\n    register('ed', 'nowhere:X', summary='')\n"
    )
    done = qdynbench("run", small_task, "--plugin", "thief.py")
    assert done.returncode == 2
    assert "already registered" in done.stderr


def test_a_broken_installed_plugin_is_a_warning_and_an_error_only_by_name(
    new_process: Command, tmp_path: Path, small_task: Path
) -> None:
    package = tmp_path / "site" / "qdynbench_broken"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import no_such_module\n")
    info = tmp_path / "site" / "qdynbench_broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: qdynbench-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qdynbench]\nbroken = qdynbench_broken\n")
    path = str(tmp_path / "site")
    listed = new_process("plugins", PYTHONPATH=path)
    assert listed.returncode == 0
    assert "no_such_module" in listed.stdout
    assert new_process("run", small_task, "--quiet", PYTHONPATH=path).returncode == 0
    asked = new_process("run", small_task, "--solver", "broken", PYTHONPATH=path)
    assert asked.returncode == 2
    assert "ModuleNotFoundError" in asked.stderr


def test_a_scorer_that_cannot_be_started_is_in_the_way_of_its_own_task_alone(
    qdynbench: Command, small_text: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(
        "from qdynbench import ProductEnsemble, hookimpl\n"
        "class Broken(ProductEnsemble):\n"
        "    def __init__(self):\n"
        "        raise ValueError('no states today')\n"
        "    def spinors(self, size, count, generator):\n"
        "        pass\n"
        "@hookimpl\n"
        "def register_ensembles(register):\n"
        "    register('broken', Broken, summary='cannot be made')\n"
    )
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.yaml").write_text(small_text + "ensemble: broken\n")
    (tmp_path / "tasks" / "b.yaml").write_text(small_text.replace("[2, 3]", "[2]"))
    done = qdynbench("run", "tasks", "--quiet", "--plugin", "broken.py", "--out", "here")
    assert "no states today" in done.stderr
    assert done.returncode == 1
    assert (tmp_path / "here" / "b" / "run.json").exists()


def test_two_tasks_do_not_share_a_folder_and_two_runs_do_not_write_it(
    qdynbench: Command, tmp_path: Path, small_task: Path
) -> None:
    code = (
        "import sys, pathlib; from qdynbench.record.store import Store; from qdynbench.task.load import load_task\n"
        f"store = Store.create(pathlib.Path('here'), load_task({str(small_task)!r}), fresh=False)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        second = qdynbench("run", small_task, "--out", "here")
    finally:
        holder.kill()
        holder.wait()
    assert second.returncode == 2
    assert "another run is using" in second.stderr
    assert qdynbench("run", small_task, "--quiet", "--out", "here").returncode == 0  # the lock went with its holder
    assert (tmp_path / "here" / "results.parquet").is_file()
    other = qdynbench("run", small_task, "--set", "name=other", "--out", "here")
    assert other.returncode == 2
    assert "holds a run of task 'small'" in other.stderr
