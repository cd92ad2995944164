"""What needs no NetKet: the wave function in the basis's order, turned sites, where the integrator stops, residuals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.linalg
import torch
from qdynbench_netket import ansatz, frame
from qdynbench_netket.findings import left_out
from qdynbench_netket.stepping import steps_within, stopping_points

from qdynbench import PauliSum, moments
from qdynbench.testing import independent
from qdynbench.testing.exercise import graded_chain, product_initial

STRINGS = PauliSum.from_terms(
    3, [(0.7, "XYZ", (0, 2, 1)), (0.4, "YY", (2, 0)), (0.5, "Y", (1,)), (0.3, "ZX", (1, 2)), (-0.2, "Z", (0,))]
)


@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_every_product_state_is_contained(order: int) -> None:
    initial = product_initial(4, 3, seed=1)
    for spinors, state in zip(initial.spinors.numpy(), initial.states.numpy(), strict=True):
        couplings = ansatz.product_couplings(spinors, order)
        assert couplings.shape == (ansatz.count(4, order),)
        (found,) = ansatz.states(couplings[None], ansatz.table(4, order))
        assert abs(abs(np.vdot(found, state)) - 1) < 1e-13


def test_all_clusters_contain_every_state() -> None:
    random = np.random.default_rng(2)
    state = random.standard_normal(16) + 1j * random.standard_normal(16)
    state /= np.linalg.norm(state)
    products = ansatz.table(4, 4)
    (found,) = ansatz.states(ansatz.couplings_of(state, products)[None], products)
    assert abs(abs(np.vdot(found, state)) - 1) < 1e-13


@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=3)))
def test_turned_sums_and_states_are_the_same_in_other_bases(turned: frame.Turned) -> None:
    change = np.ones((1, 1))
    for site in turned:
        change = np.kron(change, scipy.linalg.hadamard(2) / np.sqrt(2) if site else np.eye(2))
    wanted = change @ independent.dense(STRINGS) @ change
    np.testing.assert_allclose(independent.dense(frame.turn_sum(STRINGS, turned)), wanted, atol=1e-14)
    initial = product_initial(3, 2, seed=3)
    states = frame.turn_states(initial.states.numpy(), turned)
    np.testing.assert_allclose(states, initial.states.numpy() @ change.T, atol=1e-14)
    spinors = np.stack([frame.turn_spinors(one, turned) for one in initial.spinors.numpy()])
    np.testing.assert_allclose(states, independent.product_states(spinors), atol=1e-14)


def test_only_sites_near_z_are_turned() -> None:
    spinors = np.array([[1, 0], [0.6, 0.8j], [0, 1j], [0.05, np.sqrt(1 - 0.05**2)], [0.2, np.sqrt(0.96)]])
    assert frame.sites_to_turn(spinors) == (True, False, True, True, False)


@pytest.mark.parametrize(
    ("count", "spacing", "step", "stops", "steps"),
    [
        (6, 0.02, 0.02, [0, 1, 2, 3, 4, 5], 1),
        (6, 0.05, 0.02, [0, 1, 2, 3, 4, 5], 3),
        (8, 0.002, 0.006, [0, 3, 6, 7], 1),
        (3, 0.002, 0.1, [0, 2], 1),
        (2, 0.1, 0.1 / 3, [0, 1], 3),
    ],
)
def test_stops_lie_on_the_grid(count: int, spacing: float, step: float, stops: list[int], steps: int) -> None:
    assert stopping_points(count, spacing, step).tolist() == stops
    assert steps_within(spacing * stops[1], step) == steps


def test_phases_are_those_of_the_evolution() -> None:
    hamiltonian, dt = graded_chain(3), 0.01
    initial = product_initial(3, 1, seed=4).states
    exact = independent.evolve(hamiltonian, initial.numpy(), np.arange(11) * dt)[0]
    energy = float(moments.mean(hamiltonian, initial)[0])
    lost = exact[1:] * np.exp(1j * np.random.default_rng(5).uniform(0, 6, (10, 1)))
    found = ansatz.with_phases(lost, exact[0], energy, dt)
    assert np.linalg.norm(found - exact[1:], axis=-1).max() < 1e-3


def test_the_residual_is_the_share_of_the_motion_that_is_left_out() -> None:
    """Half of a motion lacks a quarter of its squared speed; norm and phase count as no motion."""
    states = product_initial(3, 2, seed=6).states.numpy()
    rates = -1j * (states @ independent.dense(STRINGS).T) / states
    assert left_out(rates, states, STRINGS) < 1e-12
    assert left_out(rates + 0.3 - 2j, states, STRINGS) < 1e-12
    assert abs(left_out(rates / 2, states, STRINGS) - 0.25) < 1e-12
    still = torch.zeros(1, 8, dtype=torch.complex128).numpy()
    still[0, 5] = 1
    diagonal = PauliSum.from_terms(3, [(1.0, "ZZ", (0, 1))])
    assert left_out(np.zeros((1, 8), dtype=np.complex128), still, diagonal) == 0.0
