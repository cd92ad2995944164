"""TEBD and two-site TDVP of TeNPy (J. Hauschild, F. Pollmann, SciPost Phys. Lect. Notes 5 (2018)); hbar = 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdynbench.toolkit.matrix_product import MatrixProductSolver, TebdSolver
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.strings import commuting

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from qdynbench import Block, Given, Problem
    from qdynbench_tenpy.chain import TdvpChain, TebdChain

REQUIREMENT = "physics-tenpy>=1.1,<2"
INSTALL = 'pip install "qdynbench-tenpy[peer]"'


class TenpyTebd(TebdSolver):
    """`tenpy.algorithms.tebd.TEBDEngine`, one state after the other; its gates are computed once for all.

    Order 4 is the decomposition of M. Suzuki, J. Math. Phys. 32, 400 (1991), eleven layers of gates a step.
    """

    peer = "TeNPy"

    def absent(self) -> str | None:
        """Return that TeNPy is absent or too old, or None."""
        return missing(REQUIREMENT, INSTALL)

    def prepare(self, problem: Problem) -> None:
        """Build the models and, for all actions of the grid that differ, the gates."""
        super().prepare(problem)
        from qdynbench_tenpy.chain import Gates, truncation

        # One layer of each parity is exact where all terms commute.
        orders = [1 if commuting(hamiltonian) else self.order for hamiltonian in problem.hamiltonians]
        self._gates = Gates(problem.hamiltonians, orders, truncation(self.chi, self.cutoff))
        for step in range(problem.steps):
            for index, action in problem.pieces(step):
                self._gates.engine(index, action / self.substeps(problem.hamiltonians[index], action))

    def product(self, spinors: NDArray[np.complex128]) -> TebdChain:
        """Return the product state of spinors `(N, 2)`."""
        from qdynbench_tenpy.chain import TebdChain, product_state

        return TebdChain(product_state(spinors), self._gates)

    def from_vector(self, amplitudes: NDArray[np.complex128]) -> TebdChain:
        """Return the state of amplitudes `(2**N,)`."""
        from qdynbench_tenpy.chain import TebdChain, full_state

        return TebdChain(full_state(amplitudes), self._gates)


class TenpyTdvp(MatrixProductSolver):
    """`tenpy.algorithms.tdvp.TwoSiteTDVPEngine`: the Schrödinger equation projected on matrix product states.

    J. Haegeman et al., Phys. Rev. B 94, 165116 (2016). The error in time is of second order in `step`. Where
    strings reach beyond neighbours the projection has an error of its own, which neither `step` nor `chi` controls.
    """

    peer = "TeNPy"

    def absent(self) -> str | None:
        """Return that TeNPy is absent or too old, or None."""
        return missing(REQUIREMENT, INSTALL)

    def supports(self, problem: Problem) -> str | None:
        """Refuse a driven model: one matrix product operator is built."""
        if problem.drive is not None:
            return "the model is driven, and this solver evolves under one Hamiltonian"
        return super().supports(problem)

    def prepare(self, problem: Problem) -> None:
        """Build the matrix product operator of the Hamiltonian."""
        super().prepare(problem)
        from qdynbench_tenpy.chain import PauliModel, truncation

        self._model = PauliModel(problem.hamiltonian)
        self._truncation = truncation(self.chi, self.cutoff)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield as every matrix product solver; a note says where the projection has an error of its own."""
        yield from super().solve(given)
        far = [term for h in self.problem.hamiltonians for term in h.terms if max(term.sites) - min(term.sites) > 1]
        if far:
            given.note(
                f"{far[0]} reaches beyond neighbours: the projection has an error of its own, "
                "which neither step nor chi controls"
            )

    def product(self, spinors: NDArray[np.complex128]) -> TdvpChain:
        """Return the product state of spinors `(N, 2)`."""
        from qdynbench_tenpy.chain import TdvpChain, product_state

        return TdvpChain(product_state(spinors), self._model, self._truncation)

    def from_vector(self, amplitudes: NDArray[np.complex128]) -> TdvpChain:
        """Return the state of amplitudes `(2**N,)`."""
        from qdynbench_tenpy.chain import TdvpChain, full_state

        return TdvpChain(full_state(amplitudes), self._model, self._truncation)
