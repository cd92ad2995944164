from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qdynbench.contract.metric import Metric
from qdynbench.physics.distances import ray_distance
from qdynbench.scoring.metrics.infidelity import Infidelity
from qdynbench.scoring.metrics.valid_time import ValidTime

Score = Callable[..., Metric]
States = Callable[..., torch.Tensor]


def test_agrees_with_the_overlap(random_states: States) -> None:
    a, b = random_states(4, 6, 8, seed=1), 1.7 * random_states(4, 6, 8, seed=2)
    overlap = np.einsum("btx,btx->bt", a.numpy().conj(), b.numpy())
    expected = 1 - abs(overlap) ** 2 / 1.7**2
    assert ray_distance(a, b).numpy() == pytest.approx(expected, rel=1e-12)


@given(st.floats(0, 2 * np.pi), st.floats(1e-3, 1e3))
def test_global_phase_and_norm_do_not_count(phase: float, length: float) -> None:
    random = np.random.default_rng(0)
    state = torch.from_numpy(random.normal(size=16) + 1j * random.normal(size=16))
    assert float(ray_distance(state, length * np.exp(1j * phase) * state)) < 1e-30


@given(st.floats(-15, -0.5))
def test_resolves_far_below_rounding_of_one(exponent: float) -> None:
    angle = 10**exponent
    reference = torch.tensor([1, 0], dtype=torch.complex128)
    prediction = torch.tensor([np.cos(angle), 1j * np.sin(angle)], dtype=torch.complex128)
    assert float(ray_distance(reference, prediction)) == pytest.approx(np.sin(angle) ** 2, rel=1e-10)


def test_orthogonal_or_no_norm_is_one() -> None:
    up, down = torch.eye(2, dtype=torch.complex128)
    assert float(ray_distance(up, down)) == 1
    assert float(ray_distance(up, 0 * up)) == 1


def test_blocks_make_no_difference(score: Score, random_states: States) -> None:
    a, b = random_states(3, 9, 8, seed=1), random_states(3, 9, 8, seed=2)
    whole, parts = (score(Infidelity, a, b, split=split).result() for split in ((), (2, 3, 8)))
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("split", [(), (2,), (3, 4), (1, 2, 3, 4, 5)])
def test_valid_time_is_the_first_grid_time_above_the_threshold(score: Score, split: tuple[int, ...]) -> None:
    infidelities = np.array(
        [[0, 0.002, 0.011, 0.003, 0.5, 0.5], [0, 0, 0, 0, 0.0099, 0.0101], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]]
    )
    reference = torch.zeros(4, 6, 2, dtype=torch.complex128)
    reference[..., 0] = 1
    components = np.stack([np.sqrt(1 - infidelities), 1j * np.sqrt(infidelities)], axis=-1)
    metric = score(ValidTime, torch.from_numpy(components), reference, split=split)
    assert metric.result() == pytest.approx([0.2, 0.5, 0.5, 0.1])
    assert not metric.per_time
