"""Clocks of the core, and the receiver of what a timed call yields."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

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
    result is there. Of what was read the sums remain, by which two answers are compared.

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
            for name, tensor in tensors.items():
                numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
                found = numbers.sum(dim=tuple(range(1, numbers.ndim)))
                self._sums[name] = found if name not in self._sums else self._sums[name] + found
            self._position += length_of(tensors)
        check_complete(self._position, self.problem)

    def compare(self, other: Receiver, count: int) -> None:
        """Compare the first `count` states with those of another answer to the same.

        Raises:
            InvalidOutput: the answers differ.
        """
        if self._sums.keys() != other._sums.keys():
            raise InvalidOutput(f"a timed call yields {_names(self)}, the same call without a clock {_names(other)}")
        for name, found in self._sums.items():
            scale = SAME * len(self.problem.times) ** 0.5 * (1 if name == "states" else self.problem.size)
            difference = float((found[:count] - other._sums[name][:count]).abs().max())
            if not difference <= scale:
                raise InvalidOutput(
                    f"a timed call does not yield what the same call yields without a clock: sums of {name} differ by "
                    f"{difference:.2g}, where {scale:.2g} is allowed"
                )


def _names(receiver: Receiver) -> str:
    return " and ".join(sorted(receiver._sums))
