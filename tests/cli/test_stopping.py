"""Signals, streams that take nothing, and disks that are full: one message, the right exit status, and on it goes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from qdynbench import api
from qdynbench.errors import CannotWrite
from qdynbench.record.results import Run
from qdynbench.record.schema import FitRecord
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan
from tests.runs import exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = str(Path(sys.executable).with_name("qdynbench"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_a_message_and_leaves_no_worker(
    small_task: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = subprocess.Popen(
        [PROGRAM, "run", str(small_task), "--out", "run"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - in the background SIGINT is ignored
    )
    assert command.stderr is not None
    assert "starting" in command.stderr.readline()
    while not (family := psutil.Process(command.pid).children(recursive=True)):
        time.sleep(0.01)
    command.send_signal(number)
    _, said = command.communicate(timeout=60)
    assert command.returncode == 128 + number
    assert said.splitlines()[-1].startswith("error: stopped by ")
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    code = (
        "import os, signal, qdynbench.cli as cli\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"  # as `nohup` does
        "with cli._stopping():\n    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print('survived')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "survived\n"


def test_a_signal_that_was_swallowed_can_be_repeated() -> None:
    code = (
        "import os, signal, qdynbench.cli as cli\n"
        "class Deaf:\n    def __del__(self): os.kill(os.getpid(), signal.SIGINT)\n"
        "try:\n    with cli._stopping():\n        Deaf()\n"
        "        try:\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "        finally:\n            os.kill(os.getpid(), signal.SIGINT)\n"  # its clean-up is not disturbed
        "except cli.Stopped:\n    os.kill(os.getpid(), signal.SIGINT)\n    print('stopped')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "stopped\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run", {"ed": {3: exact()}, "new": {3: exact(1e-3)}}).folder


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_takes_nothing_is_a_message(run: Path, stream: str) -> None:
    with open("/dev/full", "w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        command = (PROGRAM, "report", str(run)) if stream == "stdout" else (PROGRAM, "report", "nowhere")
        done = subprocess.run(command, text=True, check=False, **streams)
    assert done.returncode == (1 if stream == "stdout" else 2)
    if stream == "stdout":
        assert done.stderr.startswith("error: cannot read or write the output: No space left on device. ")
        assert done.stderr.count("\n") == 1


def test_a_reader_who_has_seen_enough_is_told_nothing(run: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([PROGRAM, "report", str(run)], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_what_the_disk_does_not_take_is_a_message_and_the_run_goes_on(
    qdynbench: Command, small_task: Path, tmp_path: Path
) -> None:
    command = ("run", str(small_task), "--set", "sizes=[2]", "--quiet")
    done = subprocess.run(
        [PROGRAM, *command],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, -1)),  # less than the table has
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write 'runs/small/results.parquet': File too large. ")
    assert "What was finished before is kept; make room and run the same command again to go on" in done.stderr
    assert done.stderr.count("\n") == 1
    assert qdynbench(*command).returncode == 0
    assert Run(tmp_path / "runs" / "small").exit_status == 0


@pytest.mark.parametrize("part", ["logs", "curves", "."])
def test_a_folder_that_goes_away_is_a_message(small_task: Path, tmp_path: Path, part: str) -> None:
    class Remover(Observer):
        def planned(self, plan: Plan, fits: Mapping[str, FitRecord | None]) -> None:
            shutil.rmtree(tmp_path / "run" / part)

    with pytest.raises(
        CannotWrite, match=r"No such file or directory\. What was finished before is kept; run the same"
    ):
        api.run(small_task, overrides={"sizes": [2]}, out=tmp_path / "run", observer=Remover())
