"""The bit order of the z basis: the one module that writes a shift.

Basis state `b` of N sites has `b = sum_j n_j 2**(N-1-j)` with `n_j = 0` for up (Z = +1): site 0 is the most
significant bit, as in the left-to-right Kronecker product. QuSpin's `spin_basis_1d(N, pauli=1)` keeps its states
in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def dimension(size: int) -> int:
    """Return how many basis states `size` spins have."""
    return 1 << size


def site_mask(site: int, size: int) -> int:
    """Return the bit of one site; basis state `b ^ mask` is `b` with that spin flipped."""
    return 1 << (size - 1 - site)


def flip_mask(sites: Iterable[int], size: int) -> int:
    """Return the bits of all `sites`."""
    mask = 0
    for site in sites:
        mask ^= site_mask(site, size)
    return mask


def highest_bit(mask: int) -> int:
    """Return the most significant bit of `mask`, that of its leftmost site; the mask must not be 0."""
    return 1 << (mask.bit_length() - 1)


def indices(size: int) -> NDArray[np.int64]:
    """Return all basis indices, shape `(2**size,)`."""
    return np.arange(dimension(size), dtype=np.int64)


def spins(size: int) -> NDArray[np.int8]:
    """Return the eigenvalue of Z on every site of every basis state, +1 or -1, shape `(2**size, size)`."""
    table = np.empty((dimension(size), size), dtype=np.int8)
    for site in range(size):
        table[:, site] = 1 - 2 * ((indices(size) >> (size - 1 - site)) & 1)
    return table


def index_of(down: Sequence[int]) -> int:
    """Return the index of a basis state, given 0 (up) or 1 (down) for each site."""
    index = 0
    for bit in down:
        index = 2 * index + int(bit)
    return index
