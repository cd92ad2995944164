"""Charges that a Hamiltonian may conserve, and the parities of states."""

from __future__ import annotations

from typing import Literal, get_args

import torch

from qdynbench.physics.observables import probability, size_of, summed
from qdynbench.physics.operators import PauliSum
from qdynbench.physics.symmetries import breaking_term

Charge = Literal["total_z", "parity_x", "parity_z"]

CHARGES: tuple[Charge, ...] = get_args(Charge)

ROUNDING = 1e-12
"""Coefficients that cancel up to this fraction of the largest one count as cancelled."""


def conserved(operator: PauliSum) -> tuple[Charge, ...]:
    """Return which of `sum_i Z_i`, `prod_i X_i` and `prod_i Z_i` commute with the operator."""
    return tuple(charge for charge in CHARGES if breaking_term(operator, charge, ROUNDING) is None)


def parity(states: torch.Tensor, name: Charge) -> torch.Tensor:
    """Return the expectation value of the product of all X or of all Z, normalised, float64, shape `(...)`.

    Args:
        states: shape `(..., 2**N)`.
        name: "parity_x" or "parity_z".
    """
    if name == "parity_x":
        value = summed(lambda psi, flipped: (psi.conj() * flipped).real.sum(-1), states, states.flip(-1))
    else:
        signs = torch.ones(1, dtype=torch.float64, device=states.device)
        for _ in range(size_of(states)):
            signs = torch.cat([signs, -signs])
        value = summed(lambda psi, sign: (probability(psi) * sign).sum(-1), states, signs.expand(states.shape))
    weight = summed(lambda psi: probability(psi).sum(-1), states)
    return value / weight.clamp_min(torch.finfo(weight.dtype).tiny)
