"""Metrics that compare states: infidelity, relative entropy, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from qdynbench.scoring.metrics.infidelity import Infidelity
from qdynbench.scoring.metrics.relative_entropy import MeanRelativeEntropy
from qdynbench.scoring.metrics.skill import Skill
from qdynbench.scoring.metrics.valid_time import ValidTime
from qdynbench.testing.metrics import random_trajectories, scored


def test_blocks_make_no_difference() -> None:
    a, b = random_trajectories(3, 9, 8, seed=1), random_trajectories(3, 9, 8, seed=2)
    whole, parts = (scored(Infidelity, a, b, split=split).result() for split in ((), (2, 3, 8)))
    assert np.array_equal(whole, parts)


def test_is_taken_from_prediction_to_reference_and_per_block() -> None:
    reference, prediction = random_trajectories(3, 10, 8, seed=3), random_trajectories(3, 10, 8, seed=4)
    values = scored(MeanRelativeEntropy, prediction, reference, split=(1, 4)).result()
    assert values.shape == (3, 10)
    assert values == pytest.approx(scipy.stats.entropy(abs(reference.numpy()), abs(prediction.numpy()), axis=-1))


def test_skill_is_one_minus_the_error_in_units_of_persistence() -> None:
    reference, prediction = random_trajectories(3, 6, 8, seed=5), random_trajectories(3, 6, 8, seed=6)
    unmoved = reference[:, :1].expand_as(reference)
    error, persistence = (
        scored(MeanRelativeEntropy, states, reference).result()[:, 1:] for states in (prediction, unmoved)
    )
    for states, expected in ((prediction, 1 - error / persistence), (unmoved, 0 * error), (reference, 1 + 0 * error)):
        skill = scored(Skill, states, reference, split=(1, 4)).result()
        assert np.isnan(skill[:, 0]).all()
        assert skill[:, 1:] == pytest.approx(expected, abs=1e-13)


def test_skill_is_undefined_where_nothing_moves() -> None:
    phases = torch.exp(1j * torch.linspace(0, 3, 6, dtype=torch.float64))[None, :, None]
    reference = phases * random_trajectories(3, 1, 8)
    assert np.isnan(scored(Skill, random_trajectories(3, 6, 8), reference).result()).all()


def test_skill_compares_the_means_that_the_table_shows() -> None:
    reference = random_trajectories(40, 6, 16, seed=1)
    prediction = reference + 0.1 * random_trajectories(40, 6, 16, seed=2)
    skill, divergence = scored(Skill, prediction, reference), scored(MeanRelativeEntropy, prediction, reference)
    unmoved = scored(MeanRelativeEntropy, reference[:, :1].expand(40, 6, 16), reference).result()
    arrays = {"skill": skill.result()} | skill.curves()
    value, low, high = Skill.summarise(arrays, 5)
    assert value == pytest.approx(1 - divergence.result()[:, 5].mean() / unmoved[:, 5].mean(), rel=1e-12)
    assert low < value < high


@pytest.mark.parametrize("split", [(), (2,), (3, 4), (1, 2, 3, 4, 5)])
def test_valid_time_is_the_first_grid_time_above_the_threshold(split: tuple[int, ...]) -> None:
    infidelities = np.array(
        [[0, 0.002, 0.011, 0.003, 0.5, 0.5], [0, 0, 0, 0, 0.0099, 0.0101], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1]]
    )
    reference = torch.zeros(4, 6, 2, dtype=torch.complex128)
    reference[..., 0] = 1
    components = np.stack([np.sqrt(1 - infidelities), 1j * np.sqrt(infidelities)], axis=-1)
    metric = scored(ValidTime, torch.from_numpy(components), reference, split=split)
    assert metric.result() == pytest.approx([0.2, 0.5, 0.5, 0.1])
    assert not metric.per_time
