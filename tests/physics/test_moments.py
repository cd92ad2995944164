from __future__ import annotations

import numpy as np
import pytest
import torch

from qdynbench.physics import charges, moments, observables
from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent


def random_states(size: int, *count: int) -> torch.Tensor:
    random = np.random.default_rng(size)
    shape = (*count, 1 << size)
    return torch.from_numpy(random.normal(size=shape) + 1j * random.normal(size=shape))


SUMS = {
    "near and far": [(0.7, "XZY", (0, 3, 6)), (1.1, "YX", (5, 1)), (0.3, "ZZ", (0, 6)), (-0.4, "XX", (6, 0))],
    "neighbours": [(1.0 + i / 7, "XX", (i, i + 1)) for i in range(6)] + [(0.5, "YY", (i, i + 1)) for i in range(6)],
    "fields": [(0.2 + i, letter, (i,)) for i, letter in enumerate("XYZXYZX")],
    "one string twice": [(1.0, "X", (2,)), (0.5, "X", (2,)), (0.25, "ZZ", (1, 2)), (0.5, "ZZ", (2, 1))],
}


@pytest.mark.parametrize("terms", SUMS.values(), ids=SUMS)
def test_mean_and_variance_against_the_matrix(terms: list[tuple[float, str, tuple[int, ...]]]) -> None:
    operator = PauliSum.from_terms(7, terms)
    states = random_states(7, 2, 3)
    matrix, vectors = independent.dense(operator), states.numpy()
    weight = np.linalg.norm(vectors, axis=-1) ** 2
    applied = np.einsum("ij,btj->bti", matrix, vectors)
    mean = np.einsum("bti,bti->bt", vectors.conj(), applied).real
    assert moments.mean(operator, states).numpy() == pytest.approx(mean, rel=1e-12)
    spins = observables.magnetization(states)
    assert moments.mean(operator, states, spins).numpy() == pytest.approx(mean, rel=1e-12)
    variance = np.linalg.norm(applied, axis=-1) ** 2 / weight - (mean / weight) ** 2
    assert moments.variance(operator, states).numpy() == pytest.approx(variance, rel=1e-11)


def test_an_eigenstate_has_no_variance_to_the_last_digits() -> None:
    operator = PauliSum.from_terms(
        6, [(1.0, "ZZ", (i, i + 1)) for i in range(5)] + [(-50.0, "Z", (i,)) for i in range(6)]
    )
    state = torch.zeros(64, dtype=torch.complex128)
    state[5] = 1j
    assert float(moments.variance(operator, state)) == 0


@pytest.mark.parametrize("size", [11, 13, 17])
def test_long_chains_are_taken_by_windows_with_the_same_result(size: int) -> None:
    states = random_states(size, 2)
    found = observables.magnetization(states)
    one_by_one = observables._bloch_vectors(states)
    for number, axis in enumerate(("x", "y", "z")):
        assert found[axis].numpy() == pytest.approx(one_by_one[..., number].numpy(), abs=1e-13)
    view = torch.stack([states, states], dim=1)[:, :1]
    assert torch.equal(observables.magnetization(view)["y"][:, 0], found["y"])


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (SUMS["fields"], ()),
        ([(1.0, "ZZ", (0, 1)), (0.5, "X", (0,)), (0.3, "X", (2,))], ("parity_x",)),
        ([(1.0, "ZZ", (0, 1)), (0.5, "X", (0,)), (0.5, "Z", (0,))], ()),
        ([(1.0, "XX", (0, 1)), (1.0, "YY", (0, 1)), (0.3, "Z", (2,))], ("total_z", "parity_z")),
        ([(1.0, "XX", (0, 1)), (0.9, "YY", (0, 1))], ("parity_x", "parity_z")),
        ([(0.5, "XX", (0, 1)), (1.0, "YY", (1, 0)), (0.5, "XX", (1, 0))], ("total_z", "parity_x", "parity_z")),
        ([(1.0, "XY", (0, 1)), (-1.0, "YX", (0, 1))], ("total_z", "parity_z")),
        ([(1.0, "Z", (0,)), (-1.0, "Z", (0,))], ("total_z", "parity_x", "parity_z")),
    ],
)
def test_conserved_charges_are_those_that_commute(
    terms: list[tuple[float, str, tuple[int, ...]]], expected: tuple[str, ...]
) -> None:
    operator = PauliSum.from_terms(max(max(sites) for _, _, sites in terms) + 1, terms)
    matrix, size = independent.dense(operator), operator.size
    everywhere = tuple(range(size))
    candidates = {
        "total_z": sum(independent.pauli_string(size, "Z", (site,)) for site in everywhere),
        "parity_x": independent.pauli_string(size, "X" * size, everywhere),
        "parity_z": independent.pauli_string(size, "Z" * size, everywhere),
    }
    commuting = tuple(name for name, charge in candidates.items() if np.allclose(matrix @ charge, charge @ matrix))
    assert charges.conserved(operator) == expected == commuting


@pytest.mark.parametrize("letter", ["X", "Z"])
@pytest.mark.parametrize("size", [1, 4, 16])
def test_parity_of_any_state(letter: str, size: int) -> None:
    states = random_states(size, 3)
    vectors = states.numpy()
    signs = np.array([(-1) ** bin(index).count("1") for index in range(1 << size)])
    image = vectors[:, ::-1] if letter == "X" else signs * vectors
    expected = np.einsum("bi,bi->b", vectors.conj(), image).real / np.linalg.norm(vectors, axis=-1) ** 2
    name = "parity_x" if letter == "X" else "parity_z"
    assert charges.parity(states, name).numpy() == pytest.approx(expected, abs=1e-13)
