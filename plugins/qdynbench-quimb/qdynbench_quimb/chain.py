"""Pauli sums and states in quimb's terms, and their evolution. The only module that imports quimb."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from quimb.tensor import TEBD, LocalHam1D, MatrixProductState, MPS_product_state

from qdynbench.toolkit.matrix_product import Evolving
from qdynbench.toolkit.tensor_chain import PAULI, bond_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qdynbench import PauliSum

SUZUKI = 1 / (4 - 4 ** (1 / 3))
FRACTIONS = {2: (1.0,), 4: (SUZUKI, SUZUKI, 1 - 4 * SUZUKI, SUZUKI, SUZUKI)}
"""Steps of order 2 that make up one step of each order."""


def sweeps(order: int, step: float, count: int) -> list[tuple[str, float]]:
    """Return direction and duration of the sweeps that make up `count` steps; neighbouring halves are one sweep.

    A sweep to the right has the gates on the bonds (0, 1), (2, 3), ..., one to the left those between them.
    """
    lengths = [fraction * step for fraction in FRACTIONS[order]] * count
    found = [("right", lengths[0] / 2)]
    for length, following in zip(lengths, [*lengths[1:], 0.0], strict=True):
        found += [("left", length), ("right", (length + following) / 2)]
    return found


class LocalTerms:
    """A Pauli sum as quimb's nearest-neighbour Hamiltonian, whose cache of gates all states share.

    Attributes:
        local: the Hamiltonian; quimb shares a field among the bonds of its site.
        order: of the Trotter decomposition.
        bonds: the same for the energy.
    """

    def __init__(self, hamiltonian: PauliSum, order: int) -> None:
        size = hamiltonian.size
        bonds = {(site, site + 1): np.zeros((4, 4), dtype=np.complex128) for site in range(size - 1)}
        fields = {site: np.zeros((2, 2), dtype=np.complex128) for site in range(size)}
        for term in hamiltonian.terms:
            if len(term.sites) == 1:
                fields[term.sites[0]] += term.coefficient * PAULI[term.paulis]
            else:
                (left, first), (right, second) = sorted(zip(term.sites, term.paulis, strict=True))
                bonds[left, right] += term.coefficient * np.kron(PAULI[first], PAULI[second])
        self.local = LocalHam1D(size, H2=bonds, H1=fields)
        self.order = order
        self.bonds = bond_terms(hamiltonian)


def product_state(spinors: NDArray[np.complex128]) -> MatrixProductState:
    """Return the product state of spinors `(N, 2)`."""
    return MPS_product_state(list(spinors))


def full_state(amplitudes: NDArray[np.complex128]) -> MatrixProductState:
    """Return the state of amplitudes `(2**N,)`, by singular value decompositions that drop rounding alone."""
    size = len(amplitudes).bit_length() - 1
    return MatrixProductState.from_dense(amplitudes, dims=[2] * size, cutoff=1e-28, cutoff_mode="rsum2")


class QuimbChain(Evolving):
    """A state that quimb's TEBD evolves.

    Args:
        state: normalised.
        terms: one for each Hamiltonian of the problem.
        chi: largest bond dimension.
        cutoff: weight that one truncation may discard.
    """

    def __init__(self, state: MatrixProductState, terms: Sequence[LocalTerms], chi: int, cutoff: float) -> None:
        self.state = state
        self.terms = terms[0].bonds if len(terms) == 1 else None
        self._all_terms = terms
        self._options = {"max_bond": chi, "cutoff": cutoff, "cutoff_mode": "rsum2"}

    def evolve(self, index: int, action: float, count: int) -> None:
        """Multiply by `exp(-i action H_index)` in `count` equal steps."""
        terms = self._all_terms[index]
        # Durations are given in units of `dt`, so that equal ones find their gates in the cache to the last bit.
        tebd = TEBD(self.state, terms.local, dt=1.0, split_opts=self._options, progbar=False)
        # TEBD has moved the orthogonality centre to the first site, and every sweep moves it on to the other end.
        for direction, duration in sweeps(terms.order, float(f"{action / count:.13g}"), count):
            tebd.sweep(direction, duration)
        self.state = tebd.pt
        # The centre is now the last site, and quimb does not normalise: what is missing was discarded.
        self.discarded = max(self.discarded, 1 - float(np.linalg.norm(self.state[self.state.L - 1].data)) ** 2)

    def largest_bond(self) -> int:
        """Return the dimension of the largest bond."""
        return int(self.state.max_bond())

    def tensors(self) -> list[NDArray[np.complex128]]:
        """Return the tensors, each of shape `(left bond, 2, right bond)`."""
        state = self.state.copy()
        state.permute_arrays("lpr")
        last = state.L - 1
        arrays = [np.asarray(state[site].data) for site in range(state.L)]
        arrays[0], arrays[last] = arrays[0][None], arrays[last][..., None]
        return arrays
