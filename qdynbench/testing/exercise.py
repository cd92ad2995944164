"""What the checks pose: small chains, asymmetric product states, exact training data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from qdynbench.contract.initial import Initial
from qdynbench.contract.problem import Problem
from qdynbench.physics.operators import PauliSum
from qdynbench.testing import independent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from qdynbench.physics.drive import Drive

Chain = Callable[[int], PauliSum]

LARGEST = 4e9
"""Bytes that the state vectors of an exercise may take."""


def graded_chain(size: int) -> PauliSum:
    """Return an open mixed-field Ising chain whose couplings all differ: no reflection, no other symmetry."""
    bonds = [(1.0 + 0.13 * i, "ZZ", (i, i + 1)) for i in range(size - 1)]
    fields = [term for i in range(size) for term in ((-1.05 + 0.21 * i, "X", (i,)), (0.5 - 0.17 * i, "Z", (i,)))]
    return PauliSum.from_terms(size, [*bonds, *fields])


def uniform_chain(size: int) -> PauliSum:
    """Return the open mixed-field Ising chain J = 1, g = -1.05, h = 0.5 of Zhang et al., CPL 37, 018401 (2020)."""
    bonds = [(1.0, "ZZ", (i, i + 1)) for i in range(size - 1)]
    fields = [term for i in range(size) for term in ((-1.05, "X", (i,)), (0.5, "Z", (i,)))]
    return PauliSum.from_terms(size, [*bonds, *fields])


def random_strings(size: int, count: int, seed: int, *, letters: str = "XYZ", longest: int | None = None) -> PauliSum:
    """Return `count` random Pauli strings, each of its own weight, on one to `longest` (all) sites in any order."""
    random = np.random.default_rng(seed)
    terms = []
    for length in random.integers(1, min(size, longest or size) + 1, count):
        sites = random.permutation(size)[:length]
        terms.append((float(random.normal()), "".join(random.choice(list(letters), length)), sites.tolist()))
    return PauliSum.from_terms(size, terms)


UNIFORM_PARAMETERS = {"J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"}


def product_initial(size: int, count: int, seed: int) -> Initial:
    """Return `count` random product states (each spin Haar-random): no two sites alike."""
    random = np.random.default_rng(seed)
    spinors = random.standard_normal((count, size, 2)) + 1j * random.standard_normal((count, size, 2))
    return initial_of(spinors / np.linalg.norm(spinors, axis=-1, keepdims=True))


def random_states(size: int, count: int, seed: int) -> torch.Tensor:
    """Return `count` normalised states with Gaussian amplitudes, complex128, `(count, 2**size)`: no products."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(count, 1 << size, dtype=torch.complex128, generator=generator)
    return torch.nn.functional.normalize(states)


def initial_of(spinors: NDArray[np.complex128]) -> Initial:
    """Return the product states of spinors `(B, N, 2)`."""
    states = torch.from_numpy(independent.product_states(spinors))
    return Initial(states, torch.from_numpy(np.ascontiguousarray(spinors)))


@dataclass(frozen=True)
class Exercise:
    """One thing to solve.

    Attributes:
        problem: with the Hamiltonian or drive, whatever the solver may see of it.
        initial: states; of a long chain spinors alone.
    """

    problem: Problem
    initial: Initial

    @classmethod
    def pose(
        cls,
        operator: PauliSum | Drive,
        times: NDArray[np.float64],
        initial: Initial,
        parameters: Mapping[str, Any] | None = None,
    ) -> Exercise:
        """Pose the evolution of `initial` under a Hamiltonian or a drive."""
        problem = Problem(
            operator.size,
            times,
            operator,
            parameters or {},
            batch=len(initial),
            threads=torch.get_num_threads(),
            entangled=initial.spinors is None,
        )
        return cls(problem, initial)

    @property
    def hamiltonian(self) -> PauliSum:
        """The Hamiltonian."""
        return self.problem.hamiltonian

    def some(self, chosen: Sequence[int]) -> Exercise:
        """Return the same with some of the states."""
        return Exercise(self.problem, self._each(lambda tensor: tensor[list(chosen)]))

    def fresh(self) -> Initial:
        """Return a copy of the initial states, for a solver that may not keep its hands off them."""
        return self._each(torch.Tensor.clone)

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Initial:
        states = change(self.initial.states) if self.initial.vectors_exist else None
        return Initial(states, None if self.initial.spinors is None else change(self.initial.spinors), memory=LARGEST)

    def exact(self) -> torch.Tensor:
        """Return the trajectory by scipy's `expm`, complex128, shape `(B, T+1, 2**N)`."""
        return torch.from_numpy(independent.evolve(self.hamiltonian, self.initial.states.numpy(), self.problem.times))


@dataclass(frozen=True)
class ExactTrajectories:
    """Training data (`qdynbench.TrainingData`) from random product states, evolved by scipy's `expm`.

    Attributes:
        chain: gives the Hamiltonian of a size.
        sizes: numbers of spins.
        times: time grid, shape `(T+1,)`.
        count: trajectories per size.
        seed: of the initial states.
    """

    chain: Chain
    sizes: Sequence[int]
    times: NDArray[np.float64]
    count: int
    seed: int = 0
    _known: dict[int, torch.Tensor] = field(default_factory=dict)

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop`, complex128, shape `(stop - start, T+1, 2**size)`.

        Raises:
            ValueError: a size or a range that the data does not have.
        """
        stop = self.count if stop is None else stop
        if size not in self.sizes:
            raise ValueError(f"the training data has sizes {list(self.sizes)}, not {size}")
        if not 0 <= start < stop <= self.count:
            raise ValueError(f"trajectories {start} to {stop} are not within the {self.count} of the training data")
        if size not in self._known:
            initial = product_initial(size, self.count, seed=self.seed + size)
            self._known[size] = Exercise.pose(self.chain(size), self.times, initial).exact()
        return self._known[size][start:stop].clone()


@dataclass(frozen=True)
class FitRecorder:
    """A `qdynbench.FitContext` that keeps what the fit reports."""

    folder: Path
    seed: int = 0
    device: str = "cpu"
    fractions: list[float] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def progress(self, fraction: float, **figures: float) -> None:
        """Keep the fraction and the figures; every figure has to be a number."""
        self.curve.append({name: float(value) for name, value in figures.items()})
        self.fractions.append(float(fraction))

    def note(self, text: str) -> None:
        """Keep what the fit has to say."""
        self.notes.append(str(text))


def reflected(hamiltonian: PauliSum) -> PauliSum:
    """Return the Hamiltonian with the sites counted from the other end."""
    last = hamiltonian.size - 1
    terms = [(term.coefficient, term.paulis, [last - site for site in term.sites]) for term in hamiltonian.terms]
    return PauliSum.from_terms(hamiltonian.size, terms)


@functools.cache
def bit_reversal(size: int) -> torch.Tensor:
    """Return the permutation of the basis that counts sites from the other end, shape `(2**size,)`."""
    return torch.tensor([int(f"{index:0{size}b}"[::-1], 2) for index in range(1 << size)])
