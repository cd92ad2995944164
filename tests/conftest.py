"""What all tests share: the command line, as a user would run it, and a small task."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.cli import main
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from tests.runs import Entry, ended, exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def qdynbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `qdynbench` in an empty folder, with a cache of its own.

    It runs in this process, whose workers are processes of their own: a new interpreter takes seconds to import all
    that there is. The documents and `new_process` are run by the installed command.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        for name, value in {"COLUMNS": "100", **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["qdynbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return subprocess.CompletedProcess(sys.argv, int(end.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def new_process(tmp_path: Path) -> Command:
    """Return a function that does the same in a process of its own."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("qdynbench")), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "100", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def small_text() -> str:
    """Return a task that runs in a second or two."""
    return """\
model: {family: ising, J: 1.0, g: -1.05, h: 0.5}
sizes: [2, 3]
times: {dt: 0.01, steps: 5}
states: 4
solvers: [ed]
timing: {batch_sizes: [1, 2], rounds: 3, launches: 1}
limits: {seconds: 60, memory: 2 GB}
"""


@pytest.fixture
def small_task(small_text: str, tmp_path: Path) -> Path:
    """Return its file, in the test's own folder."""
    path = tmp_path / "small.yaml"
    path.write_text(small_text)
    return path


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run like that of the shipped task, below the working directory: every solver of it, all healthy."""
    monkeypatch.chdir(tmp_path)
    sizes = range(2, 9)
    protocol = {"label": "paper's protocol: state by state", "protocol": ["mode"], "timed_states": 8}
    assumption = "assumes that amplitudes couple by single spin flips"
    unsupported = "no trajectories of {} spins in the training data"
    return make_run(
        "run",
        {
            "ed": {n: exact(1e-6 * 2**n) for n in sizes},
            "ed[mode=per_state]": {n: exact(8e-6 * 2**n, **protocol) for n in sizes},
            "sru": {n: Entry(error=1e-9 * 7.0**n, seconds=2e-6 * 2**n, label=assumption) for n in sizes},
            "persistence": {n: Entry(error=0.06, seconds=1e-8) for n in sizes},
            "linear": {
                n: Entry(error=1e-12, seconds=1e-6 * 2**n, jitter=0.05)
                if n <= 4
                else ended(Status.UNSUPPORTED, unsupported.format(n))
                for n in sizes
            },
            "local-generator": {n: Entry(error=1e-25, seconds=1.5e-6 * 2**n) for n in sizes},
        },
        {"sru": {"source": "shipped", "fit_time": 229.0, "data_time": 3.2}, "linear": {}, "local-generator": {}},
    )


@pytest.fixture
def troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return an interrupted run, below the working directory, in which everything went wrong that can."""
    monkeypatch.chdir(tmp_path)
    boom = 'Traceback (most recent call last):\n  File "mine.py", line 3\n\tValueError: [red]boom[/red]'
    failed = ended(Status.FAILED, "ValueError: [red]boom[/red]", boom)
    return make_run(
        "run",
        {
            "ed": {2: exact(1e-6), 3: exact(2e-6), 4: exact(4e-6)},
            "mine[width=32]": {
                2: ended(Status.INVALID, "states have shape (2, 4), (40, 101, 4) is needed"),
                3: failed,
                4: failed,
            },
            "slow": {
                2: Entry(error=1e-9, seconds=1e-3),
                3: Entry(error=1e-9, seconds=None, complete=False),
                4: Entry(error=1e-9, seconds=1e-2, batches=[1], status=Status.TIMEOUT, reason="solve: over 120 s"),
            },
            "large": {
                2: ended(Status.CRASHED, "the process died with signal 11"),
                3: ended(Status.OUT_OF_MEMORY, "over 8 GB of memory"),
                4: ended(Status.INFEASIBLE, "predicted memory 70 GB, limit 8 GB"),
            },
            "unfit": {n: ended(Status.TIMEOUT, "fit: over 900 s") for n in (2, 3, 4)},
        },
        {"unfit": {"status": Status.TIMEOUT, "reason": "fit: over 900 s", "details": "last lines of the log"}},
        missing=2,
    )
