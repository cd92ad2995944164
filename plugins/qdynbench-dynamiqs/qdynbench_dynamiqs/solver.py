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
import torch
from torch.utils.dlpack import from_dlpack

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, block_length
from qdynbench.toolkit.peers import missing
from qdynbench.toolkit.schedule import piece_count, stretches
from qdynbench.toolkit.strings import flips
from qdynbench_dynamiqs.matching import ERROR_PER_ACTION, Method, absolute, smallest, steps_of

if TYPE_CHECKING:
    from qdynbench import PauliSum

ABSENT = missing("dynamiqs>=0.3.7,<0.4", install='pip install "qdynbench-dynamiqs[peer]"')
if ABSENT is None:
    # Here, so that the import (2 s) falls to the start of a worker and not to the clock of the first `prepare`.
    import dynamiqs
    import jax
    import jax.numpy as jnp

    from qdynbench_dynamiqs import compiled

BLOCK_BYTES = 512e6
"""Every block is one call of `sesolve`, which starts anew, so that a block had better hold the whole grid."""

PRODUCT_BYTES = 16e6
"""Block of `propagator`, which starts nothing anew. The C library hands out arrays of this size again once they are
dropped, while the pages of larger ones are new in every call: 7 spins, 256 states and 500 steps took 1.4 times as long
in one block."""

LARGEST_NUMBER_OF_STEPS = 100_000_000

LIBRARY_BYTES, COPIES = 5e8, 6
"""What JAX and its compiler hold of themselves, and how often XLA holds the arrays of a step."""

Key = tuple[int, bool]
"""Number of a Hamiltonian, and whether it acts backwards (a kick of negative strength)."""


