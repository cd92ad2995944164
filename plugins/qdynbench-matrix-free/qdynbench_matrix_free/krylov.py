"""Lanczos propagation, matrix-free: exp(-i s H) psi = |psi| V exp(-i s T) e_1 in a Krylov space per state; hbar = 1.

V holds an orthonormal basis of psi, H psi, ..., H^(n-1) psi, and T = V^dagger H V is tridiagonal (Park and Light,
J. Chem. Phys. 85, 5870 (1986)). One basis serves many times. What it leaves out obeys

    | error(s) | <= |psi| beta_n int_0^s | [exp(-i u T)]_{n1} | du,

the residual of Schroedinger's equation, integrated (Saad, SIAM J. Numer. Anal. 29, 209 (1992); Hochbruck and Lubich,
SIAM J. Numer. Anal. 34, 1911 (1997)). It is computed for every state, decides how far a basis goes, and is reported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from pauli_kernels import PauliOperator

from qdynbench import Cost, Problem, block_length, rounded_up
from qdynbench.toolkit.rounding import error_per_piece, refused
from qdynbench.toolkit.schedule import total_action
from qdynbench.toolkit.stepping import Evolution, SteppingSolver
from qdynbench.toolkit.strings import entries_per_row
from qdynbench_matrix_free.chebyshev import count_terms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qdynbench import Block, Given, PauliSum

BASIS_BYTES = 64e6
"""Largest memory for the bases of the states that are evolved together; there is always room for one."""
TYPICAL = 0.6
"""A typical state sees about 60 % of the bound of `|| H ||`. Used to choose stretches, never for error control."""
SHORTER = 0.8
"""Where a basis does not reach a time, this part of it is tried next."""

_nodes, _weights = np.polynomial.legendre.leggauss(64)
NODES, WEIGHTS = (_nodes + 1) / 2, _weights / 2
"""Quadrature of the bound's integral over 0 to 1. It is exact for polynomials of degree 127; with n basis vectors the
integrand is nearly a polynomial of degree n - 1 where the bound is of use."""


class Krylov(SteppingSolver):
    """Evolves every state in its own Krylov space, as far as a computable bound of the error allows.

    Every new vector is made orthogonal to all before it: left to the three-term recurrence alone, a basis loses its
    orthogonality to rounding where a Ritz value has converged, and the bound its meaning.

    Attributes:
        tolerance: 2-norm error of a state at the last time; every step has an equal share of it.
        dimension: largest number of basis vectors; fewer are made where a stretch of the grid needs fewer.
    """

    accuracy = ("tolerance",)

    tolerance: float = 1e-10
    dimension: int = 30

    @property
    def error_bound(self) -> float:
        """Sum over the stretches of the last `solve` of the largest bound of all states; rounding is left out."""
        return sum(evolution.bound for evolution in self._evolutions if isinstance(evolution, KrylovEvolution))

    def supports(self, problem: Problem) -> str | None:
        """Refuse a tolerance below rounding, and a space of one dimension."""
        if self.dimension < 2:
            return f"dimension={self.dimension}: a Krylov space that moves a state has at least 2 dimensions"
        return refused(problem, self.tolerance, self.precision)

    def estimate(self, problem: Problem) -> Cost:
        """Count bases and states for memory, and for time the products, the orthogonalisation and the combinations."""
        dim, itemsize, batch = 2.0 ** min(problem.size, 300), self.dtype.itemsize, problem.batch
        share = error_per_piece(problem, self.tolerance)
        action = TYPICAL * total_action(problem) / problem.steps
        length = longest_stretch(problem, batch, self.dimension, action, share)
        bases = bases_of(action * length, self.dimension, share * length)
        vectors = min(self.dimension, count_terms(action * length / bases, share * length / bases)) + 1
        group = group_of(batch, vectors, dim, itemsize)
        # Beside the bases: the states now and those of the stretch, twice while a matrix product writes them.
        held = group * (vectors + 1) + batch * (2 * length + 1) + len(problem.hamiltonians) / 2
        passes = max(map(entries_per_row, problem.hamiltonians), default=1)
        # A vector is a product, and is made orthogonal to half as many vectors on average, twice, by complex numbers.
        basis = vectors * (4 * (5 + passes) + 16 * vectors)
        operations = math.ceil(problem.steps / length) * bases * (basis + 8 * vectors * length)
        return Cost(held * dim * itemsize, batch * dim * operations, error=self.tolerance)

    def evolution(self, hamiltonian: PauliSum) -> KrylovEvolution:
        """Build the matrix-free operator."""
        problem = self.problem
        operator = PauliOperator(hamiltonian.size, hamiltonian.terms, self.dtype, problem.device, problem.threads)
        return KrylovEvolution(operator, problem, self.dimension, error_per_piece(problem, self.tolerance))

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the trajectory, add up the error bound anew and report it in `notes`."""
        for evolution in self._evolutions:
            if isinstance(evolution, KrylovEvolution):
                evolution.bound = 0.0
        yield from super().solve(given)
        given.note(f"2-norm error at most {rounded_up(self.error_bound)} by its own bound, rounding left out")


