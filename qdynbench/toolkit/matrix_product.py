"""What solvers with matrix product states have in common, whichever package holds the tensors.

A state of N spins is a chain of tensors; the dimension of the bond between two of them is the number of Schmidt values
that are kept there. Two errors are made: small Schmidt values are discarded (`chi`, `cutoff`), and a step takes time
(`step`, `order`). The first is measured while it happens and is given back as the observable "truncation".
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from qdynbench.contract.initial import Given
from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Block, Cost, Solver, block_length
from qdynbench.toolkit import tensor_chain
from qdynbench.toolkit.strings import commuting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum
    from qdynbench.toolkit.tensor_chain import Measured

LARGEST_VECTOR = 14
"""Spins up to which `yields=auto` writes the state vector out."""
OBSERVABLES_BUDGET = 4e6
"""Bytes of a block of observables."""

FIRST_BOND, BOND_GROWTH = 4.0, 1.1
"""The bonds of an Ising chain at cutoff 1e-16 have about the dimension `FIRST_BOND * exp(BOND_GROWTH * J * t)`."""
SMALLEST_UPDATE = 64
"""Side of the largest matrix whose decomposition takes no longer than the calls around it."""


class Evolving(ABC):
    """One matrix product state on its way.

    Attributes:
        discarded: weight (sum of squared Schmidt values) discarded so far, over all bonds and steps.
        terms: the one Hamiltonian bond by bond, where there is one and it has such a form.
    """

    discarded: float = 0.0
    terms: Sequence[NDArray[np.complex128]] | None = None

    @abstractmethod
    def evolve(self, index: int, action: float, count: int) -> None:
        """Multiply by `exp(-i action hamiltonians[index])` in `count` equal steps."""

    @abstractmethod
    def largest_bond(self) -> int:
        """Return the dimension of the largest bond."""

    @abstractmethod
    def tensors(self) -> list[NDArray[np.complex128]]:
        """Return the tensors as in `qdynbench.toolkit.tensor_chain`, in any gauge."""

    def measure(self) -> Measured:
        """Return the expectation values; energy where one Hamiltonian is given."""
        return tensor_chain.measure(self.tensors(), self.terms)


class MatrixProductSolver(Solver):
    """Evolves every state by itself as a matrix product state.

    Attributes:
        chi: largest bond dimension. Where a bond reaches it, `notes` says so.
        cutoff: weight (sum of squared Schmidt values) that one truncation may discard.
        step: longest time step; a step of the time grid is divided evenly into as many as it needs.
        yields: `states` writes out all amplitudes, `observables` gives spins, energy, norm and entropy;
            `auto` gives states up to 14 spins.
    """

    knowledge = Knowledge.HAMILTONIAN
    accuracy = ("chi", "cutoff", "step")

    chi: int = 64
    cutoff: float = 1e-16
    step: float = 0.05
    yields: Literal["auto", "states", "observables"] = "auto"

    peer: ClassVar[str]
    """Name of the package that holds the tensors, for messages."""

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises:
            ValueError: one is out of its range.
        """
        if self.chi < 1:
            raise ValueError(f"chi={self.chi}: a bond has at least dimension 1")
        if not 0 <= self.cutoff < 1:
            raise ValueError(f"cutoff={self.cutoff}: a discarded weight lies between 0 and 1")
        if not (self.step > 0 and math.isfinite(self.step)):
            raise ValueError(f"step={self.step}: a time step is positive")
        self.gates_per_step = 2.0
        """Updates of each bond in one step, for `estimate`."""

    @property
    def label(self) -> str:
        """Bond dimension and cutoff: without them a result of this solver says nothing."""
        return f"bond dimension {self.chi}, cutoff {self.cutoff:g}"

    @abstractmethod
    def absent(self) -> str | None:
        """Return that the package which holds the tensors is missing, and how to install it, or None."""

    @abstractmethod
    def product(self, spinors: NDArray[np.complex128]) -> Evolving:
        """Return the product state of spinors `(N, 2)`."""

    @abstractmethod
    def from_vector(self, amplitudes: NDArray[np.complex128]) -> Evolving:
        """Return the state of amplitudes `(2**N,)`, without truncation."""

    def supports(self, problem: Problem) -> str | None:
        """Refuse a missing package, a GPU, and a single spin, which has no bond."""
        if (reason := self.absent()) is not None:
            return reason
        if problem.device != "cpu":
            return f"{self.peer} runs on the CPU"
        return "a chain of one spin has no bond" if problem.size < 2 else None

    def substeps(self, hamiltonian: PauliSum, action: float) -> int:
        """Return into how many steps the evolution by `action` under `hamiltonian` is divided."""
        return max(1, math.ceil(abs(action) / self.step - 1e-9))

    def estimate(self, problem: Problem) -> Cost:
        """Count the updates of bonds, each a singular value decomposition; the growth of the bonds is a guess.

        No error is promised: neither the discarded weight nor the time step bounds it.
        """
        size, largest = problem.size, min(self.chi, 2 ** (problem.size // 2))
        coupling = max(
            (abs(t.coefficient) for h in problem.hamiltonians for t in h.terms if len(t.sites) > 1), default=0
        )
        exponent = np.minimum(BOND_GROWTH * coupling * problem.times[1:], 50.0)
        bonds = np.minimum(FIRST_BOND * np.exp(exponent), largest)
        steps = sum(self.substeps(problem.hamiltonians[index], action) for index, action in problem.pieces(0))
        updates = self.gates_per_step * steps * (size - 1)
        # About 20 operations for each number of the decomposition of a complex matrix of side 2 D, times D.
        operations = 20 * updates * float(np.sum(np.maximum(2 * bonds, SMALLEST_UPDATE) ** 3))
        amplitudes = problem.amplitudes if self._writes_states(size) else 4.0 * size
        columns = block_length(problem, problem.batch) if self._writes_states(size) else problem.steps
        operations += 8 * problem.steps * amplitudes * largest  # to write the states out
        tensors = 2 * size * largest**2 + 40.0 * largest**2
        held = problem.batch * (tensors + columns * amplitudes) + 3 * amplitudes
        return Cost(1.5e8 + 16.0 * held, problem.batch * operations)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield states `(B, k, 2**N)` or observables; "truncation" of shape `(B, k)` stands beside both.

        Where the ensemble is one of product states, their spinors alone are read; states of shape `(B, 2**N)` are
        needed only to give them back at index 0.
        """
        if given.spinors is not None:
            chains = [self.product(spinors) for spinors in given.spinors.cpu().numpy()]
        else:
            chains = [self.from_vector(amplitudes) for amplitudes in given.states.cpu().numpy()]
        watch = _BondWatch(given, self.chi, self.problem)
        if self._writes_states(self.problem.size):
            yield from self._states(chains, given, watch)
        else:
            yield from self._observables(chains, watch)

    def _states(self, chains: Sequence[Evolving], given: Given, watch: _BondWatch) -> Iterator[Block]:
        import torch

        problem, batch = self.problem, len(chains)
        yield Block(0, given.states[:, None], {"truncation": torch.zeros(batch, 1, dtype=torch.float64)})
        length = min(problem.steps, block_length(problem, batch))
        states = np.empty((batch, length, problem.dimension), dtype=np.complex128)
        discarded = np.empty((batch, length))
        for start, count in self._walk(length):
            for column in range(count):
                self._advance(chains, start + column, watch)
                for row, chain in enumerate(chains):
                    states[row, column] = tensor_chain.amplitudes(chain.tensors())
                    discarded[row, column] = chain.discarded
            truncation = torch.from_numpy(discarded[:, :count].copy())
            yield Block(start, torch.from_numpy(states)[:, :count], {"truncation": truncation})

    def _observables(self, chains: Sequence[Evolving], watch: _BondWatch) -> Iterator[Block]:
        problem, batch = self.problem, len(chains)
        length = int(max(1, min(problem.steps, OBSERVABLES_BUDGET // (8 * batch * (3 * problem.size + 4)))))
        yield self._measured(0, [[chain.measure() for chain in chains]], [[0.0] * batch])
        for start, count in self._walk(length):
            rows, discarded = [], []
            for column in range(count):
                self._advance(chains, start + column, watch)
                rows.append([chain.measure() for chain in chains])
                discarded.append([chain.discarded for chain in chains])
            yield self._measured(start, rows, discarded)

    def _measured(self, start: int, rows: list[list[Measured]], discarded: list[list[float]]) -> Block:
        import torch

        spins = np.array([[one.spins for one in row] for row in rows]).transpose(2, 1, 0, 3)
        values = {
            "energy": [[one.energy for one in row] for row in rows],
            "norm": [[one.norm for one in row] for row in rows],
            "entropy": [[one.entropy for one in row] for row in rows],
            "truncation": discarded,
        }
        if self.problem.drive is not None:
            del values["energy"]  # under several Hamiltonians there is no one energy
        observables = {axis: torch.from_numpy(spins[i].copy()) for i, axis in enumerate("xyz")}
        observables |= {name: torch.tensor(table, dtype=torch.float64).T for name, table in values.items()}
        return Block(start, None, observables)

    def _walk(self, length: int) -> Iterator[tuple[int, int]]:
        last = self.problem.steps
        return ((start, min(length, last + 1 - start)) for start in range(1, last + 1, length))

    def _advance(self, chains: Sequence[Evolving], time: int, watch: _BondWatch) -> None:
        """Lead all states from `times[time - 1]` to `times[time]`, and watch their bonds."""
        for index, action in self.problem.pieces(time - 1):
            count = self.substeps(self.problem.hamiltonians[index], action)
            for chain in chains:
                chain.evolve(index, action, count)
        watch.look(chains, time)

    def _writes_states(self, size: int) -> bool:
        return self.yields == "states" or (self.yields == "auto" and size <= LARGEST_VECTOR)


class _BondWatch:
    """Notes when bonds reach the limit of their dimension, and what that has cost.

    Args:
        given: takes the note.
        chi: the limit.
        problem: the grid and the number of spins.
    """

    def __init__(self, given: Given, chi: int, problem: Problem) -> None:
        self._given, self._chi, self._problem = given, chi, problem
        self._first: int | None = None

    def look(self, chains: Sequence[Evolving], time: int) -> None:
        """Look at all states at one time, and note at the last one what was seen."""
        # A bond of the full dimension of its shorter side holds any state: it cannot saturate.
        if self._chi >= 2 ** (self._problem.size // 2):
            return
        full = sum(chain.largest_bond() >= self._chi for chain in chains)
        if full and self._first is None:
            self._first = time
        if self._first is not None and time == self._problem.steps:
            weight = max(chain.discarded for chain in chains)
            self._given.note(
                f"bond dimension reached its limit {self._chi} at step {self._first} "
                f"({full} of {len(chains)} states at the end), discarded weight {weight:.1e}"
            )


class TebdSolver(MatrixProductSolver):
    """Time-evolving block decimation: a Trotter decomposition into gates on neighbouring sites.

    G. Vidal, Phys. Rev. Lett. 93, 040502 (2004). Chains are open, every term acts on one site or two neighbours.

    Attributes:
        order: of the Trotter decomposition; the error of a state at a fixed time is proportional to `step**order`.
    """

    order: Literal[2, 4] = 4

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        self.gates_per_step = 5.5 if self.order == 4 else 1.5

    def supports(self, problem: Problem) -> str | None:
        """Refuse terms that are no gate on neighbouring sites, by name."""
        reason = super().supports(problem)
        if reason is not None:
            return reason
        for term in itertools.chain.from_iterable(h.terms for h in problem.hamiltonians):
            if max(term.sites) - min(term.sites) > 1:
                return f"{term} is no term on one site or two neighbouring ones, tenpy-tdvp takes it"
        return None

    def substeps(self, hamiltonian: PauliSum, action: float) -> int:
        """Return 1 where all terms commute and their decomposition is exact, as in most kicks."""
        return 1 if commuting(hamiltonian) else super().substeps(hamiltonian, action)
