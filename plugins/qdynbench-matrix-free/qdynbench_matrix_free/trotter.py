"""Product formulas: the propagator as a product of exactly exponentiated gates, in place, with no matrix; hbar = 1.

Order 2 is the symmetric formula of Strang, `S2(h) = A(h/2) B(h/2) ... B(h/2) A(h/2)`. Order 4 is Suzuki's,
`S4(h) = S2(p h)^2 S2((1 - 4p) h) S2(p h)^2` with `p = 1 / (4 - 4^(1/3))` (Phys. Lett. A 146, 319 (1990)): five factors
where Forest and Ruth's formula has three, but with an error far smaller than that costs.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Literal

from pauli_kernels import ProductFormula

from qdynbench import Cost, Problem, block_length
from qdynbench.toolkit.stepping import Evolution, SteppingSolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from qdynbench import PauliSum

TILE_SITES = ProductFormula.tile_sites


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
        """Refuse a GPU, and strings on more sites than a tile has."""
        if problem.device != "cpu":
            return "the gates are compiled for the CPU"
        for operator in problem.hamiltonians:
            for term in operator.terms:
                if len(term.sites) > TILE_SITES and set(term.paulis) != {"Z"}:
                    return f"a gate reaches over at most {TILE_SITES} sites, {term.paulis} has {len(term.sites)}"
        return None

    def estimate(self, problem: Problem) -> Cost:
        """Count the vectors that are held, and the gates and passes over the states; no error is promised."""
        dim, itemsize = 2.0 ** min(problem.size, 300), self.dtype.itemsize
        products = [self.product(operator, problem.threads) for operator in problem.hamiltonians]
        pieces = Counter((k, round(s, 12)) for step in range(problem.steps) for k, s in problem.pieces(step))
        operations, phases = 0, 0
        for (index, action), times in pieces.items():
            work = products[index].work(action)
            # A gate of one spin multiplies by two complex numbers; a pass fetches and puts back, and multiplies by one.
            operations += times * (16 * work.gates + 24 * work.passes)
            phases += work.phases
        block = block_length(problem, problem.batch, itemsize) if problem.size <= TILE_SITES or problem.drive else 1
        vectors = (block + 2) * problem.batch + phases + 1
        return Cost(vectors * dim * itemsize, float(operations) * dim * problem.batch)

    def division(self, action: float) -> tuple[float, int]:
        """Return an action's internal step and the number of them; rounding of the grid makes no further step."""
        count = max(1, math.ceil(abs(action) / self.step * (1 - 1e-9)))
        return action / count, count

    def product(self, hamiltonian: PauliSum, threads: int) -> ProductFormula:
        """Split the Hamiltonian into layers of gates that commute."""
        return ProductFormula(hamiltonian.size, hamiltonian.terms, self._factors, self.dtype, threads)

    def _factors(self, layers: Sequence[int], action: float) -> list[tuple[int, float]]:
        return formula(self.order, layers, *self.division(action))

    def evolution(self, hamiltonian: PauliSum) -> GateEvolution:
        """Split the Hamiltonian into gates."""
        return GateEvolution(self.product(hamiltonian, self.problem.threads), self)


class GateEvolution(Evolution):
    """The action of `exp(-i s H)` by gates.

    Args:
        product: the formula on the gates of H.
        solver: gives the dtype and the problem.
    """

    def __init__(self, product: ProductFormula, solver: Trotter) -> None:
        self._product, self._solver = product, solver

    def expect(self, action: float) -> None:
        """Exponentiate the gates of a step."""
        self._product.prepare(action)

    def stretch(self, batch: int, action: float) -> int:
        """Return the length of a block where a state fits into a tile, and goes through all steps there; else 1."""
        fits = self._product.size <= TILE_SITES
        return block_length(self._solver.problem, batch, self._solver.dtype.itemsize) if fits else 1

    def evolve(self, states: torch.Tensor, actions: NDArray[np.float64], out: torch.Tensor) -> None:
        """Take the steps one after the other."""
        self._product.evolve(states, float(actions[0]), out)


def formula(order: Literal[2, 4], layers: Sequence[int], step: float, count: int) -> list[tuple[int, float]]:
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
