"""Entanglement entropy. For states of low Schmidt rank only a subspace is searched, and its completeness is checked.

At 20 spins, computing all 1024 Schmidt coefficients takes seconds, but a product state that has evolved for a short
time has only about a dozen of them.
"""

from __future__ import annotations

import functools
import math

import torch

from qdynbench.physics.observables import by_chunks, probability, size_of

MISSED = 2e-14
"""Largest fraction of the squared norm that may lie outside the searched subspace: ten times the rounding error. Spread
over a thousand coefficients it would still change the entropy by less than 1e-12."""

FEW_SITES = 8
"""Number of sites on the left from which on the subspace is tried first; smaller spectra are computed in full."""

DIRECTIONS = (16, 32, 64)
"""Numbers of random directions that are added one after the other before the full spectrum is computed."""


def half_chain_entropy(states: torch.Tensor) -> torch.Tensor:
    """Return the von Neumann entropy (natural log) of the left `N // 2` sites of each state, float64, shape `(...)`.

    The states are normalised first; a state of norm 0 has entropy 0.
    """
    return by_chunks(_half_chain_entropy, states)


def _half_chain_entropy(states: torch.Tensor) -> torch.Tensor:
    size = size_of(states)
    left = size // 2
    if left == 0:
        return torch.zeros(states.shape[:-1], dtype=torch.float64, device=states.device)
    matrix = states.view(*states.shape[:-1], 1 << left, 1 << (size - left))
    if left < FEW_SITES:
        return _entropy(torch.linalg.eigvalsh(matrix @ matrix.mH), left)
    found = [_entropy(schmidt_weights(one), left) for one in matrix.view(-1, *matrix.shape[-2:])]
    return torch.stack(found).view(states.shape[:-1])


def _entropy(weights: torch.Tensor, left: int) -> torch.Tensor:
    weights = weights.clamp_min(0)
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    entropy: torch.Tensor = torch.special.entr(weights).sum(-1)
    return entropy.clamp(0, left * math.log(2))


def schmidt_weights(matrix: torch.Tensor) -> torch.Tensor:
    """Return the squared singular values of a matrix `(m, n)`, except for a fraction below `MISSED` of their sum.

    This is a randomised range finder (Halko, Martinsson and Tropp, SIAM Rev. 53, 217 (2011), algorithm 4.2). The part
    that it misses is computed and not estimated: `|A|^2 - |Q^dagger A|^2` for orthonormal Q. The random directions are
    the same in every call.
    """
    total = probability(matrix).sum()  # a pairwise sum; the rounding error of `vector_norm` would be too large
    basis = matrix.new_empty(len(matrix), 0)
    projected = matrix.new_empty(0, matrix.shape[1])
    for directions in _directions(matrix.shape[1]):
        found = matrix @ directions.to(matrix.device)
        # The second pass removes the components along the basis that rounding has left in the first.
        for _ in range(2):
            found = torch.linalg.qr(found - basis @ (basis.mH @ found)).Q
        basis = torch.cat([basis, found], dim=1)
        projected = torch.cat([projected, found.mH @ matrix])
        if total - probability(projected).sum() <= MISSED * total:
            matrix = projected
            break
    weights: torch.Tensor = torch.linalg.eigvalsh(matrix @ matrix.mH)
    return weights


@functools.lru_cache(maxsize=4)
def _directions(rows: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(rows, count, dtype=torch.complex128, generator=generator) for count in DIRECTIONS)
