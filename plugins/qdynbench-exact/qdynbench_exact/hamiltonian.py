"""QuSpin's operator for a sum of Pauli strings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from quspin.basis import spin_basis_1d
from quspin.operators import hamiltonian

if TYPE_CHECKING:
    from qdynbench import PauliSum


def quspin_hamiltonian(operator: PauliSum) -> hamiltonian:
    """Return `operator` as QuSpin's static Hamiltonian on the full basis, real where it can be.

    QuSpin's array order is that of `qdynbench.physics.basis`; `pauli=1` makes its `x`, `y`, `z` the Pauli matrices.
    """
    couplings: dict[str, list[list[float]]] = {}
    for term in operator.terms:
        couplings.setdefault(term.paulis.lower(), []).append([term.coefficient, *term.sites])
    return hamiltonian(
        [[letters, rows] for letters, rows in couplings.items()],
        [],
        basis=spin_basis_1d(operator.size, pauli=1),
        dtype=np.float64 if operator.is_real else np.complex128,
        # A PauliSum is Hermitian by construction, and the full basis has no symmetry that a term could break.
        check_herm=False,
        check_symm=False,
        check_pcon=False,
    )
