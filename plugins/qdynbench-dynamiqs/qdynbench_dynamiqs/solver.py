"""dynamiqs's solver of the Schroedinger equation (`dynamiqs.sesolve`, JAX, compiled and batched); hbar = 1.

P. Guilmin et al., "Dynamiqs: an open-source Python library for GPU-accelerated and differentiable simulation of
quantum systems", https://www.dynamiqs.org.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.utils.dlpack import from_dlpack

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, block_length
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.schedule import Stretch, piece_count, stretches
from qdynbench.toolkit.strings import flips
from qdynbench_dynamiqs.matching import Method, absolute, smallest, steps_of

if TYPE_CHECKING:
    from qdynbench import PauliSum

ABSENT = missing("dynamiqs>=0.3.7,<0.4", install='pip install "qdynbench-dynamiqs[peer]"')
if ABSENT is None:
    # Here, so that the import (2 s) falls to the start of a worker and not to the clock of the first `prepare`.
    import dynamiqs
    import jax
    import jax.numpy as jnp

BLOCK_BYTES = 512e6
"""Every block is one call of `sesolve`, which starts anew, so that a block had better hold the whole grid."""

LARGEST_NUMBER_OF_STEPS = 100_000_000

LIBRARY_BYTES, COPIES = 5e8, 6
"""What JAX and its compiler hold of themselves, and how often XLA holds the arrays of a step."""

Key = tuple[int, bool]
"""Number of a Hamiltonian, and whether it acts backwards (a kick of negative strength)."""


class Dynamiqs(Solver):
    """Evolves all states of a batch by one `dynamiqs.sesolve`, at a tolerance that makes the error about `tolerance`.

    JAX compiles at the first call for a shape, about ten seconds, and keeps the compiled function for later ones.

    Attributes:
        method: `dopri8` (adaptive Runge-Kutta of order 8, the quickest of them at tight tolerances), `tsit5` (order 5,
            dynamiqs's own default) or `expm` (the exponential of the dense Hamiltonian).
        tolerance: wanted 2-norm error of a state on the grid; what dynamiqs is given follows from it. `expm` has no
            error but rounding.
    """

    knowledge = Knowledge.HAMILTONIAN
    accuracy = ("tolerance",)

    method: Method = "dopri8"
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance}: a number between 0 and 1 expected")

    def supports(self, problem: Problem) -> str | None:
        """Refuse without dynamiqs, on a GPU, and a tolerance that double precision cannot reach."""
        if ABSENT is not None:
            return ABSENT
        if problem.device != "cpu":
            return "this plugin runs dynamiqs on the CPU: its use on a GPU has not been tested"
        if self.method != "expm" and self.tolerance < (least := smallest(self.method, problem)):
            return f"tolerance={self.tolerance:.3g} is beyond double precision on this grid: at least {least:.2g}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count products with the diagonals of H, or with dense exponentials; `expm` promises rounding."""
        dim, pieces = 2.0 ** min(problem.size, 300), 1 if problem.drive is None else piece_count(problem)
        amplitudes = dim * problem.batch
        # What is saved stands in the loop's buffer, in the result and, for the next block, once more.
        saved = 3 * 16 * amplitudes * max(1.0, min(problem.steps, BLOCK_BYTES / (16 * amplitudes)))
        if self.method == "expm":
            operations = 8 * dim * (20 * pieces * dim**2 + max(problem.steps, pieces) * amplitudes)
            error = 1e-11 + 10 * smallest("expm", problem)
            return Cost(LIBRARY_BYTES + 10 * 16 * dim**2 + saved, operations, error)
        # A string that flips m spins lies on at most `2**m` diagonals.
        diagonals = [sum(2.0 ** len(sites) for sites in flips(operator)) for operator in problem.hamiltonians]
        largest = min(max([1.0, *diagonals]), dim)
        stages = {"dopri8": 14, "tsit5": 7}[self.method]
        operations = amplitudes * stages * (8 * largest + 4 * stages) * steps_of(self.method, self.tolerance, problem)
        arrays = 16 * dim * (largest * len(problem.hamiltonians) + (stages + 6) * problem.batch)
        return Cost(LIBRARY_BYTES + COPIES * arrays + saved, operations, error=self.tolerance)

    def prepare(self, problem: Problem) -> None:
        """Build the Hamiltonians, by diagonals where these are few."""
        super().prepare(problem)
        # XLA makes as many threads as NPROC says when its client is first used, and never another number.
        os.environ["NPROC"] = str(problem.threads)
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self._operators: dict[Key, Any] = {}
        for step in range(problem.steps if problem.drive is not None else 1):
            for index, duration in problem.pieces(step):
                key = (index, duration < 0)
                if key not in self._operators:
                    operator = problem.hamiltonians[index]
                    operator = -operator if key[1] else operator
                    self._operators[key] = qarray(operator, dense=self.method == "expm")
        settings = {"rtol": 0.0, "max_steps": LARGEST_NUMBER_OF_STEPS}
        if self.method == "expm":
            self._method = dynamiqs.method.Expm()
        elif self.method == "tsit5":
            self._method = dynamiqs.method.Tsit5(atol=absolute("tsit5", self.tolerance, problem), **settings)
        else:
            self._method = dynamiqs.method.Dopri8(atol=absolute("dopri8", self.tolerance, problem), **settings)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then blocks of shape `(B, k, 2**N)`."""
        yield Block(0, given.states[:, None])
        problem = self.problem
        longest = block_length(problem, len(given.states), budget=BLOCK_BYTES)
        # Blocks of one length, the last of which may end beyond the grid: another length would be compiled anew.
        blocks = math.ceil(problem.steps / longest)
        longest = math.ceil(problem.steps / blocks)
        now = jnp.asarray(given.states.numpy())[:, :, None]
        for stretch in stretches(problem, longest):
            states = self._follow(now, stretch, longest if problem.drive is None else stretch.count)
            now = states[:, stretch.count - 1]
            yield Block(stretch.start, from_dlpack(states[..., 0])[:, : stretch.count])

    def _follow(self, now: Any, stretch: Stretch, length: int) -> Any:
        """Return the states at the times of a stretch, a JAX array of shape `(B, length, 2**N, 1)`."""
        for index, duration in stretch.pieces:
            step = self.problem.dt if len(stretch.pieces) == 1 else abs(duration)
            result = dynamiqs.sesolve(
                self._operators[index, duration < 0],
                now,
                step * np.arange(1, length + 1),
                method=self._method,
                progress_meter=False,
                t0=0.0,
            )
            states = result.states.to_jax()
            now = states[:, -1]
        return jax.block_until_ready(states)


def qarray(operator: PauliSum, *, dense: bool) -> Any:
    """Return `operator` as dynamiqs's array: by its diagonals where these are fewer than its rows, else dense."""
    rows = 1 << operator.size
    elements = operator.to_sparse().tocoo()
    offsets = np.unique(elements.col - elements.row)
    if dense or not 0 < len(offsets) < rows:
        return dynamiqs.asqarray(jnp.asarray(operator.to_dense(), dtype=jnp.complex128), layout=dynamiqs.dense)
    # Diagonal k has its element (i, i + k) at i, or at i + k where k is negative.
    diagonals = {int(k): np.zeros(rows - abs(k), dtype=np.complex128) for k in offsets}
    for k, diagonal in diagonals.items():
        chosen = elements.col - elements.row == k
        diagonal[np.minimum(elements.row, elements.col)[chosen]] = elements.data[chosen]
    return dynamiqs.sparsedia_from_dict(diagonals, dtype=jnp.complex128)
