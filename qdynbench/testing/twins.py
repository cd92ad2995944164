"""A solver of which copies are raced against each other, to learn what times on a machine are worth.

`twin` diagonalises with NumPy and evolves by one product for each call. `twin[copy=1]` does the same under another
name, and `twin[slower=0.05]` makes each call 5 % longer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from qdynbench import Block, Given, Knowledge, Problem, Solver, hookimpl
from qdynbench.workers.clock import Receiver

if TYPE_CHECKING:
    from qdynbench import Register


class Twin(Solver):
    """Exact diagonalisation in one thread, with a known slowdown.

    Attributes:
        copy: has no effect; copies with different numbers are equals.
        slower: additional time of a call, as a share of what it takes with the reading of its result.
    """

    knowledge = Knowledge.HAMILTONIAN
    protocol = ("copy", "slower")
    copy: int = 0
    slower: float = 0.0

    def prepare(self, problem: Problem) -> None:
        """Diagonalise."""
        super().prepare(problem)
        energies, self._vectors = np.linalg.eigh(problem.hamiltonian.to_dense())
        self._phases = np.exp(-1j * np.outer(problem.times[1:], energies))
        self._reading: dict[int, float] = {}

    def solve(self, given: Given) -> Iterator[Block]:
        """Yield the initial states, then one block with all times."""
        yield Block(0, given.states[:, None])
        begun = time.perf_counter()
        weights = given.states.numpy() @ self._vectors.conj()
        found = (weights[:, None, :] * self._phases) @ self._vectors.T
        block = Block(1, torch.from_numpy(found))
        if self.slower:
            until = time.perf_counter()
            if len(given) not in self._reading:
                self._reading[len(given)] = self._seconds_to_read(given, block)
            until += self.slower * (until - begun + self._reading[len(given)])
            while time.perf_counter() < until:
                pass
        yield block

    def _seconds_to_read(self, given: Given, block: Block) -> float:
        """Return what the clock adds to a call by reading its result."""
        seconds = []
        for _ in range(5):
            begun = time.perf_counter()
            Receiver(self.problem, len(given)).take([Block(0, given.states[:, None]), block])
            seconds.append(time.perf_counter() - begun)
        return min(seconds)


@hookimpl
def register_solvers(register: Register) -> None:
    """Make the solver known."""
    register("twin", Twin, summary="a copy of one diagonalisation, with a known slowdown")
