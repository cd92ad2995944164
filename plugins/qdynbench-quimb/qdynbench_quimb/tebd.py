"""TEBD of quimb (J. Gray, J. Open Source Softw. 3, 819 (2018)); hbar = 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qdynbench.toolkit.matrix_product import TebdSolver
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.strings import commuting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import Problem
    from qdynbench_quimb.chain import QuimbChain

REQUIREMENT = "quimb>=1.15,<2"
INSTALL = 'pip install "qdynbench-quimb[peer]"'


class QuimbTebd(TebdSolver):
    """`quimb.tensor.TEBD` with `LocalHam1D`, one state after the other; the gates are computed once for all.

    The sweeps are quimb's, their sequence is not (`TEBD.step`, `update_to` and `at_times` of quimb 1.15.0):

    - Order 4 is the decomposition of M. Suzuki, J. Math. Phys. 32, 400 (1991). quimb's `order=4` has the coefficient
      `1 / (4 * 4**(1/3))` where Suzuki has `1 / (4 - 4**(1/3))`, and its error falls with the square of the step.
    - A step there begins with a sweep to the right where the one before ended with such a sweep, and so with the
      orthogonality centre at the wrong end: what is cut are then no Schmidt values. Here neighbouring sweeps are
      merged, and the centre is moved back at every time of the grid.
    """

    peer = "quimb"

    def absent(self) -> str | None:
        """Return that quimb is absent or too old, or None."""
        return missing(REQUIREMENT, INSTALL)

    def prepare(self, problem: Problem) -> None:
        """Build the Hamiltonians, and compute and compile all that evolution needs by leading one state a step on."""
        super().prepare(problem)
        from qdynbench_quimb.chain import LocalTerms

        # One step of order 2 is exact where all terms commute.
        self._terms = [LocalTerms(h, 2 if commuting(h) else self.order) for h in problem.hamiltonians]
        plus = self.product(np.full((problem.size, 2), 0.5**0.5, dtype=np.complex128))
        seen = set()
        for step in range(problem.steps):
            for index, action in problem.pieces(step):
                key = (index, f"{action:.12g}")
                if key not in seen:
                    plus.evolve(index, action, self.substeps(problem.hamiltonians[index], action))
                    seen.add(key)

    def product(self, spinors: NDArray[np.complex128]) -> QuimbChain:
        """Return the product state of spinors `(N, 2)`."""
        from qdynbench_quimb.chain import QuimbChain, product_state

        return QuimbChain(product_state(spinors), self._terms, self.chi, self.cutoff)

    def from_vector(self, amplitudes: NDArray[np.complex128]) -> QuimbChain:
        """Return the state of amplitudes `(2**N,)`."""
        from qdynbench_quimb.chain import QuimbChain, full_state

        return QuimbChain(full_state(amplitudes), self._terms, self.chi, self.cutoff)
