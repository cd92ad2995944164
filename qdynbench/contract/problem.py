"""What a solver is told: one size and time grid, as far as its knowledge goes."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qdynbench.errors import Unsupported
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_POWER = 300
"""Spins up to which `Problem.amplitudes` counts: a float ends near `2**1024`, and costs multiply the number further."""


class Knowledge(enum.Enum):
    """What a solver may see of the model. The core withholds the rest: a blind solver's process never holds it."""

    HAMILTONIAN = "hamiltonian"
    PARAMETERS = "parameters"
    TRAJECTORIES = "trajectories"


@dataclass(frozen=True)
class Problem:
    """One size and time grid, as far as the solver's knowledge goes.

    Attributes:
        size: number of spins N.
        times: time grid, shape `(T+1,)`, equally spaced, `times[0] == 0`; hbar = 1.
        dynamics: what evolves the states, for `Knowledge.HAMILTONIAN` alone: one Hamiltonian, or the Hamiltonians of a
            driven model in turn. None for a blind solver.
        parameters: the model's numbers such as g and h, for `HAMILTONIAN` and `PARAMETERS`.
        batch: the largest number of states that one `solve` will be given.
        device: "cpu" or "cuda".
        threads: number of CPU threads the solver may use.
        entangled: whether initial states may be other than product states.
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

        A solver that reads it evolves under one Hamiltonian: under a driven model its cell ends as `unsupported`.

        Raises:
            Unsupported: the model is driven; `hamiltonians` and `pieces` tell how.
            TypeError: the solver is blind.
        """
        if isinstance(self.dynamics, Drive):
            raise Unsupported("the model is driven, and this solver evolves under one Hamiltonian")
        if self.dynamics is None:
            raise TypeError("a blind solver has no Hamiltonian")
        return self.dynamics

    @property
    def drive(self) -> Drive | None:
        """The drive of a driven model, else None."""
        return self.dynamics if isinstance(self.dynamics, Drive) else None

    @property
    def hamiltonians(self) -> tuple[PauliSum, ...]:
        """The operators that `pieces` refers to: one, unless the model is driven; none for a blind solver."""
        if isinstance(self.dynamics, Drive):
            return tuple(segment.hamiltonian for segment in self.dynamics.segments)
        return () if self.dynamics is None else (self.dynamics,)

    def pieces(self, step: int) -> tuple[tuple[int, float], ...]:
        """Return what leads from `times[step]` to `times[step + 1]`: pairs `(k, s)`, in order of action.

        Each pair multiplies the state by `exp(-i s hamiltonians[k])`; a static model has the one pair `(0, dt)`.
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
        """Number of basis states as a float, for predictions of cost; not above `2**300`, which no memory holds."""
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
        """Return the way back over the same grid, from the last state to the first: -H, or the drive in reverse."""
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
