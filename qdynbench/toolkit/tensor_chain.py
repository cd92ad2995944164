"""States given as a chain of tensors: amplitudes, and expectation values at any number of sites.

Every tensor has the shape `(left bond, 2, right bond)`, up first; the outer bonds have dimension 1. The amplitude of a
basis state is the product of the matrices that its spins select, site 0 leftmost. No gauge is asked for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum

PAULI = {
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


class Measured(NamedTuple):
    """Expectation values of one state.

    Attributes:
        spins: `<X_i>`, `<Y_i>`, `<Z_i>` of the normalised state, shape `(3, N)`.
        energy: of the normalised state; nan where no terms were given.
        norm: 2-norm.
        entropy: von Neumann entropy of the left `N // 2` sites, natural log.
    """

    spins: NDArray[np.float64]
    energy: float
    norm: float
    entropy: float


def amplitudes(tensors: Sequence[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """Return all amplitudes, shape `(2**N,)`, site 0 most significant."""
    vector = np.ones((1, 1), dtype=np.complex128)
    for tensor in tensors:
        left, _, right = tensor.shape
        vector = (vector @ tensor.reshape(left, 2 * right)).reshape(-1, right)
    return vector[:, 0]


def bond_terms(hamiltonian: PauliSum) -> list[NDArray[np.complex128]]:
    """Return a sum of terms on one site or two neighbouring ones as a `(4, 4)` matrix for each of the `N - 1` bonds."""
    bonds = [np.zeros((4, 4), dtype=np.complex128) for _ in range(hamiltonian.size - 1)]
    for term in hamiltonian.terms:
        bond = min(*term.sites, hamiltonian.size - 2)
        letters = dict(zip(term.sites, term.paulis, strict=True))
        factors = [PAULI[letters[site]] if site in letters else np.eye(2) for site in (bond, bond + 1)]
        bonds[bond] += term.coefficient * np.kron(*factors)
    return bonds


def measure(
    tensors: Sequence[NDArray[np.complex128]], terms: Sequence[NDArray[np.complex128]] | None = None
) -> Measured:
    """Return the expectation values, while the orthogonality centre moves from the last site to the first.

    Args:
        tensors: at least two.
        terms: `bond_terms` of the Hamiltonian.
    """
    chain = list(tensors)
    for site in range(len(chain) - 1):
        left, _, right = chain[site].shape
        isometry, rest = np.linalg.qr(chain[site].reshape(left * 2, right))
        chain[site] = isometry.reshape(left, 2, -1)
        chain[site + 1] = np.tensordot(rest, chain[site + 1], 1)
    weight = float(np.linalg.norm(chain[-1])) ** 2
    spins = np.empty((3, len(chain)))
    energy, entropy = math.nan if terms is None else 0.0, 0.0
    for site in range(len(chain) - 1, -1, -1):
        left, _, right = chain[site].shape
        up, down = chain[site].transpose(1, 0, 2).reshape(2, -1)
        coherence = np.vdot(up, down)
        spins[:, site] = 2 * coherence.real, 2 * coherence.imag, np.vdot(up, up).real - np.vdot(down, down).real
        if site == 0:
            break
        if terms is not None:
            pair = np.tensordot(chain[site - 1], chain[site], 1).transpose(1, 2, 0, 3).reshape(4, -1)
            energy += float(np.vdot(pair, terms[site - 1] @ pair).real)
        matrix = chain[site].reshape(left, 2 * right)
        if site == len(chain) // 2:
            probabilities = np.linalg.svd(matrix, compute_uv=False) ** 2 / weight
            probabilities = probabilities[probabilities > 0]
            entropy = max(0.0, -float(np.sum(probabilities * np.log(probabilities))))
        isometry, rest = np.linalg.qr(matrix.conj().T)
        chain[site] = isometry.conj().T.reshape(-1, 2, right)
        chain[site - 1] = np.tensordot(chain[site - 1], rest.conj().T, 1)
    return Measured(spins / weight, energy / weight, math.sqrt(weight), entropy)
