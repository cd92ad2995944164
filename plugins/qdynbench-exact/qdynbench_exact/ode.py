"""Schroedinger's equation as any other differential equation: scipy's adaptive Runge-Kutta methods; hbar = 1.

DOP853 is the method of order 8 of Dormand and Prince (Hairer, Norsett and Wanner, Solving Ordinary Differential
Equations I, sec. II.5), RK45 theirs of order 5. Neither knows that the equation is linear or that the norm stays; this
is what a general solver costs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.integrate
import torch

from qdynbench import Cost, Problem, block_length
from qdynbench.toolkit.rounding import EPSILON, refused
from qdynbench.toolkit.schedule import total_action
from qdynbench.toolkit.stepping import Evolution, SteppingSolver
from qdynbench.toolkit.strings import flips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

MARGIN = 4
"""With this the error came out between 0.2 and 0.9 of the tolerance, from 1e-4 to 1e-10, by both methods."""
LEAST_RTOL = 100 * EPSILON["double"]
"""Smallest `rtol` that scipy takes. It is relative to each amplitude, so a step rounds to about this in the 2-norm."""
METHODS = {"DOP853": scipy.integrate.DOP853, "RK45": scipy.integrate.RK45}
ENTRY_BYTES = 140
"""Memory for an entry of the matrix while it is built."""


class AdaptiveOde(SteppingSolver):
    """Integrates all states as one system of equations, with steps as the tolerance asks for, not as the grid has them.

    Attributes:
        tolerance: 2-norm error of a state at the last time, about. Each step may make an error of the root mean
            square `atol`, over all amplitudes of all states: `atol = 4 tolerance / (M sqrt(2**N))`, where M is the sum
            of all `|coefficient| * time`. A quarter of M steps of that error would make the tolerance; there are more,
            but scipy overestimates the error of a step. `rtol` is as small as scipy allows. States between two steps
            come from scipy's interpolation.
        method: `DOP853` or `RK45`.
    """

    accuracy = ("tolerance",)

    tolerance: float = 1e-10
    method: Literal["DOP853", "RK45"] = "DOP853"

    def supports(self, problem: Problem) -> str | None:
        """Refuse a GPU, single precision, and a tolerance below rounding."""
        if problem.device != "cpu":
            return "scipy integrates on the CPU"
        if self.precision == "single":
            return "scipy integrates in double precision"
        least = LEAST_RTOL / MARGIN * total_action(problem)
        if self.tolerance < least:
            reason = f"scipy's smallest rtol leaves about {least:.1g} on this grid"
            return f"tolerance={self.tolerance:g} is out of reach: {reason}"
        return refused(problem, self.tolerance, self.precision)

    def estimate(self, problem: Problem) -> Cost:
        """Count the steps that the order and the tolerance ask for, each with its products and sums of stages.

        Ten times the tolerance is promised: one state may take more of the error than the average does.
        """
        dim = 2.0 ** min(problem.size, 300)
        entries = dim * sum(len(flips(hamiltonian)) for hamiltonian in problem.hamiltonians)
        action = total_action(problem)
        # The error of a step falls with the order: `reach` is its action at an error of 1, measured.
        stages, order, reach = {"DOP853": (12, 8, 12.0), "RK45": (6, 5, 9.8)}[self.method]
        local = MARGIN * self.tolerance / max(1.0, action)
        steps = max(1.0, action * local ** (-1 / order) / reach)
        # Every stage is a product, and a sum of the stages before it.
        operations = steps * stages * problem.batch * (8 * entries + 4 * stages * dim)
        vectors = (block_length(problem, problem.batch) + 6 * stages + 12) * problem.batch
        return Cost(entries * ENTRY_BYTES + vectors * dim * 16, operations, error=10 * self.tolerance)

    def evolution(self, hamiltonian: PauliSum) -> OdeEvolution:
        """Build the sparse matrix."""
        local = MARGIN * self.tolerance / max(1.0, total_action(self.problem))
        atol = local / math.sqrt(self.problem.dimension)
        return OdeEvolution(hamiltonian, self.problem, METHODS[self.method], atol)


class OdeEvolution(Evolution):
    """The action of `exp(-i s H)` by integration from 0 to s.

    Args:
        hamiltonian: H.
        problem: the size and the grid.
        method: one of scipy's solvers.
        atol: error allowed to a step, as the root mean square over all amplitudes.
    """

    def __init__(
        self, hamiltonian: PauliSum, problem: Problem, method: type[scipy.integrate.OdeSolver], atol: float
    ) -> None:
        self._generator = (-1j * hamiltonian.to_sparse()).tocsr()
        self._problem, self._method, self._atol = problem, method, atol

    def stretch(self, batch: int, action: float) -> int:
        """Return a block: the integration starts anew with each."""
        return block_length(self._problem, batch)

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Integrate to the last action, and interpolate what lies between two steps."""
        batch, dim = states.shape

        def derivative(_: float, columns: NDArray[np.complex128]) -> NDArray[np.complex128]:
            product: NDArray[np.complex128] = (self._generator @ columns.reshape(dim, batch)).reshape(-1)
            return product

        start, end = np.ascontiguousarray(states.numpy().T).reshape(-1), float(actions[-1])
        solver = self._method(derivative, 0.0, start, end, rtol=LEAST_RTOL, atol=self._atol)
        filled = 0
        while filled < len(actions):
            message = solver.step()
            if solver.status == "failed":
                raise RuntimeError(f"scipy's {self._method.__name__} stops at {solver.t:g} of {end:g}: {message}")
            passed = int(np.count_nonzero(np.abs(actions) <= abs(solver.t)))
            if passed > filled:
                # At the end of a step there is nothing to interpolate.
                exact = passed == filled + 1 and actions[filled] == solver.t
                at = None if exact else solver.dense_output()
                for column in range(filled, passed):
                    found = solver.y if at is None else at(actions[column])
                    out[:, column] = torch.from_numpy(found.reshape(dim, batch).T)
                filled = passed
