"""Clocks of the core, and the receiver of what a timed call yields."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.initial import Given
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block, Solver
from qdynbench.contract.validation import check_complete, formed, iterated, length_of
from qdynbench.errors import InvalidOutput

_now = time.perf_counter  # bound before a solver is imported

SAME = 0.05
"""How far the sums of two answers may be apart, for each time and in units of one state of norm 1."""


@dataclass
class Stopwatch:
    """Sums the wall-clock seconds of one or more timed sections."""

    device: str = "cpu"
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the body of the `with` statement; the device is synchronised before and after it."""
        synchronize(self.device)
        start = _now()
        try:
            yield
        finally:
            synchronize(self.device)
            self.seconds += _now() - start


def synchronize(device: str) -> None:
    """Wait until the device has finished its work."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


@dataclass
class Receiver:
    """Receives the blocks of a call as the scorer would.

    Arrays are realised, the form of every block is checked, and every number is read once, so that a call ends when its
    result is there. Of what was read the sums remain, by which it is compared with what was scored.

    Args:
        problem: the problem that is solved.
        batch: number of states.
    """

    problem: Problem
    batch: int
    _position: int = 0
    _sums: dict[str, torch.Tensor] = field(default_factory=dict)

    def receive(self, solver: Solver, given: Given) -> None:
        """Solve, and read all that comes.

        Raises:
            InvalidOutput: it is no trajectory of the problem.
        """
        self.take(solver.solve(given))

    def take(self, blocks: Iterable[Block]) -> None:
        """Read all blocks of a call."""
        for block in iterated(blocks):
            tensors = formed(block, self._position, self.problem, self.batch)
            for name, found in sums_of(tensors).items():
                self._sums[name] = found if name not in self._sums else self._sums[name] + found
            self._position += length_of(tensors)
        check_complete(self._position, self.problem)

    def compare(self, scored: Mapping[str, NDArray[Any]], rows: Sequence[int]) -> None:
        """Compare some states with what was scored for them.

        Args:
            scored: sums over all times, by name, shape `(K,)`.
            rows: where these states stand in the batch of this call.

        Raises:
            InvalidOutput: the answers differ.
        """
        if self._sums.keys() != scored.keys():
            raise InvalidOutput(f"a timed call yields {_names(self._sums)}, what was scored is {_names(scored)}")
        for name, expected in scored.items():
            scale = SAME * len(self.problem.times) ** 0.5 * (1 if name == "states" else self.problem.size)
            difference = float(np.abs(self._sums[name].cpu().numpy()[list(rows)] - expected).max())
            if not difference <= scale:
                raise InvalidOutput(
                    f"a timed call does not yield what was scored: sums of {name} differ by {difference:.2g}, where "
                    f"{scale:.2g} is allowed"
                )


def sums_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the sum of each array for each state, shape `(B,)`."""
    return {name: tensor.sum(dim=tuple(range(1, tensor.ndim))) for name, tensor in tensors.items()}


def _names(sums: Mapping[str, object]) -> str:
    return " and ".join(sorted(sums))