class KrylovEvolution(Evolution):
    """The action of `exp(-i s H)` in Krylov spaces.

    Args:
        operator: H.
        problem: the size, the grid and the largest batch.
        dimension: largest number of basis vectors.
        share: error allowed to each step.

    Attributes:
        bound: sum of the bounds of the 2-norm error over all calls so far.
    """

    def __init__(self, operator: PauliOperator, problem: Problem, dimension: int, share: float) -> None:
        self._operator, self._problem, self._dimension, self._share = operator, problem, dimension, share
        self._radius = (operator.upper - operator.lower) / 2
        self.bound = 0.0

    def stretch(self, batch: int, action: float) -> int:
        """Return over how many steps a basis is expected to reach."""
        z = TYPICAL * self._radius * abs(action)
        return longest_stretch(self._problem, batch, self._dimension, z, self._share)

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Evolve groups of states, each in as many Krylov spaces in turn as the bound asks for."""
        vectors = min(self._dimension, self._operator.dimension)
        group = group_of(len(states), vectors + 1, self._operator.dimension, self._operator.dtype.itemsize)
        bounds = [
            self._evolve_group(states[begin : begin + group], actions, out[begin : begin + group], vectors)
            for begin in range(0, len(states), group)
        ]
        self.bound += max(bounds)

    def _evolve_group(
        self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor, vectors: int
    ) -> float:
        """Write the evolved states and return the largest bound of their errors."""
        shape = (len(states), vectors + 1, self._operator.dimension)
        basis = torch.empty(shape, dtype=states.dtype, device=states.device)
        allowed = self._share / abs(float(actions[0]))  # for an action of 1
        now, passed, done, total = states, 0.0, 0, 0.0
        while done < len(actions):
            count, reach = len(actions) - done, float(actions[-1]) - passed
            space = _KrylovSpace(self._operator, now, basis, reach, allowed * abs(reach))
            # The bound grows with time: what holds for the last time holds for those before it.
            while (bound := space.error_bound(reach)) > allowed * abs(reach):
                if count > 1:
                    count = int(SHORTER * count)
                    reach = float(actions[done + count - 1]) - passed
                else:
                    count, reach = 0, SHORTER * reach
            total += bound
            if count:
                space.evolve(actions[done : done + count] - passed, out[:, done : done + count])
                done += count
                now, passed = out[:, done - 1], float(actions[done - 1])
            else:
                between = torch.empty_like(states)[:, None]
                space.evolve(np.array([reach]), between)
                now, passed = between[:, 0], passed + reach
        return total


class _KrylovSpace:
    """Krylov spaces of some states: their bases and the tridiagonal matrices, diagonalised.

    Args:
        operator: H.
        states: shape `(B, 2**N)`.
        basis: memory for the vectors, shape `(B, n + 1, 2**N)`; as many are made as are expected to be needed.
        action: action s that the spaces are to reach.
        allowed: error allowed there.
    """

    def __init__(
        self, operator: PauliOperator, states: torch.Tensor, basis: torch.Tensor, action: float, allowed: float
    ) -> None:
        batch, most = len(states), basis.shape[1] - 1
        centre = (operator.lower + operator.upper) / 2
        self._norms = operator.norms(states)
        alphas, betas = np.zeros((2, batch, most))
        # A smaller residual is the rounding of H psi: the space holds all that H makes of the state.
        smallest = 100 * torch.finfo(operator.dtype).eps * max(abs(operator.lower), abs(operator.upper))
        torch.mul(states, _inverse(self._norms, 0.0, states)[:, None], out=basis[:, 0])
        expected = self._norms.copy()
        for k in range(most):
            before, new = basis[:, : k + 1], basis[:, k + 1]
            if k > 0 and batch == 1:
                last = -float(betas[0, k - 1])
                operator.apply(basis[:, k], new, shift=centre, previous=basis[:, k - 1], beta=last)
            else:
                operator.apply(basis[:, k], new, shift=centre)
            components, betas[:, k] = operator.orthogonalise(before, new)
            alphas[:, k] = centre + components
            new *= _inverse(betas[:, k], smallest, states)[:, None]
            betas[betas[:, k] <= smallest, k] = 0.0
            # The first term of the bound's power series, which is no bound itself.
            expected *= betas[:, k] * abs(action) / (k + 1)
            if expected.max() <= allowed:
                break
        self._basis = basis[:, : k + 1]
        matrices = np.zeros((batch, k + 1, k + 1))
        places = np.arange(k + 1)
        matrices[:, places, places] = alphas[:, : k + 1]
        matrices[:, places[1:], places[:-1]] = betas[:, :k]
        self._energies, self._turn = np.linalg.eigh(matrices)
        self._last = betas[:, k]

    def error_bound(self, action: float) -> float:
        """Return the largest bound of all states at `action`."""
        weights = self._turn[:, -1] * self._turn[:, 0]
        phases = np.exp(-1j * action * NODES[:, None] * self._energies[:, None, :])
        integrals = abs(action) * (np.abs(phases @ weights[:, :, None])[:, :, 0] @ WEIGHTS)
        return float((self._norms * self._last * integrals).max())

    def evolve(self, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Write the states at `actions`, shape `(m,)`, to `out`, shape `(B, m, 2**N)`."""
        phases = np.exp(-1j * actions[:, None] * self._energies[:, None, :])
        amplitudes = (phases * (self._norms[:, None] * self._turn[:, 0])[:, None]) @ self._turn.transpose(0, 2, 1)
        weights = torch.from_numpy(amplitudes).to(self._basis)
        if out.is_contiguous():
            torch.matmul(weights, self._basis, out=out)
        else:
            out.copy_(torch.matmul(weights, self._basis))


def _inverse(numbers: NDArray[np.float64], smallest: float, like: torch.Tensor) -> torch.Tensor:
    """Return one over every number, and 0 for those that are not larger than `smallest`."""
    inverse = np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > smallest)
    return torch.from_numpy(inverse).to(like.device, like.dtype.to_real())


def longest_stretch(problem: Problem, batch: int, dimension: int, z: float, share: float) -> int:
    """Return how many steps of `|| H || s = z` a basis of `dimension` vectors covers and a block holds."""
    length = min(block_length(problem, batch), problem.steps) if problem.drive is None else 1
    while length > 1 and count_terms(z * length, share * length) > dimension:
        length = int(length / 1.4)
    return max(1, length)


def bases_of(z: float, dimension: int, share: float) -> int:
    """Return how many bases of `dimension` vectors, one after the other, reach `|| H || s = z`."""
    bases = 1
    while count_terms(z / bases, share / bases) > dimension:
        bases *= 2
    return bases


def group_of(batch: int, vectors: int, dimension: float, itemsize: int) -> int:
    """Return how many states are evolved together."""
    return int(max(1, min(batch, BASIS_BYTES // (vectors * dimension * itemsize))))
