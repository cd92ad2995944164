"""What solvers ask of the Pauli strings of a Hamiltonian; no matrix is made."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdynbench.physics.operators import PauliSum


def norm_bound(hamiltonian: PauliSum) -> float:
    """Return the sum of the absolute coefficients, an upper bound of the largest absolute energy."""
    return sum(abs(term.coefficient) for term in hamiltonian.terms)


def flips(hamiltonian: PauliSum) -> set[tuple[int, ...]]:
    """Return the different sets of sites that strings flip together, each in order; `()` is that of strings of Z.

    A row of the sparse matrix has at most as many entries.
    """
    return {term.flipped for term in hamiltonian.terms}


def entries_per_row(hamiltonian: PauliSum) -> int:
    """Return how many entries a row of the matrix has at most, the diagonal among them even where it is zero."""
    return len(flips(hamiltonian) | {()})


@functools.lru_cache(maxsize=16)
def commuting(hamiltonian: PauliSum) -> bool:
    """Return whether all strings commute: any two differ in their letters on an even number of shared sites."""
    letters = [dict(zip(term.sites, term.paulis, strict=True)) for term in hamiltonian.terms]
    return all(
        sum(other.get(site, letter) != letter for site, letter in one.items()) % 2 == 0
        for one, other in itertools.combinations(letters, 2)
    )