class Dynamiqs(Solver):
    """Evolves all states of a batch by one `dynamiqs.sesolve`, at a tolerance that makes the error about `tolerance`.

    JAX compiles at the first call for a shape, about ten seconds, and keeps the compiled function for later ones.

    Attributes:
        method: `dopri8` (adaptive Runge-Kutta of order 8, the quicker of the two at tight tolerances), `tsit5` (order
            5, dynamiqs's own default), `expm` (the exponential of the dense Hamiltonian, computed in every call), or
            `propagator` (the exponential for one step, computed by `dynamiqs.expm` in `prepare`, then one product for
            each step; for one Hamiltonian, and the quickest for small systems).
        tolerance: wanted 2-norm error of a state at the last time; what dynamiqs is given follows from it. `expm` and
            `propagator` have no error but rounding.
    """

    knowledge = Knowledge.HAMILTONIAN
    accuracy = ("tolerance",)

    method: Method = "dopri8"
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance={self.tolerance}: a number between 0 and 1 expected")

    @property
    def label(self) -> str:
        """What still handicaps it here."""
        if self.method == "propagator":
            return "on the CPU, though made for GPUs"
        return "on the CPU, though made for GPUs; JAX fills a new array of all states in every call"

    def supports(self, problem: Problem) -> str | None:
        """Refuse without dynamiqs, on a GPU, a tolerance beyond double precision, and a drive with `propagator`."""
        if ABSENT is not None:
            return ABSENT
        if problem.device != "cpu":
            return "this plugin runs dynamiqs on the CPU: its use on a GPU has not been tested"
        if self.method == "propagator" and problem.drive is not None:
            return "method=propagator is for one Hamiltonian; the other methods follow drives"
        if self.method in ERROR_PER_ACTION and self.tolerance < (least := smallest(problem)):
            return f"tolerance={self.tolerance:.3g} is beyond double precision on this grid: at least {least:.2g}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count products with the diagonals of H, or with dense exponentials, which promise rounding."""
        dim, pieces = 2.0 ** min(problem.size, 300), 1 if problem.drive is None else piece_count(problem)
        amplitudes = dim * problem.batch
        # What is saved stands in the loop's buffer, in the result and, for the next block, once more.
        budget = PRODUCT_BYTES if self.method == "propagator" else BLOCK_BYTES
        saved = 3 * 16 * amplitudes * max(1.0, min(problem.steps, budget / (16 * amplitudes)))
        if self.method in ("expm", "propagator"):
            operations = 8 * dim * (20 * pieces * dim**2 + max(problem.steps, pieces) * amplitudes)
            error = 1e-11 + 10 * smallest(problem) + 1e-15 * problem.steps
            return Cost(LIBRARY_BYTES + 10 * 16 * dim**2 + saved, operations, error)
        # A string that flips m spins lies on at most `2**m` diagonals.
        diagonals = [sum(2.0 ** len(sites) for sites in flips(operator)) for operator in problem.hamiltonians]
        largest = min(max([1.0, *diagonals]), dim)
        stages = {"dopri8": 14, "tsit5": 7}[self.method]
        operations = amplitudes * stages * (8 * largest + 4 * stages) * steps_of(self.method, self.tolerance, problem)
        arrays = 16 * dim * (largest * len(problem.hamiltonians) + (stages + 6) * problem.batch)
        return Cost(LIBRARY_BYTES + COPIES * arrays + saved, operations, error=self.tolerance)

    def prepare(self, problem: Problem) -> None:
        """Build the Hamiltonians, by diagonals where these are few, or the propagator of one step."""
        super().prepare(problem)
        # XLA makes as many threads as NPROC says when its client is first used, and never another number.
        os.environ["NPROC"] = str(problem.threads)
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        if self.method == "propagator":
            self._step = compiled.step_of(qarray(problem.hamiltonian, dense=True), problem.dt)
            return
        method = self._method()
        self._evolutions: dict[Key, compiled.Evolution] = {}
        for step in range(problem.steps if problem.drive is not None else 1):
            for index, duration in problem.pieces(step):
                key = (index, duration < 0)
                if key not in self._evolutions:
                    operator = problem.hamiltonians[index]
                    operator = -operator if key[1] else operator
                    matrix = qarray(operator, dense=self.method == "expm")
                    self._evolutions[key] = compiled.evolution(matrix, method)

    def _method(self) -> Any:
        if self.method == "expm":
            return dynamiqs.method.Expm()
        chosen = dynamiqs.method.Tsit5 if self.method == "tsit5" else dynamiqs.method.Dopri8
        local = absolute(self.method, self.tolerance, self.problem)
        return chosen(atol=local, rtol=0.0, max_steps=LARGEST_NUMBER_OF_STEPS)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then blocks of shape `(B, k, 2**N)`, views of what JAX returns."""
        yield Block(0, given.states[:, None])
        yield from self._multiplied(given) if self.method == "propagator" else self._integrated(given)

    def _multiplied(self, given: Given) -> Iterator[Block]:
        now, length = torch.view_as_real(given.states).flatten(1).numpy(), self._length(len(given), PRODUCT_BYTES)
        for stretch in stretches(self.problem, length):
            found, now = compiled.repeated(self._step, now, length)
            states = torch.view_as_complex(_tensor(found).view(length, len(given), -1, 2))
            yield Block(stretch.start, states[: stretch.count].transpose(0, 1))

    def _integrated(self, given: Given) -> Iterator[Block]:
        problem, now = self.problem, given.states.numpy()
        length = self._length(len(given), BLOCK_BYTES)
        for stretch in stretches(problem, length):
            count = length if problem.drive is None else stretch.count
            for index, duration in stretch.pieces:
                step = problem.dt if len(stretch.pieces) == 1 else abs(duration)
                found, now = self._evolutions[index, duration < 0](step * np.arange(1, count + 1), now)
            yield Block(stretch.start, _tensor(found)[:, : stretch.count])

    def _length(self, batch: int, budget: float) -> int:
        """Return the one length of all blocks: the last may end beyond the grid, since another would be compiled."""
        blocks = math.ceil(self.problem.steps / block_length(self.problem, batch, budget=budget))
        return math.ceil(self.problem.steps / blocks)


def _tensor(array: Any) -> torch.Tensor:
    """Return a JAX array as a tensor without a copy, once it is there.

    JAX computes while Python goes on. It is awaited here, so that what dynamiqs raises while it computes, such as too
    many steps, ends the call.
    """
    tensor: torch.Tensor = from_dlpack(jax.block_until_ready(array))
    return tensor


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
