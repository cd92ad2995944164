"""Diagonalisation in NumPy as anyone would write it: psi(t) = V exp(-i E t) V^dagger psi(0), in one line; hbar = 1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver
from qdynbench.toolkit.rounding import EPSILON
from qdynbench.toolkit.schedule import total_action


class NumpyDiagonalization(Solver):
    """Diagonalises H by `numpy.linalg.eigh` in `prepare`; a call is one expression that returns the whole trajectory.

    It is what a comparison should not leave out: nothing is blocked or reused, and for a few spins it is hard to beat.
    """

    knowledge = Knowledge.HAMILTONIAN

    def supports(self, problem: Problem) -> str | None:
        """Refuse a GPU."""
        return None if problem.device == "cpu" else "NumPy runs on the CPU"

    def estimate(self, problem: Problem) -> Cost:
        """Count the diagonalisation and one complex product; the whole trajectory stands in memory twice.

        It promises an error of 1e-11 beside the rounding of `|E| t`.
        """
        dim, columns = problem.amplitudes, float(problem.batch * (problem.steps + 1))
        real = all(operator.is_real for operator in problem.hamiltonians)
        return Cost(
            bytes=5 * 16 * dim**2 + 2 * 16 * dim * columns,
            operations=(9 if real else 36) * dim**3 + 8 * dim**2 * columns,
            error=1e-11 + 10 * EPSILON["double"] * total_action(problem),
        )

    def prepare(self, problem: Problem) -> None:
        """Diagonalise, and compute the phases `exp(-i E t)` of all times, shape `(T+1, 2**N)`."""
        super().prepare(problem)
        matrix = problem.hamiltonian.to_dense()
        energies, vectors = np.linalg.eigh(matrix.real if problem.hamiltonian.is_real else matrix)
        self._phases = np.exp(-1j * np.outer(problem.times, energies))
        # Complex also where H is real: NumPy would convert them in every call.
        self._conjugate = vectors.conj().astype(np.complex128)
        self._transposed = vectors.T.astype(np.complex128)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield one block of shape `(B, T+1, 2**N)`, a new array in every call."""
        states = given.states.numpy()
        yield Block(0, torch.from_numpy(((states @ self._conjugate)[:, None] * self._phases) @ self._transposed))
