"""Sites whose z axis is exchanged with the x axis, so that no initial amplitude is near zero.

A correlator ansatz has the logarithm of every amplitude, and its geometric tensor a vanishing direction where one is
zero: a spin that points along z could not start. Such a site is described in the eigenbasis of X instead, where its two
components have equal weight. The Hadamard matrix `T = (X + Z) / sqrt(2)` leads there and back: `T X T = Z`,
`T Z T = X`, `T Y T = -Y`. This is exact; nothing is cut off or added.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qdynbench import PauliSum

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALLEST_WEIGHT = 0.01
"""Sites whose spinor has a component of less weight are turned. A threshold of 0.003 to 0.03 does as well; the bonds of
a turned site are no longer diagonal, so that turning all of them would make the ansatz less accurate."""

HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)

EXCHANGED = str.maketrans("XZ", "ZX")

Turned = tuple[bool, ...]
"""For each site, whether it is turned."""


def sites_to_turn(spinors: NDArray[np.complex128]) -> Turned:
    """Return which sites of normalised spinors `(N, 2)` have a component too small."""
    return tuple(bool(weight < SMALLEST_WEIGHT) for weight in (np.abs(spinors) ** 2).min(axis=-1))


def turn_spinors(spinors: NDArray[np.complex128], turned: Turned) -> NDArray[np.complex128]:
    """Return the spinors `(N, 2)` in the turned bases."""
    return np.where(np.array(turned)[:, None], spinors @ HADAMARD, spinors)


def turn_sum(operator: PauliSum, turned: Turned) -> PauliSum:
    """Return the operator in the turned bases: X and Z are exchanged there, Y changes its sign."""
    terms = []
    for term in operator.terms:
        sign, letters = 1, ""
        for letter, site in zip(term.paulis, term.sites, strict=True):
            letters += letter.translate(EXCHANGED) if turned[site] else letter
            sign = -sign if turned[site] and letter == "Y" else sign
        terms.append((sign * term.coefficient, letters, term.sites))
    return PauliSum.from_terms(operator.size, terms)


def turn_states(states: NDArray[np.complex128], turned: Turned) -> NDArray[np.complex128]:
    """Return states `(k, 2**N)` from the turned bases to the z basis, or from there to the turned ones."""
    size = len(turned)
    tensor = states.reshape(-1, *(2,) * size)
    for site in np.flatnonzero(turned):
        tensor = np.moveaxis(np.tensordot(tensor, HADAMARD, axes=(site + 1, 0)), -1, site + 1)
    return tensor.reshape(states.shape)
