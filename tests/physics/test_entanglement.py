from __future__ import annotations

import numpy as np
import pytest
import torch

from qdynbench.physics.entanglement import half_chain_entropy, schmidt_weights

SITES = 16
SIDE = 1 << SITES // 2


def state_of(weights: np.ndarray, seed: int = 0) -> torch.Tensor:
    """Return a state of `SITES` sites with these Schmidt weights between random bases of both halves."""
    random = np.random.default_rng(seed)
    left, right = (
        np.linalg.qr(random.normal(size=(SIDE, SIDE)) + 1j * random.normal(size=(SIDE, SIDE)))[0] for _ in range(2)
    )
    return torch.from_numpy((left[:, : len(weights)] * np.sqrt(weights)) @ right[: len(weights)]).reshape(-1)


def entropy_of(weights: np.ndarray) -> float:
    return float(-np.sum(weights * np.log(weights)))


@pytest.mark.parametrize("rank", [1, 2, 15, 16, 17, 40, 112, 113, 200, SIDE])
def test_states_of_every_schmidt_rank(rank: int) -> None:
    weights = np.random.default_rng(rank).uniform(0.1, 1, rank)
    weights /= weights.sum()
    state = state_of(weights, seed=rank)
    assert float(half_chain_entropy(3 * state)) == pytest.approx(entropy_of(weights), abs=1e-11)


def test_maximally_entangled_states_are_not_cut_short() -> None:
    flat = np.full(SIDE, 1 / SIDE)
    assert float(half_chain_entropy(state_of(flat))) == pytest.approx(SITES // 2 * np.log(2), abs=1e-12)


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.1, 1e-3])
def test_weights_that_fall_off_are_found_down_to_what_is_missed(ratio: float) -> None:
    weights = ratio ** np.arange(SIDE)
    weights = weights[weights > 1e-40]
    weights /= weights.sum()
    matrix = state_of(weights).reshape(SIDE, SIDE)
    found = schmidt_weights(matrix).flip(0).numpy()
    assert found[:16] == pytest.approx(weights[: len(found)][:16].tolist() + [0] * (16 - len(weights)), abs=1e-14)
    assert float(half_chain_entropy(matrix.reshape(-1))) == pytest.approx(entropy_of(weights), abs=2e-12)
    assert (len(found) < SIDE) == (ratio <= 0.5)


def test_odd_chains_and_batches() -> None:
    random = np.random.default_rng(1)
    states = random.normal(size=(2, 2, 1 << 17)) + 1j * random.normal(size=(2, 2, 1 << 17))
    singular = np.linalg.svd(states.reshape(2, 2, 1 << 8, -1), compute_uv=False) ** 2
    weights = singular / singular.sum(-1, keepdims=True)
    expected = -np.sum(weights * np.log(weights), axis=-1)
    assert half_chain_entropy(torch.from_numpy(states)).numpy() == pytest.approx(expected, abs=1e-11)
