"""What `qdynbench new` writes works as it stands: its own test, `check`, and a row beside `ed`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench import Status, load_run
from qdynbench.cli.new import What

Command = Callable[..., subprocess.CompletedProcess[str]]
KINDS = [what.value for what in What]
QUICK = [
    "--set",
    "states=4",
    "--set",
    "timing={batch_sizes: [1], launches: 2, rounds: 2}",
    "--threads",
    "1",
    "--out",
    "run",
    "--quiet",
]
SMALLER = {"learned-solver": ["--set", "training.trajectories=50"], "ensemble": ["--set", "sizes=[2]"]}


def commands(output: str) -> list[list[str]]:
    """Return the commands that `new` says come next."""
    return [shlex.split(line) for line in output.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_passes_its_test_and_runs(qdynbench: Command, tmp_path: Path, kind: str) -> None:
    made = qdynbench("new", kind, "my_own-thing", COLUMNS="200")
    assert made.returncode == 0, made.stderr
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["my_own_thing", "test_my_own_thing"]
    test, *others, run = commands(made.stdout)
    tested = subprocess.run(
        [sys.executable, "-m", *test, "-q", "-n", "0", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    for command in others:
        checked = qdynbench(*command[1:])
        assert checked.returncode == 0, checked.stdout
    sizes = [] if kind in {"solver", "learned-solver"} else ["--set", "sizes=[2]"]
    done = qdynbench(*run[1:], *QUICK, *sizes, *SMALLER.get(kind, []))
    assert done.returncode == 0, done.stdout + done.stderr
    found = load_run(tmp_path / "run")
    if "solver" in kind:
        rows = {cell.solver: cell.status for cell in found.cells if cell.size == 3}
        assert rows["my_own-thing"] is rows["ed"] is Status.OK
    if kind == "metric":
        assert "my_own-thing" in {score.metric for cell in found.cells for score in cell.scores}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("solver", "ed"), "'ed' is registered by plugin 'exact'"),
        (("solver", "../ed"), "is no name"),
        (("solver", "9lives"), "is no name"),
        (("solver", "random"), "random.py would hide the Python module 'random'"),
        (("solver", "numpyro-numpy"), ""),
        (("metric", "numpy"), "numpy.py would hide the Python module 'numpy'"),
        (("model", "lambda"), "would hide"),
        (("solver", "there"), "there.py exists already"),
        (("task", "tested"), "test_tested.py exists already"),
    ],
)
def test_a_name_that_would_do_harm_is_refused(
    qdynbench: Command, tmp_path: Path, arguments: tuple[str, str], expected: str
) -> None:
    before = {tmp_path / "there.py": "thesis", tmp_path / "test_tested.py": "thesis"}
    for path, text in before.items():
        path.write_text(text)
    done = qdynbench("new", *arguments)
    assert done.returncode == (2 if expected else 0), done.stdout + done.stderr
    assert expected in done.stderr.replace("\n", " ")
    assert all(path.read_text() == text for path, text in before.items())
    assert not expected or set(tmp_path.iterdir()) == set(before)


def test_nothing_is_written_through_a_link(qdynbench: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").symlink_to(tmp_path / "gone.py")
    assert "exists already" in qdynbench("new", "solver", "mine").stderr
    assert not (tmp_path / "gone.py").exists()


@pytest.mark.parametrize("name", ["solver", "block", "torch-2", "MySolver"])
def test_no_name_hides_what_the_file_imports(qdynbench: Command, tmp_path: Path, name: str) -> None:
    assert qdynbench("new", "solver", name, "--out", "here").returncode == 0
    file = f"here/{name.lower().replace('-', '_')}.py"
    assert qdynbench("list", "solvers", "--plugin", file).returncode == 0
    assert qdynbench("check", name, "--plugin", file).returncode == 0
