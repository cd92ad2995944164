"""Distances between states: of rays, and of magnitudes."""

from __future__ import annotations

import decimal
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from qdynbench.physics.distances import FLOOR, magnitude_divergence, ray_distance
from qdynbench.testing.metrics import random_trajectories

amplitude = st.floats(-1, 1).map(lambda x: 0.0 if abs(x) < 1e-9 else x)
amplitudes = hnp.arrays(np.float64, (2, 8), elements=amplitude).filter(lambda a: a.any(axis=1).all())


def test_the_distance_of_rays_agrees_with_the_overlap() -> None:
    a, b = random_trajectories(4, 6, 8, seed=1), 1.7 * random_trajectories(4, 6, 8, seed=2)
    overlap = np.einsum("btx,btx->bt", a.numpy().conj(), b.numpy())
    expected = 1 - abs(overlap) ** 2 / 1.7**2
    assert ray_distance(a, b).numpy() == pytest.approx(expected, rel=1e-12)


@given(st.floats(0, 2 * np.pi), st.floats(1e-3, 1e3))
def test_global_phase_and_norm_do_not_count_between_rays(phase: float, length: float) -> None:
    random = np.random.default_rng(0)
    state = torch.from_numpy(random.normal(size=16) + 1j * random.normal(size=16))
    assert float(ray_distance(state, length * np.exp(1j * phase) * state)) < 1e-30


@given(st.floats(-15, -0.5))
def test_the_distance_of_rays_resolves_far_below_rounding_of_one(exponent: float) -> None:
    angle = 10**exponent
    reference = torch.tensor([1, 0], dtype=torch.complex128)
    prediction = torch.tensor([np.cos(angle), 1j * np.sin(angle)], dtype=torch.complex128)
    assert float(ray_distance(reference, prediction)) == pytest.approx(np.sin(angle) ** 2, rel=1e-10)


def test_the_distance_of_orthogonal_rays_is_one() -> None:
    up, down = torch.eye(2, dtype=torch.complex128)
    assert float(ray_distance(up, down)) == 1
    assert float(ray_distance(up, 0 * up)) == 1


def test_the_divergence_agrees_with_scipy_on_magnitudes() -> None:
    reference, prediction = random_trajectories(5, 7, 16, seed=1), random_trajectories(5, 7, 16, seed=2)
    expected = scipy.stats.entropy(reference.abs().numpy(), prediction.abs().numpy(), axis=-1)
    assert magnitude_divergence(reference, prediction).numpy() == pytest.approx(expected, rel=1e-13)


def test_the_divergence_of_two_amplitudes_by_hand() -> None:
    reference = torch.tensor([0.6, 0.8], dtype=torch.complex128)
    prediction = torch.tensor([0.8, -0.6j], dtype=torch.complex128)
    # P = (3/7, 4/7), Q = (4/7, 3/7): sum of magnitudes, not of probabilities
    assert float(magnitude_divergence(reference, prediction)) == pytest.approx(np.log(4 / 3) / 7, rel=1e-14)


@given(amplitudes)
def test_the_divergence_is_never_negative_and_zero_for_equal_magnitudes(pair: NDArray[np.float64]) -> None:
    reference, prediction = torch.from_numpy(pair).to(torch.complex128)
    assert float(magnitude_divergence(reference, prediction)) >= 0
    assert float(magnitude_divergence(reference, 3 * reference)) == pytest.approx(0, abs=1e-28)
    assert float(magnitude_divergence(reference, 1j * reference)) == 0


@given(st.floats(1e-13, 1e-2))
def test_tiny_divergences_resolve(step: float) -> None:
    with decimal.localcontext(prec=60):
        p = [Decimal(3) / 8, Decimal(5) / 8]
        q = [p[0] + Decimal(step), p[1] - Decimal(step)]
        expected = float(sum(a * (a / b).ln() for a, b in zip(p, q, strict=True)))
    found = float(
        magnitude_divergence(
            torch.tensor([float(x) for x in p], dtype=torch.complex128),
            torch.tensor([float(x) for x in q], dtype=torch.complex128),
        )
    )
    # the rounding of Q itself, 1e-16, is what limits the step
    assert found == pytest.approx(expected, rel=4e-16 / step + 1e-12)


def test_zeros_are_finite_at_the_floor_and_nothing_where_p_is_zero() -> None:
    up, down = torch.eye(2, dtype=torch.complex128)
    plus = (up + down) / np.sqrt(2)
    assert float(magnitude_divergence(up, down)) == pytest.approx(-np.log(FLOOR), rel=1e-12)
    assert float(magnitude_divergence(up, plus)) == pytest.approx(np.log(2), rel=1e-14)
    assert float(magnitude_divergence(up, up)) == 0
    assert np.isfinite(float(magnitude_divergence(up, 0 * up)))


def test_single_precision_predictions_keep_their_own_error_only() -> None:
    reference = random_trajectories(4, 5, 16)
    rounded = reference.to(torch.complex64)
    assert float(magnitude_divergence(reference, rounded).max()) < 1e-13
    assert torch.equal(
        magnitude_divergence(reference, rounded), magnitude_divergence(reference, rounded.to(torch.complex128))
    )
