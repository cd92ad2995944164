"""Norms, flips and commutation of Pauli strings, against matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent
from qdynbench.testing.exercise import random_strings, uniform_chain
from qdynbench.toolkit.strings import commuting, flips, norm_bound


@pytest.mark.parametrize("seed", range(4))
def test_flips_and_norm_bound_those_of_the_matrix(seed: int) -> None:
    operator = random_strings(4, 9, seed)
    assert np.abs(np.linalg.eigvalsh(independent.dense(operator))).max() <= norm_bound(operator)
    assert np.count_nonzero(independent.dense(operator), axis=1).max() == len(flips(operator))


def test_flips_are_told_by_their_sites() -> None:
    assert flips(uniform_chain(3)) == {(), (0,), (1,), (2,)}
    exchange = PauliSum.from_terms(3, [(1.0, "XX", (0, 1)), (1.0, "YY", (1, 0)), (0.5, "XZ", (2, 0))])
    assert flips(exchange) == {(0, 1), (2,)}


@pytest.mark.parametrize("seed", range(12))
def test_strings_commute_where_their_matrices_do(seed: int) -> None:
    operator = random_strings(3, 3, seed)
    matrices = [independent.pauli_string(3, term.paulis, term.sites) for term in operator.terms]
    wanted = all(np.allclose(a @ b, b @ a) for a, b in itertools.combinations(matrices, 2))
    assert commuting(operator) == wanted
