"""Workers are forked one by one, in their own surroundings, and whatever happens to a launcher is said."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from qdynbench.workers.launcher import Launcher
from qdynbench.workers.process import Environment, Worker, WorkerFailure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are not forked")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(1, "cpu", 4_000_000_000, tmp_path)


@pytest.fixture
def workers(environment: Environment) -> Iterator[list[Worker]]:
    made: list[Worker] = []
    yield made
    for worker in made:
        worker.kill()


def pid_of(worker: Worker) -> int:
    return worker._process.pid


def begun(worker: Worker) -> int:
    """Return the process of a worker that has taken over its log."""
    pid, deadline = pid_of(worker), time.monotonic() + 10
    while Path(f"/proc/{pid}/fd/1").readlink().name != f"{worker.name}.log":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return pid


def until_dead(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_is_forked_in_the_surroundings_of_the_main_process(
    environment: Environment, workers: list[Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("SLURM_SUBMIT_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_NOTE", "x" * 100_000)
    monkeypatch.setenv("XDG_ODD", os.fsdecode(b"caf\xe9"))
    workers.append(Worker("solver", "first", environment))
    pid, deadline = begun(workers[0]), time.monotonic() + 10
    while os.readlink(f"/proc/{pid}/cwd") != "/":
        assert time.monotonic() < deadline
    arguments = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes())
    for text in (arguments, *environment.variables().values()):
        assert str(tmp_path) not in text  # the solver may be blind to the task that lies there
    assert os.getsid(pid) == pid
    sockets = [name for name in os.listdir(f"/proc/{pid}/fd") if "socket" in os.readlink(f"/proc/{pid}/fd/{name}")]
    assert len(sockets) == 1  # neither that of another worker nor the launcher's
    assert workers[0].alive


def test_a_fork_is_quick(environment: Environment, workers: list[Worker]) -> None:
    workers.append(Worker("solver", "warm", environment))
    began = time.perf_counter()
    workers += [Worker("solver", f"next {number}", environment) for number in range(4)]
    assert time.perf_counter() - began < 1


def test_the_exit_status_is_that_of_the_worker(environment: Environment, workers: list[Worker]) -> None:
    workers += [Worker("solver", name, environment) for name in ("killed", "left")]
    os.kill(pid_of(workers[0]), signal.SIGSEGV)
    assert workers[0]._process.wait(timeout=10) == -signal.SIGSEGV
    workers[1].channel.close()
    assert workers[1]._process.wait(timeout=10) == 0
    assert not workers[0].alive
    assert not workers[1].alive


def test_a_launcher_that_dies_takes_its_workers_with_it_and_is_replaced(
    environment: Environment, workers: list[Worker]
) -> None:
    workers.append(Worker("solver", "first", environment))
    first = workers[0]._process
    Launcher.for_(environment.variables())._process.kill()
    assert first.wait(timeout=10) == -signal.SIGKILL
    workers.append(Worker("solver", "second", environment))
    assert workers[1].alive


def test_an_interrupted_launch_leaves_no_answer_to_the_next(
    environment: Environment, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.append(Worker("solver", "first", environment))
    with monkeypatch.context() as patch:
        patch.setattr(Launcher, "_receive", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Worker("solver", "interrupted", environment)
    workers.append(Worker("solver", "second", environment))
    begun(workers[1])


def test_the_number_of_a_worker_that_has_died_is_not_signalled(
    environment: Environment, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It may be another's by then.
    workers.append(Worker("solver", "first", environment))
    old = workers[0]._process
    os.kill(old.pid, signal.SIGSEGV)
    old.wait(timeout=10)
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("the group of another"))
    workers[0].kill()


def test_a_launcher_ends_all_even_if_it_is_told_to_end_meanwhile() -> None:
    script = (
        "import os, signal, socket\n"
        "from qdynbench.workers import family, launcher\n"
        "def end_all():\n"
        "    for _ in range(2):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('all have ended', flush=True)\n"
        "launcher.PRELOADED, launcher._serve, family.end_all = (), lambda *_: None, end_all\n"
        "launcher.main(socket.socketpair()[0].detach(), os.getppid())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all have ended\n", done.stderr


def test_a_signal_that_comes_when_all_is_done_is_no_traceback() -> None:
    script = (
        "import os, signal\n"
        "from qdynbench.workers.launcher import Launcher\n"
        "process = Launcher.for_(dict(os.environ))._process\n"
        "end = process.terminate\n"
        "process.terminate = lambda: (os.kill(os.getpid(), signal.SIGINT), end())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # in the background it is ignored
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_library_that_cannot_be_imported_is_named(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libbroken.so: cannot open')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(WorkerFailure, match=r"cannot be started: .*libbroken\.so: cannot open"):
            Worker("solver", "broken", environment)


def test_workers_end_with_the_main_process_even_if_a_fork_of_it_lives(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from qdynbench.workers.process import Environment, Worker\n"
        "worker = Worker('solver', 'w', Environment(1, 'cpu', 4_000_000_000, Path(sys.argv[1])))\n"
        "if not os.fork():\n"
        "    time.sleep(30)\n"
        "    os._exit(0)\n"
        "print(worker._process.pid, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    for end in ("kill", "exit"):
        with subprocess.Popen(
            [sys.executable, script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as main:
            assert main.stdout is not None
            assert main.stdin is not None
            worker = int(main.stdout.readline())
            children = psutil.Process(main.pid).children()
            if end == "kill":
                main.kill()
            else:
                main.stdin.close()
            main.wait(timeout=10)
            until_dead(worker)
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
