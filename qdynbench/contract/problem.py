"""The problem that a solver is given: one size and time grid, restricted to what it may know."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdynbench.errors import Unsupported
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum

LARGEST_POWER = 300
"""Upper limit of the exponent in `Problem.amplitudes`, so that its products stay below the largest float `2**1024`."""


class Knowledge(enum.Enum):
    """What a solver may know of the model. The core withholds the rest, so that the solver's process never holds it."""

    HAMILTONIAN = "hamiltonian"
    PARAMETERS = "parameters"
    TRAJECTORIES = "trajectories"


@dataclass(frozen=True)
class Problem:
    """One size and time grid, restricted to what the solver may know.

    Attributes:
        size: number of spins N.
        times: time grid, shape `(T+1,)`, equally spaced, `times[0] == 0`; hbar = 1.
        dynamics: the Hamiltonian, or the drive of a driven model, only for `Knowledge.HAMILTONIAN`; None for a blind
            solver.
        parameters: the numbers of the model such as g and h, for `HAMILTONIAN` and `PARAMETERS`.
        batch: the largest number of states in one call of `solve`.
        device: "cpu" or "cuda".
        threads: number of CPU threads the solver may use.
        entangled: whether there may be initial states that are no product states.
    """

    size: int
    times: NDArray[np.float64]
    dynamics: PauliSum | Drive | None = None
    parameters: Mapping[str, Any] | None = None
    batch: int = 1
    device: str = "cpu"
    threads: int = 1
    entangled: bool = False

    @property
    def hamiltonian(self) -> PauliSum:
        """The Hamiltonian of a static model.

        A solver that reads it supports only static models: for a driven model its cell ends as `unsupported`.

        Raises:
            Unsupported: the model is driven, see `hamiltonians` and `pieces`.
            TypeError: the solver is blind.
        """
        if isinstance(self.dynamics, Drive):
            raise Unsupported("the model is driven, and this solver evolves under one Hamiltonian")
        if self.dynamics is None:
            raise TypeError("its `knowledge` keeps the Hamiltonian from it: only Knowledge.HAMILTONIAN is given one")
        return self.dynamics

    @property
    def drive(self) -> Drive | None:
        """The drive of a driven model, or None."""
        return self.dynamics if isinstance(self.dynamics, Drive) else None

    @property
    def hamiltonians(self) -> tuple[PauliSum, ...]:
        """The operators that `pieces` refers to: one for a static model, none for a blind solver."""
        if isinstance(self.dynamics, Drive):
            return tuple(segment.hamiltonian for segment in self.dynamics.segments)
        return () if self.dynamics is None else (self.dynamics,)

    def pieces(self, step: int) -> tuple[tuple[int, float], ...]:
        """Return what acts between `times[step]` and `times[step + 1]` as pairs `(k, s)`, in order of action.

        Each pair multiplies the state by `exp(-i s hamiltonians[k])`. A static model has the single pair `(0, dt)`.
        """
        if isinstance(self.dynamics, Drive):
            return self.dynamics.pieces(float(self.times[step]), float(self.times[step + 1]))
        return ((0, self.dt),)

    @property
    def dimension(self) -> int:
        """Number of basis states, `2**size`."""
        return 1 << self.size

    @property
    def amplitudes(self) -> float:
        """Number of basis states as a float, for predictions of cost; at most `2**300`, which no memory holds."""
        return 2.0 ** min(self.size, LARGEST_POWER)

    @property
    def steps(self) -> int:
        """Number of time steps T."""
        return len(self.times) - 1

    @property
    def dt(self) -> float:
        """Time between neighbouring grid points."""
        return float(self.times[1] - self.times[0])

    def backward(self) -> Problem:
        """Return the problem of evolving backward over the same grid: under -H, or under the reversed drive."""
        if isinstance(self.dynamics, Drive):
            back: PauliSum | Drive | None = self.dynamics.backward(float(self.times[-1]))
        else:
            back = None if self.dynamics is None else -self.dynamics
        return dataclasses.replace(self, dynamics=back, entangled=True)

    def blinded(self, knowledge: Knowledge) -> Problem:
        """Return the problem without what `knowledge` does not cover."""
        if knowledge is Knowledge.HAMILTONIAN:
            return self
        parameters = self.parameters if knowledge is Knowledge.PARAMETERS else None
        return dataclasses.replace(self, dynamics=None, parameters=parameters)
