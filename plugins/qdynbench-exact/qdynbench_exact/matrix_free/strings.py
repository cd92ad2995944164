"""Pauli strings by what they do to the index of an amplitude: which spins they flip, and which signs they read."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from qdynbench import basis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from qdynbench import PauliSum

Term = tuple[int, complex]
"""Mask of the bits whose spins' signs multiply, and the coefficient."""


def groups_by_flip(hamiltonian: PauliSum) -> dict[int, list[Term]]:
    """Return the strings by flip mask m, with equal signs added up: `d_m[b] = sum_t coefficient_t chi(b & signs_t)`."""
    size = hamiltonian.size
    sums: dict[int, dict[int, complex]] = defaultdict(lambda: defaultdict(complex))
    for term in hamiltonian.terms:
        letters = list(zip(term.paulis, term.sites, strict=True))
        flipped = basis.flip_mask((site for pauli, site in letters if pauli != "Z"), size)
        signed = basis.flip_mask((site for pauli, site in letters if pauli != "X"), size)
        sums[flipped][signed] += term.coefficient * (1, -1j, -1, 1j)[term.paulis.count("Y") % 4]
    return {m: [(s, c) for s, c in terms.items() if c != 0] for m, terms in sums.items()}


def signs(indices: NDArray[np.int64], mask: int) -> NDArray[np.float64]:
    """Return chi: -1 where an odd number of bits of `index & mask` is set, else 1."""
    result = np.ones(len(indices))
    while mask:
        bit = basis.highest_bit(mask)
        result[(indices & bit) != 0] *= -1
        mask ^= bit
    return result


def diagonal(terms: Iterable[Term], dim: int) -> NDArray[np.float64]:
    """Return `sum_t c_t chi(b & s_t)` for all b, shape `(dim,)`: the Walsh-Hadamard transform of the coefficients."""
    values = np.zeros(dim)
    for signed, coefficient in terms:
        values[signed] += coefficient.real
    period = 1
    while period < dim:
        pairs = values.reshape(-1, 2, period)
        upper = pairs[:, 0] - pairs[:, 1]
        pairs[:, 0] += pairs[:, 1]
        pairs[:, 1] = upper
        period *= 2
    return values
