"""Operators and evolution by explicit Kronecker products and scipy: shares no code with the rest of the project.

Only for small chains: every operator is a dense `2**N x 2**N` matrix.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum

PAULI = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


def kronecker(factors: Iterable[NDArray[np.complex128]]) -> NDArray[np.complex128]:
    """Return the Kronecker product, the first factor leftmost (most significant)."""
    product: NDArray[np.complex128] = functools.reduce(np.kron, list(factors))  # type: ignore[arg-type]
    return product


def pauli_string(size: int, letters: str, sites: Sequence[int]) -> NDArray[np.complex128]:
    """Return the matrix of a Pauli string, shape `(2**size, 2**size)`, site 0 leftmost in the Kronecker product."""
    at = dict(zip(sites, letters, strict=True))
    return kronecker([PAULI[at.get(site, "I")] for site in range(size)])


def dense(hamiltonian: PauliSum) -> NDArray[np.complex128]:
    """Return the matrix of a sum of Pauli strings, shape `(2**size, 2**size)`."""
    matrix = np.zeros((1 << hamiltonian.size,) * 2, dtype=np.complex128)
    for term in hamiltonian.terms:
        matrix += term.coefficient * pauli_string(hamiltonian.size, term.paulis, term.sites)
    return matrix


def product_states(spinors: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return product states of shape `(B, 2**N)` from spinors of shape `(B, N, 2)`."""
    return np.array([kronecker(sites) for sites in spinors])


def evolve(
    hamiltonian: PauliSum, initial: NDArray[np.complex128], times: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Return `exp(-i H t) psi` (hbar = 1) for states `(B, 2**N)`, shape `(B, T+1, 2**N)`, by scipy's `expm`.

    Every time has an exponential of its own, so that no error adds up along the grid.
    """
    from scipy.linalg import expm

    generator = -1j * dense(hamiltonian)
    propagators = np.array([expm(generator * time) for time in times])
    states: NDArray[np.complex128] = np.einsum("tij,bj->bti", propagators, initial)
    return states


def half_chain_entropy(state: NDArray[np.complex128]) -> float:
    """Return the entropy (natural logarithm) of the left `N // 2` spins of a state `(2**N,)`, normalised or not."""
    size = len(state).bit_length() - 1
    weights = np.linalg.svd(state.reshape(2 ** (size // 2), -1), compute_uv=False) ** 2
    weights = weights[weights > 1e-20] / weights.sum()
    return float(-(weights * np.log(weights)).sum())
