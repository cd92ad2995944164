"""Training: it learns, it goes on after a kill as if nothing had happened, and it stops when it diverges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.torch
import torch
from qdynbench_sru import checkpoint
from qdynbench_sru.training import CHUNK, RECIPES
from qdynbench_sru.training.gradients import Gradients
from qdynbench_sru.training.windows import Windows

from qdynbench.physics.operators import PauliSum
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder

FIT = """
import sys
from pathlib import Path
import numpy as np
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, uniform_chain
from qdynbench_sru.solver import SimpleRecurrentUnit

work, out, encoder, effort = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])

class Spoken(FitRecorder):
    def progress(self, fraction, **figures):
        print(fraction, flush=True)

solver = SimpleRecurrentUnit(encoder=encoder, effort=effort)
solver.fit(ExactTrajectories(uniform_chain, (2, 3), np.arange(41) * 0.002, 20), Spoken(work, seed=11))
out.mkdir()
solver.save(out)
"""


def start(folder, name, encoder, effort):
    (folder / f"work-{name}").mkdir(exist_ok=True)
    arguments = [folder / f"work-{name}", folder / f"out-{name}", encoder, str(effort)]
    return subprocess.Popen([sys.executable, "-c", FIT, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("encoder", "effort", "kills"), [("local", 0.15, (1, 3)), ("padded", 0.1, (1,))])
def test_a_fit_killed_in_the_middle_ends_at_the_same_weights(tmp_path, encoder, effort, kills):
    """The optimiser's memory has to come back with the weights.

    Local: one chunk of Adam, then L-BFGS, in which it is killed twice. Padded: killed within Adam.
    """
    undisturbed = start(tmp_path, "undisturbed", encoder, effort)
    chunks = len(undisturbed.communicate()[0].split()) - 1  # the first line is of the start
    assert undisturbed.returncode == 0
    for number in kills:
        fit = start(tmp_path, "killed", encoder, effort)
        seen = 0
        for line in fit.stdout:
            seen = round(float(line) * chunks)
            if seen >= number:
                break
        time.sleep(0.02)
        os.kill(fit.pid, signal.SIGKILL)
        fit.wait()
        fit.stdout.close()
        assert number <= seen < chunks
    last = start(tmp_path, "killed", encoder, effort)
    remaining = len(last.communicate()[0].split())
    assert last.returncode == 0
    assert remaining < chunks
    weights = [
        safetensors.torch.load_file(tmp_path / f"out-{n}" / "weights.safetensors") for n in ("undisturbed", "killed")
    ]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


@pytest.mark.parametrize(
    ("encoder", "effort", "sizes", "least"), [("local", 0.1, (2, 3, 4), 0.99), ("padded", 0.2, (2, 3), 0.5)]
)
def test_a_quick_fit_beats_persistence(fitted, trajectories, predict, mre, encoder, effort, sizes, least):
    solver = fitted(trajectories(sizes=sizes), encoder=encoder, effort=effort)
    for size in sizes:
        truth = trajectories(sizes=(size,), seed=500).trajectories(size)
        states = predict(solver, size, truth[:, 0], 40)
        skill = 1 - mre(truth[:, -1], states[:, -1]) / mre(truth[:, -1], truth[:, 0])
        assert skill > least, f"{size} spins: skill {skill:.3f}"


def test_dropout_and_more_layers_can_be_trained(fitted, trajectories, predict, mre):
    solver = fitted(layers=2, width=6, dropout=0.1, effort=0.1)
    truth = trajectories(sizes=(3,), seed=500).trajectories(3)
    assert mre(truth[:, -1], predict(solver, 3, truth[:, 0], 40)[:, -1]) < 0.2 * mre(truth[:, -1], truth[:, 0])


def test_the_seed_decides_over_the_weights(fitted, trajectories, tmp_path):
    first, again, other = (
        fitted(trajectories(sizes=(2,), count=10), seed=seed, effort=0.01, folder=tmp_path / name)._network.state_dict()
        for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["decoder.weight"], other["decoder.weight"])


@pytest.mark.parametrize(("count", "steps", "sizes"), [(1, 1, (2,)), (2, 3, (1, 3)), (3, 12, (2, 5))])
def test_little_data_is_enough_to_train_on(fitted, trajectories, predict, count, steps, sizes):
    data = trajectories(sizes=sizes, count=count, steps=steps)
    solver = fitted(data, effort=0.01)
    states = predict(solver, sizes[-1], data.trajectories(sizes[-1])[:, 0], steps)
    assert bool(torch.isfinite(torch.view_as_real(states)).all())


def test_windows_are_pieces_of_the_training_trajectories(trajectories):
    data = trajectories(sizes=(2,), count=20, steps=40)
    windows = Windows(data, RECIPES["local"], 0, "cpu")
    states, changes = windows.draw(2, 30, np.random.default_rng(0), torch.float64)
    assert states.shape == changes.shape == (30, 30, 4, 2)
    known = torch.view_as_real(data.trajectories(2, 0, 18))
    assert torch.equal(windows.held_out(2), data.trajectories(2, 18, 20))
    for number in range(30):
        places = [(k, o) for k in range(18) for o in range(11) if torch.equal(known[k, o : o + 30], states[:, number])]
        assert len(places) == 1
        k, o = places[0]
        assert torch.equal(known[k, o + 1 : o + 31] - states[:, number], changes[:, number])


def test_nan_in_the_data_is_refused(fitted, trajectories):
    class Broken:
        sizes, times, count = (2,), np.arange(41) * 0.002, 20

        def trajectories(self, size, start=0, stop=None):
            states = trajectories(sizes=(2,), count=20).trajectories(size, start, stop)
            states[3, 5, 1] = float("nan")
            return states

    with pytest.raises(ValueError, match="trajectories of 2 spins hold numbers that are not finite"):
        fitted(Broken())


def test_a_diverging_fit_stops_and_keeps_the_last_good_checkpoint(fitted, tmp_path, monkeypatch):
    """The loss becomes nan in the second chunk: the data is fine, the arithmetic is not."""
    sound, calls = Gradients._accumulate, []

    def unsound(self, batch, seed, scale):
        calls.append(1)
        return sound(self, batch, seed, scale * (float("nan") if len(calls) > CHUNK + 10 else 1))

    monkeypatch.setattr(Gradients, "_accumulate", unsound)
    folder = tmp_path / "nan"
    with pytest.raises(FloatingPointError, match=rf"the loss is nan after {2 * CHUNK} of \d+ updates"):
        fitted(effort=0.1, folder=folder)
    tensors = safetensors.torch.load_file(folder / checkpoint.FILE)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    monkeypatch.undo()
    resumed = fitted(effort=0.1, folder=folder)._network.state_dict()
    undisturbed = fitted(effort=0.1, folder=tmp_path / "sound")._network.state_dict()
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in resumed)


def test_a_damaged_or_foreign_checkpoint_is_not_taken_up(fitted, trajectories, tmp_path):
    data = trajectories(sizes=(2,), count=10)
    expected = fitted(data, effort=0.01, folder=tmp_path / "clean")._network.state_dict()
    for name, damage in {"cut": lambda content: content[: len(content) // 2], "empty": lambda _: b""}.items():
        folder = tmp_path / name
        fitted(data, effort=0.01, folder=folder)
        file = folder / checkpoint.FILE
        file.write_bytes(damage(file.read_bytes()))
        found = fitted(data, effort=0.01, folder=folder)._network.state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    foreign = tmp_path / "foreign"
    fitted(data, effort=0.01, seed=77, folder=foreign)
    found = fitted(data, effort=0.01, folder=foreign)._network.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_fit_leaves_the_state_of_torch_as_it_was_and_reports_a_few_dozen_times(trajectories, tmp_path):
    from qdynbench_sru.solver import SimpleRecurrentUnit

    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    recorder = FitRecorder(tmp_path)
    SimpleRecurrentUnit(effort=0.1).fit(trajectories(count=20), recorder)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == 1
    updates = [entry["updates"] for entry in recorder.curve]
    assert updates == [number * CHUNK for number in range(len(updates))]
    assert all({"loss", "validation_loss", "rollout_error"} <= set(entry) for entry in recorder.curve[1:])
    assert all(30 <= recipe.chunks <= 100 for recipe in RECIPES.values())


def exchange_chain(size):
    """An XX chain in a field: its couplings flip two neighbouring spins at once."""
    couplings = [(0.5, letters, (site, site + 1)) for site in range(size - 1) for letters in ("XX", "YY")]
    return PauliSum.from_terms(size, couplings + [(0.4, "Z", (site,)) for site in range(size)])


def test_exchange_is_learned_from_flips_of_two_neighbours_and_not_from_those_of_one(fitted, predict, mre, tmp_path):
    times = np.arange(41) * 0.002
    data = ExactTrajectories(exchange_chain, (2, 3, 4), times, 60, seed=7)
    truth = ExactTrajectories(exchange_chain, (5,), np.arange(101) * 0.002, 20, seed=99).trajectories(5, 0, 20)
    unmoved = mre(truth[:, -1], truth[:, 0])
    errors = {}
    for neighbourhood in (1, 2):
        solver = fitted(data, folder=tmp_path / str(neighbourhood), effort=0.1, neighbourhood=neighbourhood)
        errors[neighbourhood] = mre(truth[:, -1], predict(solver, 5, truth[:, 0].clone(), 100)[:, -1])
    assert errors[1] > 0.5 * unmoved
    assert errors[2] < 1e-3 * unmoved
