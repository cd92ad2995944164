"""QuTiP's solver of the Schroedinger equation (`qutip.SESolver`, the class behind `sesolve`); hbar = 1.

N. Lambert et al., "QuTiP 5: The Quantum Toolbox in Python", arXiv:2412.04705 (2024).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, block_length
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.schedule import Stretch, piece_count, stretches
from qdynbench.toolkit.strings import entries_per_row
from qdynbench_qutip.matching import Method, krylov_steps, krylov_tolerance, options, promised, smallest, steps_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench import PauliSum

ABSENT = missing("qutip>=5.1,<6", install='pip install "qdynbench-qutip[peer]"')
if ABSENT is None:
    # Here, so that the import (1 s) falls to the start of a worker and not to the clock of the first `prepare`.
    import qutip

LARGEST_DENSE = 32
"""Largest dimension at which QuTiP is quickest with a dense Hamiltonian; beyond, with compressed sparse rows."""

BLOCK_BYTES = 512e6
"""States that QuTiP evolves one by one start anew in every block, so that a block had better hold the whole grid."""

LARGE_BYTES = 1e5
"""From this size on the states of one time are yielded as QuTiP holds them. Smaller ones are copied into blocks: each
block costs the core about 12 µs."""

Key = tuple[int, bool]
"""Number of a Hamiltonian, and whether it acts backwards (a kick of negative strength)."""


class QuTiP(Solver):
    """Evolves states with `qutip.SESolver`, at options that make the error about `tolerance`.

    `vern9`, `adams` and `diag` evolve all states of a batch together, as the columns of one `2**N x B` operator:
    several times faster than one by one. `krylov` takes single kets only.

    Attributes:
        method: `vern9` (adaptive Runge-Kutta of order 9), `adams` (zvode's multistep method, QuTiP's own default),
            `krylov` (Lanczos) or `diag` (diagonalisation, the quickest for small systems).
        tolerance: wanted 2-norm error of a state at the last time; what QuTiP is given follows from it. `diag`
            has no error but rounding.
        krylov_dim: dimension of the Krylov subspaces; 20 to 30 take the least time.
    """

    knowledge = Knowledge.HAMILTONIAN
    accuracy = ("tolerance",)

    method: Method = "vern9"
    tolerance: float = 1e-10
    krylov_dim: int = 24

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance}: a number between 0 and 1 expected")
        if self.krylov_dim < 2:
            raise ValueError(f"krylov_dim={self.krylov_dim}: at least 2 expected")

    @property
    def label(self) -> str:
        """The protocol, where states are not evolved together."""
        return "state by state" if self.method == "krylov" else ""

    def supports(self, problem: Problem) -> str | None:
        """Refuse without QuTiP, on a GPU, and a tolerance that double precision cannot reach."""
        if ABSENT is not None:
            return ABSENT
        if problem.device != "cpu":
            return "QuTiP runs on the CPU"
        if self.method != "diag" and self.tolerance < (least := smallest(problem)):
            return f"tolerance={self.tolerance:.3g} is beyond double precision on this grid: at least {least:.2g}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count products with H, sums of stages or basis vectors, and the states of the grid."""
        dim, pieces = 2.0 ** min(problem.size, 300), piece_count(problem)
        amplitudes, error = dim * problem.batch, promised(self.method, self.tolerance, problem)
        entries = max(map(entries_per_row, problem.hamiltonians), default=1)
        sparse, length = 32 * dim * entries, block_length(problem, problem.batch)
        if self.method == "diag":  # as a general complex matrix
            operations = 200 * dim**3 * len(problem.hamiltonians) + 8 * pieces * dim * amplitudes
            return Cost(16 * (5 * dim**2 + (4 + length) * amplitudes), operations, error)
        if self.method == "krylov":
            vectors = int(min(self.krylov_dim, dim))
            bases = krylov_steps(krylov_tolerance(self.tolerance, problem, vectors), problem, vectors)
            bases += 0 if problem.drive is None else pieces
            # A vector is a product, and is made orthogonal to half of the others on average.
            operations = 8 * amplitudes * vectors * (bases * (entries + 1.5 * vectors) + pieces)
            times = max(1.0, min(problem.steps, BLOCK_BYTES / (16 * amplitudes)))
            return Cost(sparse + 16 * (3 * vectors * dim + times * (amplitudes + 2 * dim)), operations, error)
        # Products, additions and vectors of a step, and additions that interpolate a time of the grid.
        products, additions, vectors, each = (16, 200, 27, 26) if self.method == "vern9" else (1, 20, 20, 20)
        steps = steps_of(self.method, self.tolerance, problem)
        operations = amplitudes * (steps * (8 * products * entries + 4 * additions) + pieces * 4 * each)
        return Cost(sparse + 16 * (vectors + length) * amplitudes, operations, error)

    def prepare(self, problem: Problem) -> None:
        """Build the QuTiP solver of every Hamiltonian, in the form that is quickest at this size."""
        super().prepare(problem)
        chosen = options(self.method, self.tolerance, problem, self.krylov_dim)
        self._solvers: dict[Key, Any] = {}
        for step in range(problem.steps if problem.drive is not None else 1):
            for index, duration in problem.pieces(step):
                key = (index, duration < 0)
                if key not in self._solvers:
                    operator = problem.hamiltonians[index]
                    self._solvers[key] = qutip.SESolver(qobj(-operator if key[1] else operator), options=chosen)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then blocks of shape `(B, k, 2**N)`."""
        yield Block(0, given.states[:, None])
        states = given.states.numpy()
        yield from self._one_by_one(states) if self.method == "krylov" else self._together(states)

    def _together(self, states: NDArray[np.complex128]) -> Iterator[Block]:
        problem, (batch, dim) = self.problem, states.shape
        # QuTiP keeps matrices by columns, so the states of a C-contiguous batch are its columns as they lie.
        now = qutip.Qobj(states.T, dims=[[dim], [batch]])
        length = 1 if states.nbytes >= LARGE_BYTES else min(problem.steps, block_length(problem, batch))
        block = np.empty((batch, length, dim), dtype=np.complex128)
        active: Key | None = None
        elapsed = 0.0
        for start in range(1, problem.steps + 1, length):
            count = min(length, problem.steps + 1 - start)
            for column in range(count):
                for index, duration in problem.pieces(start - 1 + column):
                    key = (index, duration < 0)
                    if key != active:
                        self._solvers[key].start(now, 0.0)
                        active, elapsed = key, 0.0
                    elapsed += abs(duration)
                    now = self._solvers[key].step(elapsed, copy=False)
                reached = now.data.as_ndarray().T  # a view
                if length > 1:
                    block[:, column] = reached
            yield Block(start, torch.from_numpy(block[:, :count] if length > 1 else reached[:, None]))

    def _one_by_one(self, states: NDArray[np.complex128]) -> Iterator[Block]:
        now = states.copy()
        for stretch in stretches(self.problem, block_length(self.problem, len(states), budget=BLOCK_BYTES)):
            block = np.empty((len(states), stretch.count, states.shape[1]), dtype=np.complex128)
            for state, trajectory in zip(now, block, strict=True):
                self._follow(state, stretch, trajectory)
            now = block[:, -1].copy()
            yield Block(stretch.start, torch.from_numpy(block))

    def _follow(self, state: NDArray[np.complex128], stretch: Stretch, out: NDArray[np.complex128]) -> None:
        ket = qutip.Qobj(state[:, None], dims=[[len(state)], [1]])
        for index, duration in stretch.pieces:
            solver = self._solvers[index, duration < 0]
            # One piece may last many steps; of several pieces only the last ends at a time of the grid.
            length = self.problem.dt if len(stretch.pieces) == 1 else abs(duration)
            # `SESolver.step` refuses Krylov in QuTiP 5.3 ("start must be called first"), so it is `run`.
            reached = solver.run(ket, length * np.arange(stretch.count + 1)).states[1:]
            ket = reached[-1]
        for column, reached_ket in zip(out, reached, strict=True):
            column[:] = reached_ket.data.as_ndarray()[:, 0]


def qobj(operator: PauliSum) -> Any:
    """Return `operator` as QuTiP's object on one space of `2**N` levels; its data has the order of the basis here."""
    dim = 1 << operator.size
    matrix = qutip.Qobj(operator.to_sparse().astype(np.complex128).tocsr(), dims=[[dim], [dim]])
    return matrix.to("dense" if dim <= LARGEST_DENSE else "csr")
