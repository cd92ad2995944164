"""What may go wrong in the middle of a fit: no memory left, a kill while a checkpoint is written, no progress."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from qdynbench_sru import checkpoint
from qdynbench_sru.networks import Network
from qdynbench_sru.networks.padded import PaddedNetwork
from qdynbench_sru.solver import SimpleRecurrentUnit
from qdynbench_sru.training.progress import Standing
from qdynbench_sru.training.trajectories import Trajectories

from qdynbench.testing.exercise import FitRecorder

from .helpers import exact_data

KILLED = """
import json, os, signal, sys
from pathlib import Path
import numpy as np, torch
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, uniform_chain
from sru_kernels import sru_scan, use
from qdynbench_sru.solver import SimpleRecurrentUnit

moment, number, writes = "never", 2, 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def audit(event, arguments):
    global writes
    if event == "open" and str(arguments[0]).endswith(".partial"):
        writes += 1
        if moment == "before" and writes == number:
            die()
    if event == "os.rename" and moment == "written" and writes == number:
        die()

opened = Path.open

class Half:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        die()

def half_open(self, *arguments, **named):
    file = opened(self, *arguments, **named)
    return Half(file) if moment == "half" and str(self).endswith(".partial") and writes == number else file

class Told(FitRecorder):
    def progress(self, fraction, **figures):
        if moment == "replaced" and writes == number:
            die()

def fit(work):
    sys.addaudithook(audit)
    Path.open = half_open
    solver = SimpleRecurrentUnit(encoder="padded", effort=0.05)
    with use("reference"):  # which need not be compiled
        solver.fit(ExactTrajectories(uniform_chain, (2,), np.arange(41) * 0.002, 12), Told(work, seed=5))
    out = work / "out"
    out.mkdir()
    solver.save(out)

# What torch imports at an operator's first call takes longer than a fit: it is imported before the processes part.
with use("reference"):
    sru_scan(torch.zeros(3, 1, 1, 1), torch.zeros(1, 1, 1), torch.zeros(2, 1), torch.zeros(1, 1))

# A process of its own for each fit; imports are all that they share.
fits = {}
for name, moment in json.loads(sys.argv[1]).items():
    fits[name] = os.fork()
    if fits[name] == 0:
        fit(Path(name))
        os._exit(0)
print(json.dumps({name: os.waitstatus_to_exitcode(os.waitpid(fit, 0)[1]) for name, fit in fits.items()}))
"""
MOMENTS = ("before", "half", "written", "replaced")


def fits(folder: Path, moments: Mapping[str, str]) -> tuple[dict[str, int], str]:
    """Fit in folders of these names, each killed at its moment, and return how the processes ended."""
    for name in moments:
        (folder / name).mkdir(exist_ok=True)
    command = [sys.executable, "-c", KILLED, json.dumps(moments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_kill_while_a_checkpoint_is_written_loses_nothing_of_the_one_before(tmp_path: Path) -> None:
    """SIGKILL before the file exists, when half of it is written, before it replaces the old one, and just after."""
    ended, said = fits(tmp_path, {"never": "never"} | {moment: moment for moment in MOMENTS})
    assert ended == {"never": 0} | dict.fromkeys(MOMENTS, -signal.SIGKILL), said
    expected = safetensors.torch.load_file(tmp_path / "never" / "out" / "weights.safetensors")
    for moment in MOMENTS:
        # The third checkpoint would be the last; the first or the second is there, and whole.
        tensors = safetensors.torch.load_file(tmp_path / moment / checkpoint.FILE)
        assert any(name.startswith("optimizer/") for name in tensors)
    resumed, said = fits(tmp_path, dict.fromkeys(MOMENTS, "never"))
    assert resumed == dict.fromkeys(MOMENTS, 0), said
    for moment in MOMENTS:
        weights = safetensors.torch.load_file(tmp_path / moment / "out" / "weights.safetensors")
        assert all(torch.equal(weights[name], expected[name]) for name in expected), moment


class LittleMemory:
    """The device: more than `room` excerpts at a time do not fit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[Network], room: int) -> None:
        self.largest, predict = 0, kind.predict

        def limited(network: Network, excerpts: Sequence[torch.Tensor], *more: Any, **named: Any) -> Any:
            count = sum(excerpt.shape[1] for excerpt in excerpts)
            # Only what is kept for a gradient takes much memory.
            if torch.is_grad_enabled() and count > room:
                raise torch.OutOfMemoryError("out of memory: tried to allocate")
            self.largest = max(self.largest, count)
            return predict(network, excerpts, *more, **named)

        monkeypatch.setattr(kind, "predict", limited)


