from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qdynbench.physics import basis
from qdynbench.testing import independent


@given(st.integers(1, 8))
def test_site_0_is_the_most_significant_bit(size: int) -> None:
    for site in range(size):
        z = np.diag(independent.pauli_string(size, "Z", (site,))).real
        assert np.array_equal(basis.spins(size)[:, site], z)
        flipped = basis.indices(size) ^ basis.site_mask(site, size)
        x = independent.pauli_string(size, "X", (site,)).real
        assert np.array_equal(x[basis.indices(size), flipped], np.ones(basis.dimension(size)))


@given(st.lists(st.integers(0, 1), min_size=1, max_size=8))
def test_index_of_a_basis_state_is_its_place_in_the_kronecker_product(down: list[int]) -> None:
    spinors = np.array([[np.eye(2)[bit] for bit in down]], dtype=complex)
    index = int(np.argmax(abs(independent.product_states(spinors)[0])))
    assert basis.index_of(down) == index
    assert basis.spins(len(down))[index].tolist() == [1 - 2 * bit for bit in down]
    flips = [site for site, bit in enumerate(down) if bit]
    assert basis.flip_mask(flips, len(down)) == index
    if index:
        assert basis.highest_bit(index) == basis.site_mask(flips[0], len(down))
