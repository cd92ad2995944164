"""Exact diagonalisation: psi(t) = V exp(-i E t) V^dagger psi(0), with H = V E V^dagger (paper eq. 3); hbar = 1."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from qdynbench import Block, Cost, Given, Knowledge, Problem, Solver, block_length
from qdynbench.toolkit.eigenbasis import EigenbasisPropagator, dense_cost
from qdynbench.toolkit.rounding import EPSILON
from qdynbench.toolkit.schedule import total_action
from qdynbench_exact.ed.driven import DrivenPropagator, driven_cost
from qdynbench_exact.ed.symmetry import Symmetry, breaking_term, symmetries_of

if TYPE_CHECKING:
    from qdynbench import PauliSum
    from qdynbench_exact.ed.sector import SectorPropagator

PER_STATE_BLOCK_BYTES = 512e6
"""Large enough for the whole of the paper's Table 1 (256 states, 500 steps, 7 spins) to be one call for each state."""


class ExactDiagonalization(Solver):
    """Diagonalises the Hamiltonian once, and evolves every state exactly.

    Not to be confused with Krylov or Lanczos methods, which diagonalise in a small subspace of each state.

    Attributes:
        mode: `batched` evolves all states and times together by real (where H is real) matrix products.
            `per_state` is the protocol of the paper's Table 1: each state is evolved by itself with
            `quspin.tools.evolution.ED_state_vs_time`. All the paper says of its ED is that its cost is linear in the
            batch; that the states share one diagonalisation is our choice, and the one kinder to it.
        precision: `double` (complex128) or `single` (complex64; the diagonalisation and the phases stay double).
        sector: `none` diagonalises the whole matrix. `auto` splits it into the sectors of all symmetries that the
            Hamiltonian has, `magnetization`, `momentum`, `parity` or `inversion` (of all spins) into those of one. All
            sectors are diagonalised in `prepare`; a state is evolved in those in which it has weight.
    """

    knowledge = Knowledge.HAMILTONIAN
    protocol = ("mode",)

    mode: Literal["batched", "per_state"] = "batched"
    precision: Literal["double", "single"] = "double"
    sector: Literal["none", "auto", "magnetization", "momentum", "parity", "inversion"] = "none"

    def __post_init__(self) -> None:
        """Import QuSpin where it is used: at the start of a worker, and not on the clock of the first `prepare`."""
        if self.mode == "per_state" or self.sector != "none":
            for module in ("quspin.tools.evolution", "qdynbench_exact.ed.sector"):
                importlib.import_module(module)

    @property
    def label(self) -> str:
        """The protocol, where it is not the default one."""
        if self.mode == "per_state":
            return "state by state, one shared diagonalisation: the paper's protocol, as inferred"
        return "" if self.sector == "none" else f"in symmetry sectors ({self.sector})"

    def supports(self, problem: Problem) -> str | None:
        """Refuse what QuSpin does not have, and a sector that the Hamiltonian leaves."""
        if self.mode == "per_state" and self.precision == "single":
            return "mode=per_state is QuSpin's own evolution, which is in double precision"
        if self.mode == "per_state" and problem.drive is not None:
            return "mode=per_state is the protocol of a static model"
        if self.mode == "per_state" and problem.device != "cpu":
            return "mode=per_state is QuSpin's own evolution, which runs on the CPU"
        return self._refused_sector(problem)

    def _refused_sector(self, problem: Problem) -> str | None:
        if self.sector == "none":
            return None
        if self.mode == "per_state" or problem.drive is not None or problem.device != "cpu":
            return "sectors are for static models and mode=batched, on the CPU"
        if self.sector != "auto":
            term = breaking_term(problem.hamiltonian, self.sector)
            if term is not None:
                return (
                    f"sector={self.sector}: the Hamiltonian does not commute with it; a term that breaks it is {term}"
                )
        return None

    def _symmetries(self, operator: PauliSum) -> tuple[Symmetry, ...]:
        if self.sector == "none":
            return ()
        return symmetries_of(operator) if self.sector == "auto" else (self.sector,)

    def estimate(self, problem: Problem) -> Cost:
        """Predict the cost from the dense matrices.

        It promises an error of 1e-4 in single precision, and of 1e-11 beside the rounding of `|E| t` in double.
        """
        rounding = 10 * EPSILON["double"] * total_action(problem)
        return dataclasses.replace(self._cost(problem), error=1e-4 if self.precision == "single" else 1e-11 + rounding)

    def _cost(self, problem: Problem) -> Cost:
        real, itemsize = all(operator.is_real for operator in problem.hamiltonians), self._dtype.itemsize
        if problem.drive is not None:
            return driven_cost(problem, real=real, itemsize=itemsize)
        if symmetries := self._symmetries(problem.hamiltonian):
            from qdynbench_exact.ed.sector import sector_cost

            return sector_cost(problem, problem.hamiltonian, symmetries, itemsize)
        cost = dense_cost(problem, real=real, itemsize=itemsize)
        if self.mode == "per_state":
            length = block_length(problem, problem.batch, budget=PER_STATE_BLOCK_BYTES)
            return Cost(cost.bytes + 16.0 * length * problem.batch * problem.dimension, cost.operations)
        return cost

    def prepare(self, problem: Problem) -> None:
        """Build the Hamiltonian, for sectors and the paper's protocol with QuSpin, and diagonalise it."""
        super().prepare(problem)
        if problem.drive is not None:
            matrices = [operator.to_dense() for operator in problem.hamiltonians]
            self._propagator: EigenbasisPropagator | DrivenPropagator | SectorPropagator
            self._propagator = DrivenPropagator(matrices, problem, self._dtype)
        elif self.mode == "per_state":
            from qdynbench_exact.hamiltonian import quspin_hamiltonian

            self._energies, self._vectors = np.linalg.eigh(quspin_hamiltonian(problem.hamiltonian).toarray())
        elif symmetries := self._symmetries(problem.hamiltonian):
            from qdynbench_exact.ed.sector import SectorPropagator
            from qdynbench_exact.hamiltonian import quspin_hamiltonian

            matrix = quspin_hamiltonian(problem.hamiltonian).tocsr()
            self._propagator = SectorPropagator(matrix, problem, self._dtype, symmetries)
        else:
            self._propagator = EigenbasisPropagator(problem.hamiltonian.to_dense(), problem, self._dtype)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield contiguous blocks of shape `(B, k, 2**N)`."""
        return self._state_by_state(given) if self.mode == "per_state" else self._propagator.blocks(given.states)

    def _state_by_state(self, given: Given) -> Iterator[Block]:
        from quspin.tools.evolution import ED_state_vs_time

        states = given.states.numpy()
        length = block_length(self.problem, len(states), budget=PER_STATE_BLOCK_BYTES)
        for start in range(0, self.problem.steps + 1, length):
            times = self.problem.times[start : start + length]
            block = np.empty((len(states), len(times), states.shape[1]), dtype=np.complex128)
            for state, trajectory in zip(states, block, strict=True):
                trajectory[:] = ED_state_vs_time(state, self._energies, self._vectors, times).T
            if start == 0:
                block[:, 0] = states
            yield Block(start, torch.from_numpy(block))

    @property
    def _dtype(self) -> torch.dtype:
        return torch.complex64 if self.precision == "single" else torch.complex128