def test_memory_running_out_halves_the_micro_batch_and_not_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = exact_data(sizes=(2, 3), count=20)

    def fit(name: str) -> tuple[dict[str, torch.Tensor], FitRecorder]:
        (tmp_path / name).mkdir()
        recorder = FitRecorder(tmp_path / name)
        solver = SimpleRecurrentUnit(encoder="padded", effort=0.0125)
        solver.fit(data, recorder)
        return solver._network.state_dict(), recorder

    whole, silent = fit("whole")
    with monkeypatch.context() as patch:
        LittleMemory(patch, PaddedNetwork, room=30)
        pieces, told = fit("pieces")
    assert silent.notes == []
    assert [note.split(":")[0] for note in told.notes] == ["out of memory"] * len(told.notes)
    assert 1 <= len(told.notes) <= 5
    assert "in 2 micro-batches" in told.notes[0]
    # Fifty updates of Adam in single precision, which differ by rounding alone.
    for name, tensor in whole.items():
        torch.testing.assert_close(pieces[name], tensor, rtol=0, atol=2e-4)
    with monkeypatch.context() as patch:
        LittleMemory(patch, PaddedNetwork, room=0)
        with pytest.raises(torch.OutOfMemoryError, match="tried to allocate"):
            fit("none")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_memory_of_a_gpu_running_out_halves_the_micro_batch(tmp_path: Path) -> None:
    """A real limit: a share of the device's memory that a whole batch does not fit into."""
    recorder = FitRecorder(tmp_path, device="cuda")
    limit = torch.cuda.memory_allocated() + torch.cuda.memory_reserved() + 24e6
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        SimpleRecurrentUnit(encoder="padded", width=1024, effort=0.0125).fit(exact_data(sizes=(2, 6)), recorder)
    except torch.OutOfMemoryError:
        assert recorder.notes  # it has tried
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert all("micro-batches" in note for note in recorder.notes)
    assert recorder.notes


def test_the_best_weights_by_rollout_error_are_kept_and_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollout error is made to rise after the second chunk: what came later is not what the fit returns."""
    from qdynbench_sru.training import fit as module

    measured, errors = module.rollout_error, list[float]()

    def rising(network: Network, trajectories: Trajectories, device: str) -> float:
        errors.append(measured(network, trajectories, device) + (0.1 * len(errors) if len(errors) > 2 else 0.0))
        return errors[-1]

    monkeypatch.setattr(module, "rollout_error", rising)
    recorder = FitRecorder(tmp_path)
    solver = SimpleRecurrentUnit(encoder="padded", effort=0.125, patience=3)
    data = exact_data(sizes=(2,), count=20)
    solver.fit(data, recorder)
    assert [entry["rollout_error"] for entry in recorder.curve] == errors
    best = errors.index(min(errors))
    assert best == 2
    assert len(errors) == best + 1 + 3  # three chunks of patience
    assert recorder.fractions[-1] == 1
    assert recorder.notes == ["stopped early after 250 updates: the rollout error had not fallen for 150 of them"]
    monkeypatch.undo()
    trajectories = module.Trajectories(data, module.Recipe(1, 0, 1.0, 1, trajectories=2000), 0, "cpu")
    assert measured(solver._network, trajectories, "cpu") == pytest.approx(errors[best], rel=1e-3)


def test_patience_zero_never_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qdynbench_sru.training import fit as module

    monkeypatch.setattr(module, "rollout_error", lambda *_: 1.0)
    recorder = FitRecorder(tmp_path)
    SimpleRecurrentUnit(encoder="padded", effort=0.0834, patience=0).fit(exact_data(sizes=(2,), count=20), recorder)
    assert recorder.notes == []
    assert recorder.curve[-1]["updates"] == 250


def test_what_is_kept_of_the_past_survives_json() -> None:
    standing = Standing(updates=150, pieces=4, waited=2)
    assert Standing.of(standing.scalars(), {}) == standing
