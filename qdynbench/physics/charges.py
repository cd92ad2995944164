"""Conserved charges, found from the Pauli strings of a Hamiltonian by exact commutation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import torch

from qdynbench.physics.observables import probability, size_of, summed

if TYPE_CHECKING:
    from qdynbench.physics.operators import PauliSum

Charge = Literal["total_z", "parity_x", "parity_z"]

ROUNDING = 1e-12
"""Coefficients that cancel up to this part of the largest one cancel."""

_ANTICOMMUTING = {"parity_x": "YZ", "parity_z": "XY"}
"""Letters that turn the sign of the product of all X, or of all Z."""

_ROTATED = {"X": ("Y", 1.0), "Y": ("X", -1.0)}
"""The commutators `[Z, X] = 2i Y` and `[Z, Y] = -2i X`, in units of 2i."""


def conserved(operator: PauliSum) -> tuple[Charge, ...]:
    """Return which of `sum_i Z_i`, `prod_i X_i` and `prod_i Z_i` commute with the operator."""
    strings: Counter[tuple[tuple[int, str], ...]] = Counter()
    for term in operator.terms:
        strings[tuple(sorted(zip(term.sites, term.paulis, strict=True)))] += term.coefficient  # type: ignore[assignment]
    smallest = ROUNDING * max(map(abs, strings.values()), default=0.0)
    present = {string: weight for string, weight in strings.items() if abs(weight) > smallest}
    commutator: Counter[tuple[tuple[int, str], ...]] = Counter()
    for string, weight in present.items():
        for place, (site, letter) in enumerate(string):
            if letter in _ROTATED:
                rotated, sign = _ROTATED[letter]
                result = (*string[:place], (site, rotated), *string[place + 1 :])
                commutator[result] += sign * weight  # type: ignore[assignment]
    found: list[Charge] = []
    if all(abs(weight) <= smallest for weight in commutator.values()):
        found.append("total_z")
    parities: tuple[Charge, ...] = ("parity_x", "parity_z")
    return (*found, *(name for name in parities if all(_signs(name, string) % 2 == 0 for string in present)))


def _signs(name: Charge, string: tuple[tuple[int, str], ...]) -> int:
    """Return on how many sites a Pauli string anticommutes with a product of one letter."""
    return sum(letter in _ANTICOMMUTING[name] for _, letter in string)


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
