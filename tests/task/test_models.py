from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

from qdynbench.errors import InputError
from qdynbench.task.models import MixedFieldIsing, WeightedPauliStrings

PAULI = {"I": np.eye(2), "X": np.array([[0, 1], [1, 0]]), "Z": np.diag([1, -1])}


def kron(size: int, letters: dict[int, str]) -> np.ndarray:
    return reduce(np.kron, [PAULI[letters.get(site, "I")] for site in range(size)])


@pytest.mark.parametrize("boundary", ["open", "periodic"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_ising_is_the_sum_of_the_papers_equation_1(boundary, size):
    model = MixedFieldIsing(J=1.5, g=-1.05, h=0.5, boundary=boundary)
    bonds = [(i, i + 1) for i in range(size - 1)]
    if boundary == "periodic" and size > 2:
        bonds.append((size - 1, 0))
    expected = np.zeros((2**size, 2**size))
    for i, j in bonds:
        expected += 1.5 * kron(size, {i: "Z", j: "Z"})
    for i in range(size):
        expected += -1.05 * kron(size, {i: "X"}) + 0.5 * kron(size, {i: "Z"})
    np.testing.assert_allclose(model.hamiltonian(size).to_dense(), expected, atol=1e-15)


def test_fields_may_differ_from_site_to_site():
    model = MixedFieldIsing(J=[1.0, 2.0], g=[0.1, 0.2, 0.3], h=[1.0, 0.0, -1.0])
    expected = kron(3, {0: "Z", 1: "Z"}) + 2 * kron(3, {1: "Z", 2: "Z"})
    for site, (g, h) in enumerate([(0.1, 1.0), (0.2, 0.0), (0.3, -1.0)]):
        expected = expected + g * kron(3, {site: "X"}) + h * kron(3, {site: "Z"})
    np.testing.assert_allclose(model.hamiltonian(3).to_dense(), expected, atol=1e-15)
    with pytest.raises(InputError, match="J lists 2 values where this size needs 3"):
        model.hamiltonian(4)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ((1.0, "XQ", [0, 1]), "letters X, Y and Z"),
        ((1.0, "X", [0, 1]), "1 letters but 2 sites"),
        ((1.0, "XX", [1, 1]), "a site appears twice"),
        ((1.0, "X", [3]), "run from 0 to 2"),
        ((1.0, "X", [-1]), "run from 0 to 2"),
        ((1.0, "", []), "letters X, Y and Z"),
    ],
)
def test_wrong_pauli_strings_are_refused(term, message):
    with pytest.raises(InputError, match=message):
        WeightedPauliStrings(terms=[term]).hamiltonian(3)
