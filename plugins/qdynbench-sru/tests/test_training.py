"""Training: it learns, it goes on after a kill as if nothing had happened, and it stops when it diverges."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from qdynbench_sru import checkpoint
from qdynbench_sru.solver import SimpleRecurrentUnit
from qdynbench_sru.training import CHUNK, RECIPES
from qdynbench_sru.training.gradients import Gradients
from qdynbench_sru.training.loss import Batch
from qdynbench_sru.training.trajectories import Trajectories

from qdynbench import PauliSum
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder

from .helpers import exact_data, fit, predicted, relative_entropy

FITS = """
import json, os, signal, sys, time
from pathlib import Path
import numba, numpy as np, torch
from qdynbench.testing.exercise import ExactTrajectories, FitRecorder, uniform_chain
from qdynbench_sru.solver import SimpleRecurrentUnit
from sru_kernels import sru_scan, use

def fit(work, out, told):
    class Spoken(FitRecorder):
        def progress(self, fraction, **figures):
            told.write(f"{fraction}\\n")
            told.flush()

    solver = SimpleRecurrentUnit(encoder=sys.argv[1], effort=float(sys.argv[2]))
    solver.fit(ExactTrajectories(uniform_chain, (2, 3), np.arange(41) * 0.002, 20), Spoken(work, seed=11))
    out.mkdir()
    solver.save(out)

# What torch imports at an operator's first call takes longer than a fit: it is imported before the processes part.
with use("reference"):
    sru_scan(torch.zeros(3, 1, 1, 1), torch.zeros(1, 1, 1), torch.zeros(2, 1), torch.zeros(1, 1))

# A process of its own for each fit, killed once it has come so far; imports are all that they share.
reports = []
for name, until in json.loads(sys.argv[3]):
    work = Path(f"work-{name}")
    work.mkdir(exist_ok=True)
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        with open(writing, "w") as told:
            fit(work, Path(f"out-{name}"), told)
        os._exit(0)
    os.close(writing)
    seen = []
    with open(reading) as heard:
        for line in heard:
            seen.append(float(line))
            if seen[-1] >= until:
                time.sleep(0.02)
                os.kill(process, signal.SIGKILL)
                break
    reports.append([seen, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])])
print(json.dumps(reports))
"""


@pytest.mark.parametrize(
    ("encoder", "effort", "chunks", "kills"), [("local", 0.15, 5, (1, 3)), ("padded", 0.1, 6, (1,))]
)
def test_a_fit_killed_in_the_middle_ends_at_the_same_weights(
    tmp_path: Path, encoder: str, effort: float, chunks: int, kills: tuple[int, ...]
) -> None:
    """The optimiser's memory has to come back with the weights.

    Local: one chunk of Adam, then L-BFGS, in which it is killed twice. Padded: killed within Adam.
    """
    fits = [("undisturbed", 2.0), *(("killed", (number - 0.5) / chunks) for number in kills), ("killed", 2.0)]
    command = [sys.executable, "-c", FITS, encoder, str(effort), json.dumps(fits)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    whole, *killed, last = json.loads(done.stdout)
    assert (len(whole[0]) - 1, whole[1]) == (chunks, 0)  # the first report is of the start
    for (seen, status), number in zip(killed, kills, strict=True):
        assert status == -signal.SIGKILL
        assert number <= round(seen[-1] * chunks) < chunks
    assert last[1] == 0
    assert len(last[0]) < chunks
    weights = [
        safetensors.torch.load_file(tmp_path / f"out-{n}" / "weights.safetensors") for n in ("undisturbed", "killed")
    ]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


@pytest.mark.parametrize(
    ("encoder", "effort", "sizes", "least"), [("local", 0.1, (2, 3, 4), 0.99), ("padded", 0.2, (2, 3), 0.5)]
)
def test_a_quick_fit_beats_persistence(
    encoder: str, effort: float, sizes: tuple[int, ...], least: float, tmp_path: Path
) -> None:
    solver = fit(tmp_path, exact_data(sizes=sizes), encoder=encoder, effort=effort)
    for size in sizes:
        truth = exact_data(sizes=(size,), seed=500).trajectories(size)
        states = predicted(solver, size, truth[:, 0], 40)
        skill = 1 - relative_entropy(truth[:, -1], states[:, -1]) / relative_entropy(truth[:, -1], truth[:, 0])
        assert skill > least, f"{size} spins: skill {skill:.3f}"


def test_dropout_and_more_layers_can_be_trained(tmp_path: Path) -> None:
    solver = fit(tmp_path, layers=2, width=6, dropout=0.1, effort=0.1)
    truth = exact_data(sizes=(3,), seed=500).trajectories(3)
    assert relative_entropy(truth[:, -1], predicted(solver, 3, truth[:, 0], 40)[:, -1]) < 0.2 * relative_entropy(
        truth[:, -1], truth[:, 0]
    )


def test_the_seed_decides_over_the_weights(tmp_path: Path) -> None:
    first, again, other = (
        fit(tmp_path / name, exact_data(sizes=(2,), count=10), seed, effort=0.01)._network.state_dict()
        for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["decoder.weight"], other["decoder.weight"])


@pytest.mark.parametrize(("count", "steps", "sizes"), [(1, 1, (2,)), (2, 3, (1, 3)), (3, 12, (2, 5))])
def test_little_data_is_enough_to_train_on(count: int, steps: int, sizes: tuple[int, ...], tmp_path: Path) -> None:
    data = exact_data(sizes=sizes, count=count, steps=steps)
    solver = fit(tmp_path, data, effort=0.01)
    states = predicted(solver, sizes[-1], data.trajectories(sizes[-1])[:, 0], steps)
    assert bool(torch.isfinite(torch.view_as_real(states)).all())


def test_excerpts_are_pieces_of_the_training_trajectories() -> None:
    data = exact_data(sizes=(2,), count=20, steps=40)
    trajectories = Trajectories(data, RECIPES["local"], 0, "cpu")
    states, changes = trajectories.draw(2, 30, np.random.default_rng(0), torch.float64)
    assert states.shape == changes.shape == (30, 30, 4, 2)
    known = torch.view_as_real(data.trajectories(2, 0, 18))
    assert torch.equal(trajectories.held_out(2), data.trajectories(2, 18, 20))
    for number in range(30):
        places = [(k, o) for k in range(18) for o in range(11) if torch.equal(known[k, o : o + 30], states[:, number])]
        assert len(places) == 1
        k, o = places[0]
        assert torch.equal(known[k, o + 1 : o + 31] - states[:, number], changes[:, number])


def test_nan_in_the_data_is_refused(tmp_path: Path) -> None:
    class Broken:
        sizes, times, count = (2,), np.arange(41) * 0.002, 20

        def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
            states = exact_data(sizes=(2,), count=20).trajectories(size, start, stop)
            states[3, 5, 1] = float("nan")
            return states

    with pytest.raises(ValueError, match="trajectories of 2 spins hold numbers that are not finite"):
        fit(tmp_path, Broken())


def test_a_diverging_fit_stops_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss becomes nan in the second chunk: the data is fine, the arithmetic is not."""
    sound, calls = Gradients._accumulate, list[int]()

    def unsound(self: Gradients, batch: Batch, seed: int | None, scale: float) -> float:
        calls.append(1)
        return sound(self, batch, seed, scale * (float("nan") if len(calls) > CHUNK + 10 else 1))

    monkeypatch.setattr(Gradients, "_accumulate", unsound)
    folder, data = tmp_path / "nan", exact_data(sizes=(2,), count=20)
    with pytest.raises(FloatingPointError, match=rf"the loss is nan after {2 * CHUNK} of \d+ updates"):
        fit(folder, data, effort=0.1)
    tensors = safetensors.torch.load_file(folder / checkpoint.FILE)
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())
    monkeypatch.undo()
    resumed = fit(folder, data, effort=0.1)._network.state_dict()
    undisturbed = fit(tmp_path / "sound", data, effort=0.1)._network.state_dict()
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in resumed)


