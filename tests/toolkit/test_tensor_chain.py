"""Chains of random tensors, in no gauge and of no norm, against their amplitudes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent
from qdynbench.testing.exercise import graded_chain
from qdynbench.toolkit.tensor_chain import amplitudes, bond_terms, measure

BONDS = {2: (1, 3, 1), 5: (1, 2, 5, 3, 2, 1), 6: (1, 2, 4, 7, 3, 2, 1)}


def random_chain(size: int) -> list[NDArray[np.complex128]]:
    random = np.random.default_rng(size)
    shapes = [(left, 2, right) for left, right in zip(BONDS[size], BONDS[size][1:], strict=False)]
    return [random.standard_normal(shape) + 1j * random.standard_normal(shape) for shape in shapes]


def test_the_amplitudes_of_a_product_have_site_0_most_significant() -> None:
    random = np.random.default_rng(0)
    spinors = random.standard_normal((4, 2)) + 1j * random.standard_normal((4, 2))
    found = amplitudes([spinor.reshape(1, 2, 1) for spinor in spinors])
    np.testing.assert_allclose(found, independent.product_states(spinors[None])[0], atol=1e-14)


@pytest.mark.parametrize("size", [2, 5, 6])
def test_expectation_values_are_those_of_the_amplitudes(size: int) -> None:
    chain, model = random_chain(size), graded_chain(size)
    vector = amplitudes(chain)
    norm = float(np.linalg.norm(vector))
    found = measure(chain, bond_terms(model))
    assert found.norm == pytest.approx(norm, rel=1e-12)
    state = vector / norm
    assert found.energy == pytest.approx((state.conj() @ independent.dense(model) @ state).real, abs=1e-11)
    for row, letter in enumerate("XYZ"):
        exact = [(state.conj() @ independent.pauli_string(size, letter, [i]) @ state).real for i in range(size)]
        np.testing.assert_allclose(found.spins[row], exact, atol=1e-12)
    weights = np.linalg.svd(state.reshape(2 ** (size // 2), -1), compute_uv=False) ** 2
    assert found.entropy == pytest.approx(-np.sum(weights * np.log(weights)), abs=1e-10)
    assert np.isnan(measure(chain).energy)


def test_the_terms_of_all_bonds_make_up_the_operator() -> None:
    model = PauliSum.from_terms(4, [(0.7, "XY", (2, 1)), (0.3, "ZX", (2, 3)), (0.5, "Y", (3,)), (0.2, "Z", (0,))])
    total = sum(np.kron(np.kron(np.eye(2**i), bond), np.eye(2 ** (2 - i))) for i, bond in enumerate(bond_terms(model)))
    np.testing.assert_allclose(total, independent.dense(model), atol=1e-14)
