"""Sites in their surroundings: the contexts a site or a bond can have, and the basis states some spin flips away."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from qdynbench import basis

_NEIGHBOUR = (1.0, -1.0, 0.0)  # up, down, missing
_SPIN = (1.0, -1.0)


def _table(spins: int) -> torch.Tensor:
    """Return every way that so many spins and their two neighbours can stand, with flags for missing neighbours."""
    ways = itertools.product(_NEIGHBOUR, *(_SPIN,) * spins, _NEIGHBOUR)
    return torch.tensor([[*way, float(way[0] == 0), float(way[-1] == 0)] for way in ways])


CONTEXTS = _table(1)
"""All contexts that a site can have, shape `(18, 5)`."""
BOND_CONTEXTS = _table(2)
"""All contexts that two neighbouring sites can have, shape `(36, 6)`."""


def contexts_of(size: int) -> torch.Tensor:
    """Return the row of `CONTEXTS` for every site of every basis state, shape `(2**N, N)`."""
    left, down, right = _surroundings(size)
    return torch.from_numpy(6 * left + 3 * down + right)


def bond_contexts_of(size: int) -> torch.Tensor:
    """Return the row of `BOND_CONTEXTS` for every bond of every basis state, shape `(2**N, N - 1)`."""
    left, down, right = _surroundings(size)
    return torch.from_numpy(12 * left[:, :-1] + 6 * down[:, :-1] + 3 * down[:, 1:] + right[:, 1:])


def flips_of(size: int, neighbourhood: int = 1) -> torch.Tensor:
    """Return the bits that each flip turns over, int64: of every site and, if `neighbourhood` is 2, of every bond."""
    sites = [basis.site_mask(site, size) for site in range(size)]
    bonds = [left | right for left, right in itertools.pairwise(sites)] if neighbourhood == 2 else []
    return torch.tensor(sites + bonds)


def _surroundings(size: int) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.int64]], ...]:
    """Return the left neighbour, the spin and the right neighbour of every site as 0 up, 1 down, 2 missing."""
    down = (1 - basis.spins(size).astype(np.int64)) // 2
    missing = np.full((len(down), 1), 2)
    return np.hstack([missing, down[:, :-1]]), down, np.hstack([down[:, 1:], missing])