def test_a_damaged_or_foreign_checkpoint_is_not_taken_up(tmp_path: Path) -> None:
    data = exact_data(sizes=(2,), count=10)
    expected = fit(tmp_path / "clean", data, effort=0.01)._network.state_dict()
    damages: dict[str, Callable[[bytes], bytes]] = {
        "cut": lambda whole: whole[: len(whole) // 2],
        "empty": lambda _: b"",
    }
    for name, damage in damages.items():
        folder = tmp_path / name
        fit(folder, data, effort=0.01)
        file = folder / checkpoint.FILE
        file.write_bytes(damage(file.read_bytes()))
        found = fit(folder, data, effort=0.01)._network.state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    foreign = tmp_path / "foreign"
    fit(foreign, data, 77, effort=0.01)
    found = fit(foreign, data, effort=0.01)._network.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_fit_leaves_the_state_of_torch_as_it_was_and_reports_a_few_dozen_times(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    recorder = FitRecorder(tmp_path)
    SimpleRecurrentUnit(effort=0.1).fit(exact_data(sizes=(2,), count=20), recorder)
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == threads
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == 1
    updates = [entry["updates"] for entry in recorder.curve]
    assert updates == [number * CHUNK for number in range(len(updates))]
    assert all({"loss", "validation_loss", "rollout_error"} <= set(entry) for entry in recorder.curve[1:])
    assert all(30 <= recipe.chunks <= 100 for recipe in RECIPES.values())


def exchange_chain(size: int) -> PauliSum:
    """An XX chain in a field: its couplings flip two neighbouring spins at once."""
    couplings = [(0.5, letters, (site, site + 1)) for site in range(size - 1) for letters in ("XX", "YY")]
    return PauliSum.from_terms(size, couplings + [(0.4, "Z", (site,)) for site in range(size)])


def test_exchange_is_learned_from_flips_of_two_neighbours_and_not_from_those_of_one(tmp_path: Path) -> None:
    times = np.arange(41) * 0.002
    data = ExactTrajectories(exchange_chain, (2, 3, 4), times, 60, seed=7)
    truth = ExactTrajectories(exchange_chain, (5,), np.arange(101) * 0.002, 20, seed=99).trajectories(5, 0, 20)
    unmoved = relative_entropy(truth[:, -1], truth[:, 0])
    errors = {}
    for neighbourhood in (1, 2):
        solver = fit(tmp_path / str(neighbourhood), data, effort=0.1, neighbourhood=neighbourhood)
        errors[neighbourhood] = relative_entropy(truth[:, -1], predicted(solver, 5, truth[:, 0].clone(), 100)[:, -1])
    assert errors[1] > 0.5 * unmoved
    assert errors[2] < 1e-3 * unmoved
