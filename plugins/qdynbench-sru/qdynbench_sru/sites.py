"""Sites in their surroundings: the contexts that a site can have, and the basis states one spin flip away."""

from __future__ import annotations

import numpy as np
import torch

from qdynbench.physics import basis

_NEIGHBOUR = (1.0, -1.0, 0.0)  # up, down, missing
CONTEXTS = torch.tensor(
    [
        [left, spin, right, float(left == 0), float(right == 0)]
        for left in _NEIGHBOUR
        for spin in (1.0, -1.0)
        for right in _NEIGHBOUR
    ]
)
"""All contexts that a site can have, shape `(18, 5)`."""


def contexts_of(size: int) -> torch.Tensor:
    """Return the row of `CONTEXTS` for every site of every basis state, shape `(2**N, N)`."""
    down = (1 - basis.spins(size).astype(np.int64)) // 2
    missing = np.full((len(down), 1), 2)
    left = np.hstack([missing, down[:, :-1]])
    right = np.hstack([down[:, 1:], missing])
    return torch.from_numpy(6 * left + 3 * down + right)


def flips_of(size: int) -> torch.Tensor:
    """Return the basis state with one spin flipped, for every site of every basis state, shape `(2**N, N)`."""
    masks = np.array([basis.site_mask(site, size) for site in range(size)])
    return torch.from_numpy(basis.indices(size)[:, None] ^ masks)
