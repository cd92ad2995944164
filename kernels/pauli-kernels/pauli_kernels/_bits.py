"""The order of bits: the one module that knows which bit of an index belongs to which site.

The basis state of N sites with `n_j = 0` for up (Z = +1) and `n_j = 1` for down has the index
`b = sum_j n_j 2**(N-1-j)`: site 0 is the most significant bit, as in the left-to-right Kronecker product.
"""

from __future__ import annotations

from collections.abc import Iterable


def dimension(size: int) -> int:
    """Return how many basis states `size` spins have."""
    return 1 << size


def site_mask(site: int, size: int) -> int:
    """Return the bit of one site; basis state `b ^ mask` is `b` with that spin flipped."""
    return 1 << (size - 1 - site)


def flip_mask(sites: Iterable[int], size: int) -> int:
    """Return the bits of all `sites`."""
    return sum(site_mask(site, size) for site in sites)


def highest_bit(mask: int) -> int:
    """Return the most significant bit of `mask`, which must not be 0: that of its leftmost site."""
    return 1 << (mask.bit_length() - 1)
