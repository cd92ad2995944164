"""Product formulas: the propagator as a product of exactly exponentiated gates, in place, with no matrix; hbar = 1.

Order 2 is the symmetric formula of Strang, `S2(h) = A(h/2) B(h/2) ... B(h/2) A(h/2)`. Order 4 is Suzuki's,
`S4(h) = S2(p h)^2 S2((1 - 4p) h) S2(p h)^2` with `p = 1 / (4 - 4^(1/3))` (Phys. Lett. A 146, 319 (1990)): five factors
where Forest and Ruth's formula has three, but with an error far smaller than that costs.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from qdynbench import Cost, Problem, basis, block_length
from qdynbench_exact.gate_kernels import sweep
from qdynbench_exact.gates import TILE_SITES, Program, compile_program, packs, split
from qdynbench_exact.sharing import share
from qdynbench_exact.stepping import Evolution, SteppingSolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from qdynbench import PauliSum

THREADS_WORK = 2e5
"""Amplitudes times gates below which one thread is done before others have woken up."""

GATE_SECONDS = 1.2e-9  # of a thread, for each amplitude and gate; measured at 7 to 20 spins
PASS_SECONDS = 3e-9  # for each amplitude that is fetched and put back
CALL_SECONDS = 2e-5
PREPARE_SECONDS = 3e-3


class Trotter(SteppingSolver):
    """Evolves all states by gates on one, two and three sites.

    The error is that of the formula: it falls with the `order`-th power of the step. It is not estimated, so none is
    promised; run several steps, or `taylor`, to see it.

    Attributes:
        order: 2 (Strang) or 4 (Suzuki).
        step: the largest internal time step; every piece of the grid is divided evenly into steps no longer than this.
            By default a piece is one step. For a kick it is the largest strength.
    """

    accuracy = ("step",)

    order: Literal[2, 4] = 2
    step: float = math.inf

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"step={self.step:g} must be positive")

    @property
    def label(self) -> str:
        """Order and step."""
        step = "the grid's step" if math.isinf(self.step) else f"step {self.step:g}"
        return f"order {self.order}, {step}, no error control"

    def supports(self, problem: Problem) -> str | None:
        """Say no to a GPU and to strings on more sites than a tile has."""
        if problem.device != "cpu":
            return "the gates are compiled for the CPU"
        for operator in problem.hamiltonians:
            for term in operator.terms:
                if len(term.sites) > TILE_SITES and set(term.paulis) != {"Z"}:
                    return f"a gate reaches over at most {TILE_SITES} sites, {term.paulis} has {len(term.sites)}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Predict memory and time from the gates and the passes over the states."""
        dim, itemsize = 2.0 ** min(problem.size, 300), self.dtype.itemsize
        pieces = Counter((k, round(s, 12)) for step in range(problem.steps) for k, s in problem.pieces(step))
        work, passes, vectors = 0.0, 0, 0.0
        for index, operator in enumerate(problem.hamiltonians):
            diagonal, layers = split(operator)
            cost = {-1: (1, 0)} | {i: (len(packs(x, problem.size)), len(x)) for i, x in enumerate(layers)}
            for (_, action), times in (item for item in pieces.items() if item[0][0] == index):
                sequence = formula(self.order, _order_of(diagonal, layers), *self.division(action))
                passes += times * sum(cost[layer][0] for layer, _ in sequence)
                work += times * GATE_SECONDS * sum(cost[layer][1] for layer, _ in sequence)
                vectors += len({action for layer, action in sequence if layer < 0})
        work += passes * PASS_SECONDS
        block = block_length(problem, problem.batch, itemsize) if problem.size <= TILE_SITES or problem.drive else 1
        seconds = PREPARE_SECONDS + work * dim * problem.batch / max(1, problem.threads)
        if problem.size > TILE_SITES:
            seconds += passes * CALL_SECONDS
        return Cost(bytes=((block + 2) * problem.batch + vectors + 1) * dim * itemsize, seconds=seconds)

    def division(self, action: float) -> tuple[float, int]:
        """Return an action's internal step and the number of them; rounding of the grid makes no further step."""
        count = max(1, math.ceil(abs(action) / self.step * (1 - 1e-9)))
        return action / count, count

    def prepare(self, problem: Problem) -> None:
        """Split the Hamiltonians, exponentiate their gates, and compile the kernel."""
        super().prepare(problem)
        # The compiled kernel is called once on one state: compilation, or reading it from disk, belongs here.
        for evolution, operator in zip(self._evolutions, problem.hamiltonians, strict=True):
            state = torch.zeros(1, basis.dimension(operator.size), dtype=self.dtype)
            evolution.evolve(state, np.array([problem.dt]), state.clone()[:, None])

    def evolution(self, hamiltonian: PauliSum) -> GateEvolution:
        """Split the Hamiltonian into gates."""
        return GateEvolution(hamiltonian, self)


