"""Whatever a worker starts ends with it, counts in its limit, and does not hide its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from qdynbench.record.results import Run
from qdynbench.workers import family, process
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Environment, Worker, WorkerFailure

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the group of a process is reached")

PLUGIN = """\
import os, subprocess, sys, time
from pathlib import Path
from qdynbench import Block, Knowledge, Solver, hookimpl

def begin(code):
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, start_new_session=True)
    Path({folder!r}, "child").write_text(str(child.pid))

class Parent(Solver):
    knowledge = Knowledge.TRAJECTORIES
    how: str = "starts"

    def __post_init__(self):
        if self.how == "holds" and os.fork() == 0:
            time.sleep(60)
        if self.how == "holds":
            os._exit(3)
        if self.how == "starts":
            if not (between := os.fork()):  # its child loses its parent at once
                begin("import time; time.sleep(60)")
                os._exit(0)
            os.waitpid(between, 0)
        if self.how == "waits" and not Path({folder!r}, "seen").exists():
            time.sleep(5)
            child = Path({folder!r}, "child").read_text()
            Path({folder!r}, "seen").write_text(str(Path("/proc", child).exists()))
        if self.how == "allots":
            begin("x = bytearray(1_500_000_000); import time; time.sleep(60)")
            time.sleep(60)

    def solve(self, given):
        yield Block(0, given.states[:, None].expand(-1, self.problem.steps + 1, -1))

@hookimpl
def register_solvers(register):
    register("parent", Parent, summary="has children")
"""


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "parent.py").write_text(PLUGIN.format(folder=str(tmp_path)))
    return Environment(1, "cpu", 1_200_000_000, tmp_path)


@pytest.fixture
def worker(environment: Environment) -> Iterator[Worker]:
    made = Worker("solver", "parent", environment)
    yield made
    made.kill()


def load(how: str, environment: Environment) -> to.Load:
    return to.Load(f"parent[how={how}]", environment.setting((environment.logs / "parent.py",)))


def child_in(folder: Path) -> int:
    deadline = time.monotonic() + 10
    while not (path := folder / "child").exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def gone(child: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@linux
@pytest.mark.parametrize("end", ["is killed", "dies"])
def test_what_a_worker_has_started_ends_with_it(
    worker: Worker, environment: Environment, tmp_path: Path, end: str
) -> None:
    # It lived on when the worker had died by itself, and in a session of its own always.
    worker.ask(load("starts", environment), seconds=30)
    child = child_in(tmp_path)
    assert child in family.descendants(worker._process.pid)
    if end == "dies":
        os.kill(worker._process.pid, signal.SIGSEGV)
    else:
        worker.kill()
    assert gone(child)


@linux
def test_a_worker_is_held_to_its_limits_while_another_one_is_waited_for(
    qdynbench: Callable[..., object], small_task: Path, environment: Environment, tmp_path: Path
) -> None:
    # While one was slow to load, the next one could take all memory.
    solvers = [part for how in ("waits", "allots") for part in ("--solver", f"parent[how={how}]")]
    qdynbench(
        *("run", small_task, "--quiet", "--plugin", environment.logs / "parent.py", "--out", "run"),
        *solvers,
        *("--set", "limits.memory=1200000000", "--set", "sizes=[2]"),
    )
    assert (tmp_path / "seen").read_text() == "False"
    cells = {cell.solver: cell for cell in Run(tmp_path / "run").cells}
    assert cells["parent[how=allots]"].status == "out_of_memory"
    assert cells["parent[how=waits]"].status == "ok"


@linux
def test_it_ends_with_the_main_process_as_well(environment: Environment, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from qdynbench.workers import protocol as to\n"
        "from qdynbench.workers.process import Environment, Worker\n"
        f"environment = Environment(1, 'cpu', 10**9, Path({str(tmp_path)!r}))\n"
        "setting = environment.setting((environment.logs / 'parent.py',))\n"
        "Worker('solver', 'parent', environment).ask(to.Load('parent', setting), seconds=30)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, script], check=False).returncode == -signal.SIGKILL
    assert gone(child_in(tmp_path))


@linux
def test_the_memory_of_a_child_counts(worker: Worker, environment: Environment) -> None:
    with pytest.raises(WorkerFailure, match=r"loading used .* more than the limit of 1\.20 GB") as caught:
        worker.ask(load("allots", environment), seconds=30)
    assert caught.value.status == "out_of_memory"


@linux
def test_memory_that_processes_share_counts_once() -> None:
    # Sixteen forks of a process that holds much, such as loaders of data, are not sixteen times as much.
    script = "import os, time; held = b'x' * 200_000_000; os.fork(); os.fork(); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 10
        while len(family.descendants(parent.pid)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert family.resident(parent.pid, beyond=1e9) > 8e8
        assert 2e8 < family.resident(parent.pid, beyond=5e8) < 3e8
    finally:
        family.end([parent.pid])
        parent.wait()


@pytest.mark.parametrize("forked", [pytest.param(True, marks=linux), False])
def test_a_crash_is_noticed_at_once_even_if_a_child_holds_the_connection(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, forked: bool
) -> None:
    # It was noticed at the time limit, and called a timeout.
    if not forked:
        monkeypatch.setattr(sys, "platform", "darwin")
    worker = Worker("solver", "parent", environment)
    monkeypatch.undo()
    try:
        with pytest.raises(WorkerFailure, match="exited with status 3") as caught:
            worker.ask(load("holds", environment), seconds=60)
        assert caught.value.status == "crashed"
    finally:
        worker.kill()


def test_a_log_does_not_grow_without_end(
    worker: Worker, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LONGEST_LOG", 100_000)
    with worker.log.open("ab") as log:
        log.write(b"x" * 200_000 + b"\nthe end of it\n")
    worker.ask(load("does nothing", environment), seconds=30)
    worker.kill()
    assert worker.log.stat().st_size < 10_000
    assert worker.tail().endswith("the end of it")
