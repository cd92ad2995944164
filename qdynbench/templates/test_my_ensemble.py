"""The contract of an ensemble, and what its states have in common."""

import numpy as np
from my_ensemble import MyEnsemble

from qdynbench.testing import check_ensemble, passed


def test_it_keeps_the_contract():
    results = check_ensemble(MyEnsemble)
    assert passed(results), results


def test_all_spins_of_a_state_are_alike():
    spinors = MyEnsemble().spinors(4, 10, np.random.default_rng(0))
    assert np.array_equal(spinors, np.broadcast_to(spinors[:, :1], spinors.shape))