class GateEvolution(Evolution):
    """The action of `exp(-i s H)` by gates.

    Args:
        hamiltonian: H.
        solver: gives the formula, the dtype and the problem.
    """

    def __init__(self, hamiltonian: PauliSum, solver: Trotter) -> None:
        self._solver, self._problem = solver, solver.problem
        self._size = hamiltonian.size
        diagonal, layers = split(hamiltonian)
        self._order = _order_of(diagonal, layers)
        self._layers = [packs(layer, hamiltonian.size) for layer in layers]
        self._energies = diagonal.flips[0].real if diagonal.terms else None
        self._programs: dict[str, Program] = {}

    def expect(self, action: float) -> None:
        """Exponentiate the gates of a step."""
        self._program(action)

    def _program(self, action: float) -> Program:
        # Pieces of a drive that are meant to be alike differ by rounding.
        key = f"{action:.10e}"
        if key not in self._programs:
            solver = self._solver
            sequence = formula(solver.order, self._order, *solver.division(action))
            dtype = np.complex64 if solver.precision == "single" else np.complex128
            self._programs[key] = compile_program(self._size, self._energies, self._layers, sequence, dtype)
        return self._programs[key]

    def window(self, batch: int, action: float) -> int:
        """Return a block where a state fits into a tile, and goes through all steps there; else one step."""
        return block_length(self._problem, batch, self._solver.dtype.itemsize) if self._size <= TILE_SITES else 1

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Sweep over the states with all steps at once, or with the steps in turn that share their tiles."""
        program, steps = self._program(float(actions[0])), len(actions)
        arrays = states.numpy(), out.numpy()
        if self._size <= TILE_SITES:
            self._sweep(program, arrays, 0, steps, 0, len(program.pack))
            return
        tilings = program.tiling[program.pack]
        ends = [*(np.flatnonzero(np.diff(tilings)) + 1).tolist(), len(tilings)]
        for column in range(steps):
            for first, last in zip([0, *ends], ends, strict=False):
                self._sweep(program, arrays, column, 1, first, last)

    def _sweep(
        self,
        program: Program,
        arrays: tuple[NDArray[Any], NDArray[Any]],
        column: int,
        repeat: int,
        first: int,
        last: int,
    ) -> None:
        units = len(arrays[0]) * program.bases.shape[1]
        threads = self._problem.threads
        work = functools.partial(sweep, program, *arrays, column, repeat, first, last)
        share(threads if arrays[0].size * repeat * (last - first) >= THREADS_WORK else 1, units, work)


def _order_of(diagonal: PauliSum, layers: Sequence[object]) -> range:
    return range(-1 if diagonal.terms else 0, len(layers))


def formula(order: Literal[2, 4], layers: range, step: float, count: int) -> list[tuple[int, float]]:
    """Return `count` steps of a product formula as pairs `(layer, action)`, neighbours of one layer united."""
    p = 1 / (4 - 4 ** (1 / 3))
    fractions = [1.0] if order == 2 else [p, p, 1 - 4 * p, p, p]
    sequence: list[tuple[int, float]] = []
    for _ in range(count):
        for fraction in fractions:
            for layer in (*layers, *reversed(layers)):
                part = fraction / 2
                if sequence and sequence[-1][0] == layer:
                    part += sequence.pop()[1]
                sequence.append((layer, part))
    return [(layer, step * round(part, 14)) for layer, part in sequence]
