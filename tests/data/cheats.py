"""Solvers that are exact when they are scored, and would cost next to nothing if nobody looked at timed calls."""

import os
import time

import numpy as np
import torch

from qdynbench import Block, Knowledge, Solver, hookimpl


class Honest(Solver):
    """Diagonalisation by NumPy, slowed down, so that what it costs can be seen."""

    knowledge = Knowledge.HAMILTONIAN

    def prepare(self, problem):
        super().prepare(problem)
        energies, vectors = np.linalg.eigh(problem.hamiltonian.to_dense())
        self.energies, self.vectors = torch.from_numpy(energies), torch.from_numpy(vectors).to(torch.complex128)

    def answer(self, states):
        time.sleep(0.003)
        phases = torch.exp(-1j * torch.from_numpy(self.problem.times)[:, None] * self.energies)
        found = ((states @ self.vectors.conj())[:, None, :] * phases) @ self.vectors.T
        found[:, 0] = states
        return found

    def solve(self, given):
        yield Block(0, self.answer(given.states))


class Counted(Honest):
    """Counts its calls since the last preparation."""

    def prepare(self, problem):
        super().prepare(problem)
        self.calls = 0


class Array:
    """Computes when it is asked for its numbers."""

    def __init__(self, make):
        self.make = make

    def __dlpack__(self, **options):
        return self.make().__dlpack__(**options)

    def __dlpack_device__(self):
        return (1, 0)


class Lazy(Honest):
    def solve(self, given):
        yield Block(0, Array(lambda: self.answer(given.states)))


class Remembers(Honest):
    """Remembers answers by the numbers of the states."""

    def prepare(self, problem):
        super().prepare(problem)
        self.numbers = {}

    def solve(self, given):
        states = given.states
        numbers = states.numpy().round(9).tobytes()
        found = self.numbers.get(numbers)
        if found is None:
            found = self.numbers[numbers] = self.answer(states)
        yield Block(0, found)


class OneAnswer(Honest):
    """Knows that an ensemble of a single state always asks the same."""

    def prepare(self, problem):
        super().prepare(problem)
        self.known = {}

    def solve(self, given):
        if len(given) not in self.known:
            self.known[len(given)] = self.answer(given.states)
        yield Block(0, self.known[len(given)])


class Silent(Counted):
    """Yields nothing once it has been scored."""

    def solve(self, given):
        self.calls += 1
        if self.calls <= 2:
            yield Block(0, self.answer(given.states))


class Repeats(Counted):
    """Yields the initial state at all times once it has been scored."""

    def solve(self, given):
        self.calls += 1
        answered = self.calls <= 2
        still = given.states[:, None].expand(-1, self.problem.steps + 1, -1)
        yield Block(0, self.answer(given.states) if answered else still)


class Shortens(Honest):
    """Is exact at the batch size that is scored alone."""

    def solve(self, given):
        exact = len(given) == self.problem.batch
        still = given.states[:, None].expand(-1, self.problem.steps + 1, -1)
        yield Block(0, self.answer(given.states) if exact else still)


class Patches(Honest):
    """Slows down the clock of its process."""

    def prepare(self, problem):
        super().prepare(problem)
        import qdynbench.workers.clock as clocks

        real = time.monotonic
        time.perf_counter = clocks._now = lambda: real() / 1000


class Backwards(Honest):
    """Sets the clock of its process back whenever it prepares."""

    def prepare(self, problem):
        super().prepare(problem)
        import qdynbench.workers.clock as clocks

        before = clocks._now
        clocks._now = lambda: before() - 1000


class Forwards(Honest):
    """Sets the clock of its process on by 20,000 years whenever it prepares."""

    def prepare(self, problem):
        super().prepare(problem)
        import qdynbench.workers.clock as clocks

        before = clocks._now
        clocks._now = lambda: before() + 9e11


class Dies(Counted):
    """Ends its process in a timed call."""

    def solve(self, given):
        self.calls += 1
        if self.calls > 8:
            os._exit(3)
        yield Block(0, self.answer(given.states))


@hookimpl
def register_solvers(register):
    for kind in (Honest, Lazy, Remembers, OneAnswer, Silent, Repeats, Shortens, Patches, Backwards, Forwards, Dies):
        register(kind.__name__.lower(), kind, summary=kind.__doc__ or kind.__name__)
