from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qdynbench.errors import InputError
from qdynbench.physics import moments
from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent


@st.composite
def pauli_sums(draw: st.DrawFn) -> PauliSum:
    size = draw(st.integers(1, 5))
    terms = []
    for _ in range(draw(st.integers(1, 6))):
        sites = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=size, unique=True))
        letters = "".join(draw(st.sampled_from("XYZ")) for _ in sites)
        terms.append((draw(st.floats(-2, 2)), letters, sites))
    return PauliSum.from_terms(size, terms)


@given(pauli_sums())
def test_matrices_against_kronecker_products(hamiltonian: PauliSum) -> None:
    expected = independent.dense(hamiltonian)
    assert np.allclose(hamiltonian.to_dense(), expected, atol=1e-13)
    assert np.allclose(hamiltonian.to_sparse().toarray(), expected, atol=1e-13)
    assert np.allclose((-hamiltonian).to_dense(), -expected, atol=1e-13)
    if hamiltonian.is_real:
        assert hamiltonian.to_dense().dtype == hamiltonian.to_sparse().dtype == np.float64


@given(pauli_sums(), st.sampled_from([torch.complex64, torch.complex128]))
def test_expectation_against_kronecker_products(hamiltonian: PauliSum, dtype: torch.dtype) -> None:
    random = np.random.default_rng(1)
    shape = (2, 3, 1 << hamiltonian.size)
    states = torch.from_numpy(random.normal(size=shape) + 1j * random.normal(size=shape)).to(dtype)
    exact = states.to(torch.complex128).numpy()
    expected = np.einsum("bti,ij,btj->bt", exact.conj(), independent.dense(hamiltonian), exact).real
    found = moments.mean(hamiltonian, states)
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(expected, abs=1e-11)


@given(pauli_sums())
def test_json_round_trip(hamiltonian: PauliSum) -> None:
    assert PauliSum.from_json(hamiltonian.to_json()) == hamiltonian


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ((1.0, "XW", (0, 1)), "letters X, Y and Z"),
        ((1.0, "", ()), "letters X, Y and Z"),
        ((1.0, "XX", (0,)), "2 letters but 1 sites"),
        ((1.0, "XX", (1, 1)), "appears twice"),
        ((1.0, "Z", (3,)), "run from 0 to 2"),
        ((1.0, "Z", (-1,)), "run from 0 to 2"),
        ((float("nan"), "Z", (0,)), "finite real"),
        ((1j, "Z", (0,)), "finite real"),
    ],
)
def test_what_is_no_hermitian_sum_is_refused(term: tuple[float, str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PauliSum.from_terms(3, [term])
