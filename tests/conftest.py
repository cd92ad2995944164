"""What all tests share: the command line, as a user would run it, and a small task."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qdynbench.cli import main

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
timing: {batch_sizes: [1, 2], rounds: 3}
limits: {seconds: 60, memory: 2 GB}
"""


@pytest.fixture
def small_task(small_text: str, tmp_path: Path) -> Path:
    """Return its file, in the test's own folder."""
    path = tmp_path / "small.yaml"
    path.write_text(small_text)
    return path
