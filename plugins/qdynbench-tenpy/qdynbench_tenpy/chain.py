"""Pauli sums and states in TeNPy's terms, and what its engines do to them. The only module that imports TeNPy.

Charges are not conserved (`conserve=None`): the initial states of a benchmark are rarely eigenstates of one. The basis
of `SpinHalfSite` is then (up, down), as in `qdynbench.physics.basis`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import tenpy.linalg.np_conserved as npc
from tenpy.algorithms.tdvp import TwoSiteTDVPEngine
from tenpy.algorithms.tebd import TEBDEngine
from tenpy.models.lattice import Chain
from tenpy.models.model import CouplingModel
from tenpy.networks.mpo import MPO
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfSite
from tenpy.tools.optimization import OptimizationFlag, temporary_level

from qdynbench.toolkit.matrix_product import Evolving
from qdynbench.toolkit.tensor_chain import bond_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qdynbench import PauliSum
    from qdynbench.toolkit.tensor_chain import Measured

SMALLEST_SCHMIDT_VALUE = 1e-14
"""TeNPy's own default; below it there is only rounding."""
LONGEST_STEP = 1e3
"""TeNPy refuses steps longer than 1, which commuting terms allow."""


class PauliModel:
    """A Pauli sum as TeNPy's model of an open chain.

    Attributes:
        lat: the lattice.
        coupled: the terms.
    """

    def __init__(self, hamiltonian: PauliSum) -> None:
        self.lat = Chain(hamiltonian.size, SpinHalfSite(conserve=None), bc="open", bc_MPS="finite")
        self.coupled = CouplingModel(self.lat)
        self._empty = True
        for term in hamiltonian.terms:
            if term.coefficient:
                factors = [(f"Sigma{p.lower()}", [site, 0]) for p, site in zip(term.paulis, term.sites, strict=True)]
                self.coupled.add_local_term(term.coefficient, factors)
                self._empty = False

    @cached_property
    def H_MPO(self) -> MPO | None:  # noqa: N802 - TeNPy's engines look for this name
        """Matrix product operator, for TDVP; None where all coefficients vanish, which TeNPy cannot write as one."""
        return None if self._empty else self.coupled.calc_H_MPO()

    @cached_property
    def H_bond(self) -> list[npc.Array | None]:  # noqa: N802 - as above
        """For TEBD, the terms on the bond to the left of each site; a field is shared by the bonds of its site."""
        bonds: list[npc.Array | None] = self.coupled.calc_H_bond()
        return bonds


def truncation(chi: int, cutoff: float) -> dict[str, Any]:
    """Return TeNPy's `trunc_params`; its `trunc_cut` is the root of the weight that may be discarded."""
    return {"chi_max": chi, "svd_min": SMALLEST_SCHMIDT_VALUE, "trunc_cut": math.sqrt(cutoff) or None}


def product_state(spinors: NDArray[np.complex128]) -> MPS:
    """Return the product state of spinors `(N, 2)`."""
    size = len(spinors)
    sites = [SpinHalfSite(conserve=None)] * size
    return MPS.from_product_state(sites, list(spinors), dtype=np.complex128, unit_cell_width=size)


def full_state(amplitudes: NDArray[np.complex128]) -> MPS:
    """Return the state of amplitudes `(2**N,)`, by singular value decompositions without truncation."""
    size = len(amplitudes).bit_length() - 1
    array = npc.Array.from_ndarray_trivial(amplitudes.reshape((2,) * size), labels=[f"p{i}" for i in range(size)])
    return MPS.from_full([SpinHalfSite(conserve=None)] * size, array, form="B", unit_cell_width=size)


class TenpyChain(Evolving):
    """A state in TeNPy's hands."""

    def __init__(self, state: MPS) -> None:
        self.state = state

    def largest_bond(self) -> int:
        """Return the dimension of the largest bond."""
        return int(max(self.state.chi))

    def tensors(self) -> list[NDArray[np.complex128]]:
        """Return the tensors, each of shape `(left bond, 2, right bond)`."""
        return [self.state.get_B(site).transpose(["vL", "p", "vR"]).to_ndarray() for site in range(self.state.L)]


class Gates:
    """Engines whose gates are ready, one for each Hamiltonian and step; TeNPy itself keeps those of one step only.

    Args:
        hamiltonians: of the problem.
        orders: of the Trotter decomposition, for each Hamiltonian.
        truncation: TeNPy's `trunc_params`.
    """

    def __init__(self, hamiltonians: Sequence[PauliSum], orders: Sequence[int], truncation: dict[str, Any]) -> None:
        self.models = [PauliModel(hamiltonian) for hamiltonian in hamiltonians]
        self.terms = bond_terms(hamiltonians[0]) if len(hamiltonians) == 1 else None
        self.orders = orders
        self.truncation = truncation
        self._engines: dict[tuple[int, float], TEBDEngine] = {}

    def engine(self, index: int, step: float) -> TEBDEngine:
        """Return the engine of one Hamiltonian and step; steps that differ by rounding are the same."""
        key = (index, float(f"{step:.13g}"))
        if key not in self._engines:
            model = self.models[index]
            anything = product_state(np.full((model.lat.N_sites, 2), 0.5**0.5, dtype=np.complex128))
            engine = TEBDEngine(anything, model, {"trunc_params": self.truncation, "max_delta_t": LONGEST_STEP})
            engine.calc_U(self.orders[index], key[1])
            engine.trunc_params.touch(*self.truncation)  # else TeNPy warns about an engine that was prepared in vain
            self._engines[key] = engine
        return self._engines[key]


class TebdChain(TenpyChain):
    """A state that TEBD evolves; the engine of a step takes one state after the other."""

    def __init__(self, state: MPS, gates: Gates) -> None:
        super().__init__(state)
        self.terms = gates.terms
        self.gates = gates

    def evolve(self, index: int, action: float, count: int) -> None:
        """Multiply by `exp(-i action H_index)` in `count` equal steps."""
        engine = self.gates.engine(index, action / count)
        engine.psi = self.state
        with temporary_level(OptimizationFlag.skip_arg_checks):
            self.discarded += float(engine.evolve(count, None).eps)
        self.state.norm = 1.0  # TeNPy's `preserve_norm`, its default in real time


class TdvpChain(TenpyChain):
    """A state that two-site TDVP evolves; its engine keeps the environments from step to step."""

    def __init__(self, state: MPS, model: PauliModel, truncation: dict[str, Any]) -> None:
        super().__init__(state)
        self.model = model
        self._engine = None if model.H_MPO is None else TwoSiteTDVPEngine(state, model, {"trunc_params": truncation})

    def evolve(self, index: int, action: float, count: int) -> None:
        """Multiply by `exp(-i action H)` in `count` equal steps."""
        if self._engine is None:
            return
        with temporary_level(OptimizationFlag.skip_arg_checks):
            self.discarded += float(self._engine.evolve(count, action / count).eps)
        self.state.norm = 1.0  # as above

    def measure(self) -> Measured:
        """Return the expectation values; the energy is that of the matrix product operator, as strings may be long."""
        energy = 0.0 if self.model.H_MPO is None else float(np.real(self.model.H_MPO.expectation_value(self.state)))
        return super().measure()._replace(energy=energy)
