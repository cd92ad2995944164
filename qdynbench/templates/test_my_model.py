"""The contract of a model, and a Hamiltonian that can be written down."""

import numpy as np
from my_model import MyModel

from qdynbench.testing import check_model, passed


def test_it_keeps_the_contract():
    results = check_model(MyModel)
    assert passed(results), results


def test_two_spins_have_one_bond():
    x = np.array([[0, 1], [1, 0]])
    assert np.array_equal(MyModel(J=0.5).hamiltonian(2).to_dense(), 0.5 * np.kron(x, x))
