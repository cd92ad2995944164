"""The solver: accuracy of the shipped weights, and what it says to what it cannot do."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qdynbench_sru.solver import SimpleRecurrentUnit
from scipy.sparse.linalg import expm_multiply

from qdynbench import Given, Initial, InputError, Problem
from qdynbench.testing.exercise import uniform_chain

from .helpers import exact_data, fit, fresh_states, predicted, relative_entropy

DT, STEPS = 0.002, 100


@pytest.fixture(scope="module")
def shipped() -> SimpleRecurrentUnit:
    solver = SimpleRecurrentUnit()
    solver.load(solver.shipped()[0])
    return solver


def exact_end(size: int, states: torch.Tensor, steps: int) -> torch.Tensor:
    """Return `exp(-i H t) psi` at the last step, by scipy."""
    generator = -1j * DT * steps * uniform_chain(size).to_sparse()
    return torch.from_numpy(np.ascontiguousarray(expm_multiply(generator.tocsc(), states.numpy().T).T))


@pytest.mark.parametrize("size", range(2, 9))
def test_shipped_weights_reach_the_bars_on_fresh_states(shipped: SimpleRecurrentUnit, size: int) -> None:
    states = fresh_states(size, 100)
    end = predicted(shipped, size, states, STEPS)[:, -1]
    truth = exact_end(size, states, STEPS)
    assert relative_entropy(truth, end) <= (1e-4 if size <= 5 else 1.5e-3)
    assert relative_entropy(truth, end) <= 1e-5  # what these weights are really worth; the bars are far above
    assert float((1 - (truth.conj() * end).sum(-1).abs().square()).mean()) <= 1e-5


PAPER = SimpleRecurrentUnit(encoder="padded", largest=8, width=256)


@pytest.fixture(scope="module")
def paper() -> SimpleRecurrentUnit:
    """Return the paper's encoder with the weights of the paper's tasks."""
    solver = dataclasses.replace(PAPER)
    solver.load(solver.shipped()[0])
    return solver


@pytest.mark.parametrize("size", range(2, 8))
def test_the_papers_encoder_reaches_its_goal_on_fresh_states(paper: SimpleRecurrentUnit, size: int) -> None:
    states = fresh_states(size, 100)
    end = predicted(paper, size, states, STEPS)[:, -1]
    truth = exact_end(size, states, STEPS)
    assert relative_entropy(truth, end) <= 1e-3
    assert relative_entropy(truth, end) < 0.02 * relative_entropy(truth, states)


def test_the_papers_encoder_has_lost_no_direction_at_seven_spins(paper: SimpleRecurrentUnit) -> None:
    """Changes of 128 independent states and of these times i span all 256 real directions, as those of H do.

    Only directions whose change per step is tiny, below 1 % of the largest, may go unlearned: 6 of the 256.
    """
    size = 7
    basis = torch.eye(1 << size, dtype=torch.complex128)
    states = torch.cat([basis, 1j * basis])
    steps = predicted(paper, size, states, 2)
    changes = torch.view_as_real(steps[:, 2] - steps[:, 1]).flatten(1)
    strengths = torch.linalg.svdvals(changes)
    assert int((strengths > 0.01 * strengths[0]).sum()) >= 240


def test_shipped_weights_predict_ten_spins_that_they_never_saw(shipped: SimpleRecurrentUnit) -> None:
    states = fresh_states(10, 10)
    end = predicted(shipped, 10, states, STEPS)[:, -1]
    truth = exact_end(10, states, STEPS)
    assert relative_entropy(truth, end) <= 1e-5
    assert relative_entropy(truth, end) < 1e-3 * relative_entropy(truth, states)


def test_the_memory_is_what_the_accuracy_comes_from(shipped: SimpleRecurrentUnit) -> None:
    """Without the memory (forget gates shut) the same weights are a one-step rule, and far worse."""
    states = fresh_states(4, 50)
    truth = exact_end(4, states, STEPS)
    error = relative_entropy(truth, predicted(shipped, 4, states, STEPS)[:, -1])
    forgetful = SimpleRecurrentUnit()
    forgetful.load(forgetful.shipped()[0])
    with torch.no_grad():
        for layer in forgetful._network.sru.stack:
            layer.weight[1] = 0
            layer.peephole[0] = 0
            layer.bias[0] = -60
    assert relative_entropy(truth, predicted(forgetful, 4, states, STEPS)[:, -1]) > 100 * error


@pytest.mark.parametrize("size", [4, 8])
def test_it_is_in_effect_a_linear_recurrence(shipped: SimpleRecurrentUnit, size: int) -> None:
    """With gates frozen at the values of their biases the error is no larger."""
    states = fresh_states(size, 50)
    truth = exact_end(size, states, STEPS)
    error = relative_entropy(truth, predicted(shipped, size, states, STEPS)[:, -1])
    frozen = SimpleRecurrentUnit()
    frozen.load(frozen.shipped()[0])
    with torch.no_grad():
        for layer in frozen._network.sru.stack:
            layer.weight[1:] = 0
            layer.peephole[:] = 0
    assert relative_entropy(truth, predicted(frozen, size, states, STEPS)[:, -1]) <= 1.2 * error


def test_the_manifest_is_of_the_default_task(shipped: SimpleRecurrentUnit) -> None:
    from qdynbench import load_task

    manifest = json.loads((shipped.shipped()[0] / "manifest.json").read_text())
    task = load_task("ising_mixed")
    training = manifest["training"]
    assert (training["sizes"], training["dt"], training["seed"]) == (task.training.sizes, task.times.dt, task.seed)
    assert training["trajectories"] == task.training.trajectories
    assert manifest["fit_time"] > 0


def test_only_default_parameters_have_shipped_weights() -> None:
    assert SimpleRecurrentUnit(width=8).shipped() == SimpleRecurrentUnit().shipped()
    for other in ({"width": 9}, {"layers": 2}, {"dropout": 0.1}, {"effort": 0.5}, {"noise": 0.1}, {"start": "local"}):
        assert SimpleRecurrentUnit(**other).shipped() == []


@pytest.mark.parametrize("size", [1, 2, 5])
def test_first_state_is_the_initial_one_and_inputs_stay(shipped: SimpleRecurrentUnit, size: int) -> None:
    states = fresh_states(size, 4)
    before = states.clone()
    trajectory = predicted(shipped, size, states, 7)
    assert torch.equal(states, before)
    assert trajectory.dtype == torch.complex128
    assert torch.equal(trajectory[:, 0], before)
    assert torch.allclose(trajectory.norm(dim=-1), torch.ones(4, 8, dtype=torch.float64), atol=1e-12)


def test_a_state_does_not_depend_on_its_batch(shipped: SimpleRecurrentUnit) -> None:
    states = fresh_states(6, 65)
    together = predicted(shipped, 6, states, 50)
    for number in (0, 64):
        alone = predicted(shipped, 6, states[number : number + 1], 50)
        torch.testing.assert_close(alone[0], together[number], rtol=0, atol=1e-8)


def test_many_blocks_are_one_trajectory(shipped: SimpleRecurrentUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    states = fresh_states(4, 3)
    whole = predicted(shipped, 4, states, 30)
    monkeypatch.setattr("qdynbench_sru.solver.block_length", lambda problem, batch: 7)
    assert torch.equal(predicted(shipped, 4, states, 30), whole)


def test_sixteen_spins_fit_in_little_memory(shipped: SimpleRecurrentUnit) -> None:
    problem = Problem(size=16, times=np.arange(4) * DT, batch=1)
    assert shipped.estimate(problem).bytes < 1e9
    shipped.prepare(problem)
    states = fresh_states(16, 1)
    last = [block.states[:, -1].clone() for block in shipped.solve(Given(Initial(states)))][-1]
    assert float(abs((last.conj() * states).sum())) < 1
    assert np.isfinite(shipped.estimate(dataclasses.replace(problem, size=60)).operations)


@pytest.mark.parametrize("encoder", ["local", "padded"])
def test_saved_and_loaded_it_predicts_the_same(tmp_path: Path, encoder: str) -> None:
    solver = fit(tmp_path / "work", encoder=encoder, effort=0.01)
    solver.save(tmp_path)
    loaded = SimpleRecurrentUnit(encoder=encoder)
    loaded.load(tmp_path)
    states = fresh_states(3, 4)
    torch.testing.assert_close(predicted(loaded, 3, states, 20), predicted(solver, 3, states, 20), rtol=0, atol=1e-12)


@pytest.mark.parametrize("damage", ["weights cut", "weights gone", "architecture cut", "architecture lies"])
def test_damaged_weights_are_a_clear_error(shipped: SimpleRecurrentUnit, tmp_path: Path, damage: str) -> None:
    shipped.save(tmp_path)
    file = tmp_path / ("weights.safetensors" if "weights" in damage else "architecture.json")
    content = file.read_bytes()
    if "gone" in damage:
        file.unlink()
    elif "lies" in damage:
        # Two layers are said, and asked for; the file has one.
        file.write_bytes(content.replace(b'"layers": 1', b'"layers": 2'))
    else:
        file.write_bytes(content[: len(content) * 2 // 3])
    solver = SimpleRecurrentUnit(layers=2 if "lies" in damage else 1)
    message = "are not those of their" if "lies" in damage else "cannot be read"
    blamed = "weights.safetensors" if "lies" in damage else file.name
    with pytest.raises(InputError, match=f"{blamed}.*{message}.*train anew with --refit"):
        solver.load(tmp_path)


@pytest.mark.parametrize("other", [{"width": 9}, {"layers": 2}, {"encoder": "padded"}])
def test_weights_of_another_architecture_are_refused(
    shipped: SimpleRecurrentUnit, tmp_path: Path, other: dict[str, Any]
) -> None:
    shipped.save(tmp_path)
    with pytest.raises(InputError, match="is asked for: train anew"):
        SimpleRecurrentUnit(**other).load(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"encoder": "global"}, "must be local or padded"),
        ({"width": -1}, "between 1 and 4096"),
        ({"layers": 0}, "between 1 and 16"),
        ({"dropout": 1.0}, "below 1"),
        ({"effort": 0.0}, "above 0"),
        ({"effort": float("nan")}, "above 0"),
        ({"noise": -0.1}, "at least 0"),
        ({"rollout": -1}, "between 0 and 1000"),
        ({"precision": "half"}, "single or mixed"),
        ({"patience": -1}, "not be negative"),
        ({"largest": 4}, "only the padded encoder"),
        ({"encoder": "padded", "largest": 12}, "between 1 and 11"),
    ],
)
def test_parameters_out_of_range_are_errors(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimpleRecurrentUnit(**parameters)


def test_other_steps_and_unknown_sizes_are_refused(shipped: SimpleRecurrentUnit, tmp_path: Path) -> None:
    def problem(size: int, dt: float = DT) -> Problem:
        return Problem(size=size, times=np.arange(4) * dt)

    assert shipped.supports(problem(3, 0.01)) is None
    for dt in (0.003, 0.001, 0.0050001):
        assert f"steps of 0.002, and {dt:g} is not a whole multiple" in shipped.supports(problem(3, dt))
        assert SimpleRecurrentUnit().supports(problem(3, dt)) is None  # nothing learned yet
    padded = fit(tmp_path / "work", exact_data(sizes=(2, 4)), encoder="padded", effort=0.01)
    assert padded.supports(problem(4)) is None
    assert "room for 4 spins, not 5" in padded.supports(problem(5))
    assert "trained on 2, 4 spins, not 3" in padded.supports(problem(3))


def test_a_multiple_of_the_trained_step_is_as_many_steps_of_the_network(shipped: SimpleRecurrentUnit) -> None:
    states = fresh_states(4, 5)
    fine = predicted(shipped, 4, states, 30)
    coarse = predicted(shipped, 4, states, 6, dt=0.01)
    assert torch.equal(coarse, fine[:, ::5])
    problem = Problem(size=4, times=np.arange(7) * 0.01)
    assert shipped.estimate(problem).operations == pytest.approx(
        5 * shipped.estimate(dataclasses.replace(problem, times=np.arange(7) * DT)).operations
    )


def test_labels_say_what_is_assumed() -> None:
    assert "not the paper's: assumes single spin flips, alike along the chain" in SimpleRecurrentUnit().label
    assert "the paper's encoder" in SimpleRecurrentUnit(encoder="padded").label
    assert all("never sees the Hamiltonian" in SimpleRecurrentUnit(encoder=e).label for e in ("local", "padded"))


def test_the_package_registers_without_importing_torch() -> None:
    code = "import sys, qdynbench_sru; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (Path(__file__).parents[1] / "qdynbench_sru" / "py.typed").is_file()
