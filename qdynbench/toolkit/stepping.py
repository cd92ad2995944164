"""What the solvers that walk along the time grid have in common: the walk, its blocks, and driven models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from qdynbench.contract.initial import Given
from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Block, Solver, block_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum


class Evolution(ABC):
    """The action of `exp(-i s H)` on batches of states, for one Hamiltonian; hbar = 1."""

    @abstractmethod
    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Write `exp(-i actions[j] H) states[b]` to `out[b, j]`.

        Args:
            states: shape `(B, 2**N)`, contiguous; not written to, and not part of `out`.
            actions: shape `(m,)`, multiples `1, 2, ..., m` of one positive or negative number.
            out: shape `(B, m, 2**N)`, contiguous, of the dtype of `states`.
        """

    def stretch(self, batch: int, action: float) -> int:
        """Return how many steps of `action` one call of `evolve` on `batch` states covers best."""
        return 1

    def expect(self, action: float) -> None:
        """Do once, before any state is known, what steps of `action` need; called for every piece of the grid."""
        return


class SteppingSolver(Solver):
    """Evolves all states together along the grid, by an `Evolution` for each Hamiltonian of the problem.

    Attributes:
        precision: `double` (complex128) or `single` (complex64).
    """

    knowledge = Knowledge.HAMILTONIAN

    precision: Literal["double", "single"] = "double"

    @abstractmethod
    def evolution(self, hamiltonian: PauliSum) -> Evolution:
        """Build, once and before any state is known, what evolves states under `hamiltonian`."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the states: complex128 or complex64."""
        return torch.complex64 if self.precision == "single" else torch.complex128

    def prepare(self, problem: Problem) -> None:
        """Build one `Evolution` for each Hamiltonian, and tell it the actions of the grid."""
        super().prepare(problem)
        self._evolutions = [self.evolution(hamiltonian) for hamiltonian in problem.hamiltonians]
        for index, action in dict.fromkeys(piece for step in range(problem.steps) for piece in problem.pieces(step)):
            self._evolutions[index].expect(action)

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then contiguous blocks of shape `(B, k, 2**N)`."""
        now = given.states.to(self.dtype, copy=True)
        yield Block(0, now[:, None])
        yield from self._driven(now) if self.problem.drive is not None else self._static(now)

    def _static(self, now: torch.Tensor) -> Iterator[Block]:
        batch, dim = now.shape
        problem, [evolution] = self.problem, self._evolutions
        length = min(problem.steps, evolution.stretch(batch, problem.dt))
        buffer = torch.empty(batch * length * dim, dtype=self.dtype, device=now.device)
        for start in range(1, problem.steps + 1, length):
            count = min(length, problem.steps + 1 - start)
            block = buffer[: batch * count * dim].view(batch, count, dim)
            evolution.evolve(now, problem.dt * np.arange(1, count + 1, dtype=np.float64), block)
            now.copy_(block[:, -1])
            yield Block(start, block)

    def _driven(self, now: torch.Tensor) -> Iterator[Block]:
        problem, (batch, dim) = self.problem, now.shape
        length = min(problem.steps, block_length(problem, batch))
        block = torch.empty(batch, length, dim, dtype=self.dtype, device=now.device)
        after = torch.empty(batch, 1, dim, dtype=self.dtype, device=now.device)
        for start in range(1, problem.steps + 1, length):
            count = min(length, problem.steps + 1 - start)
            for column in range(count):
                for index, action in problem.pieces(start - 1 + column):
                    self._evolutions[index].evolve(now, np.array([action]), after)
                    now.copy_(after[:, 0])
                block[:, column] = now
            yield Block(start, block[:, :count])
