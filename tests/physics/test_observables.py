from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qdynbench.physics import entanglement, observables
from qdynbench.testing import independent


def states_of(size: int, count: tuple[int, ...] = (2, 3), seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    states = random.normal(size=(*count, 1 << size)) + 1j * random.normal(size=(*count, 1 << size))
    return torch.from_numpy(states / np.linalg.norm(states, axis=-1, keepdims=True))


@given(st.integers(1, 5), st.integers(0, 1000))
def test_magnetization_of_every_site_against_kronecker_products(size: int, seed: int) -> None:
    states = states_of(size, seed=seed)
    found = observables.magnetization(2.5 * states)
    for axis in ("x", "y", "z"):
        for site in range(size):
            matrix = independent.pauli_string(size, axis.upper(), (site,))
            expected = np.einsum("bti,ij,btj->bt", states.numpy().conj(), matrix, states.numpy()).real
            assert found[axis][..., site].numpy() == pytest.approx(expected, abs=1e-14)


@given(st.integers(1, 5), st.data())
def test_a_basis_state_points_where_its_bits_say(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, 2**size - 1))
    state = torch.zeros(1 << size, dtype=torch.complex128)
    state[index] = 1
    expected = [1.0 if bit == "0" else -1.0 for bit in f"{index:0{size}b}"]
    assert observables.magnetization(state)["z"].tolist() == expected


def test_no_norm_has_no_spin_and_no_entropy() -> None:
    nothing = torch.zeros(2, 4, dtype=torch.complex128)
    assert all((spin == 0).all() for spin in observables.magnetization(nothing).values())
    assert (entanglement.half_chain_entropy(nothing) == 0).all()


def test_entropy_of_bell_ghz_and_product_states() -> None:
    up, down = np.eye(2)
    ghz = independent.product_states(np.array([[up] * 5]))[0] + independent.product_states(np.array([[down] * 5]))[0]
    spinors = (np.random.default_rng(0).normal(size=(4, 5, 2)) + 1j).astype(np.complex128)
    pairs = torch.zeros(16, dtype=torch.complex128)
    pairs[[0b0000, 0b0101, 0b1010, 0b1111]] = 0.5  # sites 0-2 and 1-3 each in a Bell pair
    entropy = entanglement.half_chain_entropy
    assert float(entropy(torch.from_numpy(ghz))) == pytest.approx(np.log(2), abs=1e-14)
    assert entropy(torch.from_numpy(independent.product_states(spinors))).numpy() == pytest.approx(0, abs=1e-13)
    assert float(entropy(pairs)) == pytest.approx(2 * np.log(2), abs=1e-14)
    assert float(entropy(torch.ones(2, dtype=torch.complex128))) == 0


@given(st.integers(2, 6), st.integers(0, 1000))
def test_entropy_is_that_of_the_schmidt_spectrum(size: int, seed: int) -> None:
    states = states_of(size, seed=seed)
    left = size // 2
    schmidt = np.linalg.svd(states.numpy().reshape(2, 3, 1 << left, -1), compute_uv=False) ** 2
    expected = -np.sum(schmidt * np.log(np.clip(schmidt, 1e-300, None)), axis=-1)
    assert entanglement.half_chain_entropy(states).numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shape", [(), (1,), (70,), (1, 300), (300, 1), (3, 130), (2, 3, 40)])
def test_pieces_make_no_difference(shape: tuple[int, ...]) -> None:
    states = states_of(10, count=shape)
    expected = np.linalg.norm(states.numpy(), axis=-1)
    assert observables.norm(states).numpy() == pytest.approx(expected, rel=1e-14)
    spins = observables.magnetization(states)["y"]
    assert spins.shape == (*shape, 10)
    one = states.reshape(-1, 1 << 10)[-1]
    assert spins.reshape(-1, 10)[-1].numpy() == pytest.approx(observables.magnetization(one)["y"].numpy(), abs=1e-14)


def test_a_broadcast_view_is_taken_as_it_is() -> None:
    state = states_of(4, count=(3, 1))
    assert torch.equal(observables.norm(state.expand(3, 50, 16)), observables.norm(state).expand(3, 50))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_make_no_difference_and_stay_as_they_are(threads: int) -> None:
    before = torch.get_num_threads()
    states = states_of(8, count=(5, 60))
    expected = entanglement.half_chain_entropy(states[-1, -1])
    try:
        torch.set_num_threads(threads)
        found = entanglement.half_chain_entropy(states)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found.shape == (5, 60)
    assert float(found[-1, -1]) == pytest.approx(float(expected), abs=1e-12)


def test_an_error_in_a_piece_is_raised() -> None:
    with pytest.raises(RuntimeError):
        entanglement.half_chain_entropy(torch.full((4, 100, 1 << 8), torch.nan, dtype=torch.complex128))
