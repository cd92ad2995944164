"""The loss: what is fed back in a rollout, micro-batches that add up, noise, and bfloat16."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qdynbench_sru.networks import Architecture, Encoder, Network
from qdynbench_sru.solver import SimpleRecurrentUnit
from qdynbench_sru.training import CHUNK, RECIPES
from qdynbench_sru.training.loss import Batch, Excerpts, Loss, parts
from qdynbench_sru.training.trajectories import Trajectories

from qdynbench.testing.exercise import FitRecorder

from .helpers import exact_data, fit

SIZES = (2, 3)


def network(encoder: Encoder, dropout: float = 0.0) -> Network:
    built = Architecture(encoder, 8, 2, SIZES, 0.002).build(dropout, seed=4).double()
    built.scale.fill_(0.3)  # so large that what is fed back matters
    return built


@pytest.fixture
def batch() -> Batch:
    trajectories = Trajectories(exact_data(sizes=SIZES, count=20), RECIPES["local"], 0, "cpu")
    random = np.random.default_rng(1)
    drawn = [Excerpts(size, *trajectories.draw(size, 5, random, torch.float64)) for size in SIZES]
    return [dataclasses.replace(w, states=w.states[:9], changes=w.changes[:9]) for w in drawn]


def loss_of(**more: Any) -> Loss:
    return Loss(dict.fromkeys(SIZES, 1e-3), **({"burn_in": 2} | more))


@pytest.mark.parametrize("encoder", ["local", "padded"])
def test_memories_carry_a_sequence_on(encoder: Encoder, batch: Batch) -> None:
    net = network(encoder)
    excerpts = [true.states for true in batch]
    first, memories = net.predict([excerpt[:4] for excerpt in excerpts])
    rest, _ = net.predict([excerpt[4:] for excerpt in excerpts], memories)
    for whole, *pieces in zip(net.changes(excerpts), first, rest, strict=True):
        torch.testing.assert_close(torch.cat(pieces), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("encoder", ["local", "padded"])
def test_the_rollout_is_the_prediction_of_the_network_from_its_own_states(encoder: Encoder, batch: Batch) -> None:
    """Written naively: the whole history is fed again at every step."""
    net, rollout, total = network(encoder), 3, 0.0
    for true in batch:
        history, errors = list(true.states[:6]), []
        for step in range(9):
            change = net.changes([torch.stack(history[: step + 1])])[0][-1]
            predicted = history[step] + change
            error = true.states[step] + true.changes[step] - predicted
            errors.append(error / max(1, step - 4))
            if step >= 5:
                history.append(predicted / predicted.square().sum((-1, -2), keepdim=True).sqrt())
        total += torch.stack(errors)[2:].square().sum((-1, -2)).mean() / 1e-3
    loss = loss_of(rollout=rollout)(net, batch)
    torch.testing.assert_close(loss, total / 2, rtol=1e-12, atol=0)
    assert abs(loss / loss_of()(net, batch) - 1) > 0.01  # teacher forcing is something else


def test_gradients_of_the_rollout_go_through_what_is_fed_back(batch: Batch) -> None:
    net = network("local")
    weight = net.decoder.weight
    (gradient,) = torch.autograd.grad(loss_of(rollout=3)(net, batch), weight)
    step = 1e-6 * torch.ones_like(weight)
    with torch.no_grad():
        weight += step
        above = loss_of(rollout=3)(net, batch)
        weight -= 2 * step
        below = loss_of(rollout=3)(net, batch)
    torch.testing.assert_close((gradient * step).sum() * 2, above - below, rtol=1e-5, atol=0)


@pytest.mark.parametrize("rollout", [0, 3])
@pytest.mark.parametrize(("count", "processes"), [(2, 1), (8, 1), (1, 2), (2, 3)])
def test_gradients_of_micro_batches_add_up(batch: Batch, rollout: int, count: int, processes: int) -> None:
    net, loss = network("padded"), loss_of(rollout=rollout)
    whole = torch.autograd.grad(loss(net, batch), list(net.parameters()))
    added = [torch.zeros_like(gradient) for gradient in whole]
    for rank in range(processes):
        for part in parts(batch, count, rank, processes):
            own = torch.autograd.grad(loss(net, part), list(net.parameters()))
            added = [total + gradient for total, gradient in zip(added, own, strict=True)]
    for total, gradient in zip(added, whole, strict=True):
        torch.testing.assert_close(total, gradient, rtol=1e-10, atol=1e-12)


def test_dropout_drops_the_same_channels_at_all_steps_of_a_rollout(batch: Batch) -> None:
    """With everything but the fed-back states equal, the forced part of both losses has to drop alike."""
    net = network("local", dropout=0.4)
    values = [loss_of(rollout=2)(net, batch, torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_noise_is_on_the_inputs_alone(batch: Batch) -> None:
    net = network("local")
    noisy = [dataclasses.replace(true, noise=torch.full_like(true.states, 0.1)) for true in batch]
    moved = [
        Excerpts(true.size, true.states + 0.1, true.changes) for true in batch
    ]  # the same inputs, with the same changes to predict
    torch.testing.assert_close(loss_of()(net, noisy), loss_of()(net, moved), rtol=0, atol=0)
    assert loss_of()(net, noisy) != loss_of()(net, batch)


@pytest.mark.parametrize("encoder", ["local", "padded"])
@pytest.mark.parametrize("rollout", [0, 2])
def test_bfloat16_where_it_is_safe_is_close_to_single_precision(encoder: Encoder, rollout: int, batch: Batch) -> None:
    """Weights and loss stay in single precision; gradients come back in it."""
    net = network(encoder).float()
    single = [dataclasses.replace(w, states=w.states.float(), changes=w.changes.float()) for w in batch]
    exact = loss_of(rollout=rollout)(net, single)
    mixed = loss_of(rollout=rollout, mixed=True)(net, single)
    mixed.backward()
    assert mixed.dtype == torch.float32
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())
    assert 0 < abs(mixed / exact - 1) < 0.05


def test_noise_and_rollout_are_part_of_a_fit(tmp_path: Path) -> None:
    """They change the weights, and the fit still learns."""
    data = exact_data(sizes=(2,), count=20)
    errors = {}
    for name, options in {"plain": {}, "noise": {"noise": 1e-3}, "rollout": {"rollout": 5}}.items():
        solver = fit(tmp_path / name, data, effort=0.02, **options)
        errors[name] = solver._network.state_dict()["decoder.weight"]
    assert not torch.equal(errors["plain"], errors["noise"])
    assert not torch.equal(errors["plain"], errors["rollout"])


def test_a_rollout_longer_than_the_trajectories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rollout=40: the training trajectories have 40 steps"):
        fit(tmp_path, exact_data(sizes=(2,), count=5), rollout=40)


def test_mixed_precision_on_a_cpu_falls_back_and_says_so(tmp_path: Path) -> None:
    weights = []
    for precision in ("mixed", "single"):
        (tmp_path / precision).mkdir()
        recorder = FitRecorder(tmp_path / precision)
        solver = SimpleRecurrentUnit(encoder="padded", precision=precision, effort=0.0125)
        solver.fit(exact_data(sizes=(2,), count=20), recorder)
        weights.append(solver._network.state_dict())
        assert recorder.curve[-1]["updates"] == CHUNK
        said = ["precision=mixed needs a GPU; on this CPU the fit runs in single precision"]
        assert recorder.notes == (said if precision == "mixed" else [])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
