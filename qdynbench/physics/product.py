"""Product states, given by the spinor of each site: state vectors, and spins for any number of sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench.physics.observables import Axis


def vectors(spinors: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the Kronecker products of spinors `(B, N, 2)`, site 0 leftmost, shape `(B, 2**N)`."""
    count, size, _ = spinors.shape
    states = spinors[:, 0]
    for site in range(1, size):
        states = (states[:, :, None] * spinors[:, site, None, :]).reshape(count, -1)
    return states


def spins(spinors: NDArray[np.complex128]) -> dict[Axis, NDArray[np.float64]]:
    """Return `<X_i>`, `<Y_i>`, `<Z_i>` of normalised spinors `(B, N, 2)`, each of shape `(B, N)`."""
    up, down = spinors[..., 0], spinors[..., 1]
    coherence = up.conj() * down
    return {"x": 2 * coherence.real, "y": 2 * coherence.imag, "z": np.abs(up) ** 2 - np.abs(down) ** 2}
