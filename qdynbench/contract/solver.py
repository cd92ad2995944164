"""The contract of a solver: what it is told, what it must do, what it gives back.

A solver is one class. Its annotated fields are its parameters, so `ed[mode=per_state]` sets the field `mode`:

    class Persistence(Solver):
        knowledge = Knowledge.TRAJECTORIES

        def solve(self, initial):
            yield Block(0, initial.states[:, None].expand(-1, self.problem.steps + 1, -1))

The core calls `supports`, then `fit` or `load` (learned solvers), `prepare` once per size and time grid, and `solve`
for every batch of initial states; the last four are timed, each by its own clock.
"""

from __future__ import annotations

import dataclasses
import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, dataclass_transform

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from qdynbench.physics.drive import Drive
    from qdynbench.physics.operators import PauliSum


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
        hamiltonian: the operator, for `Knowledge.HAMILTONIAN` alone; None where the model is driven.
        drive: the Hamiltonians in turn of a driven model, for `Knowledge.HAMILTONIAN` alone.
        entangled: whether initial states may be other than product states.
        parameters: the model's numbers such as g and h, for `HAMILTONIAN` and `PARAMETERS`.
        batch: the largest number of states that one `solve` will be given.
        device: "cpu" or "cuda".
        threads: number of CPU threads the solver may use.
    """

    size: int
    times: NDArray[np.float64]
    hamiltonian: PauliSum | None = None
    parameters: Mapping[str, Any] | None = None
    batch: int = 1
    device: str = "cpu"
    threads: int = 1
    drive: Drive | None = None
    entangled: bool = False

    @property
    def hamiltonians(self) -> tuple[PauliSum, ...]:
        """The operators that `pieces` refers to: one, unless the model is driven; none for a blind solver."""
        if self.drive is not None:
            return tuple(segment.hamiltonian for segment in self.drive.segments)
        return () if self.hamiltonian is None else (self.hamiltonian,)

    def pieces(self, step: int) -> tuple[tuple[int, float], ...]:
        """Return what leads from `times[step]` to `times[step + 1]`: pairs `(k, s)`, in order of action.

        Each pair multiplies the state by `exp(-i s hamiltonians[k])`; a static model has the one pair `(0, dt)`.
        """
        if self.drive is None:
            return ((0, self.dt),)
        return self.drive.pieces(float(self.times[step]), float(self.times[step + 1]))

    @property
    def dimension(self) -> int:
        """Number of basis states, `2**size`."""
        return 1 << self.size

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
        return dataclasses.replace(
            self,
            hamiltonian=None if self.hamiltonian is None else -self.hamiltonian,
            drive=None if self.drive is None else self.drive.backward(float(self.times[-1])),
            entangled=True,
        )

    def blinded(self, knowledge: Knowledge) -> Problem:
        """Return the problem without what `knowledge` does not cover."""
        if knowledge is Knowledge.HAMILTONIAN:
            return self
        parameters = self.parameters if knowledge is Knowledge.PARAMETERS else None
        return dataclasses.replace(self, hamiltonian=None, drive=None, parameters=parameters)


@dataclass(frozen=True)
class Initial:
    """A batch of initial states on the problem's device; `len` is their number B. Do not write to them.

    Attributes:
        vectors: as in `states`; None where a solver that can do without is given product states.
        spinors: complex128, shape `(B, N, 2)`, where the ensemble is one of product states, else None.
    """

    vectors: torch.Tensor | None = None
    spinors: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.vectors is None and self.spinors is None:
            raise ValueError("initial states are vectors, spinors or both")

    def __len__(self) -> int:
        given = self.spinors if self.vectors is None else self.vectors
        return 0 if given is None else len(given)

    @property
    def states(self) -> torch.Tensor:
        """The state vectors, complex128, shape `(B, 2**N)`, normalised.

        Raises:
            TypeError: there are spinors alone, since the solver has said that it needs no more.
        """
        if self.vectors is None:
            raise TypeError("these initial states are spinors alone: Solver.needs_states has said that they suffice")
        return self.vectors


@dataclass(frozen=True)
class Block:
    """Some consecutive times of a trajectory. It is only valid until the next block is asked for.

    Attributes:
        start: index into `times` of the first column.
        states: shape `(B, k, 2**N)`, or None for a solver without a state vector. Any DLPack array is accepted.
        observables: named expectation values where there are no states: "x", "y" and "z" of shape `(B, k, N)`,
            "energy", "energy_variance", "norm", "entropy" and "truncation" (weight discarded so far) of shape `(B, k)`.
            "truncation" may also stand beside states.
    """

    start: int
    states: torch.Tensor | None = None
    observables: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a solver predicts for `prepare` and one `solve` of `problem.batch` states."""

    bytes: float
    seconds: float


class TrainingData(Protocol):
    """Trajectories that the task allows a learned solver to see, made on the fly by the reference."""

    @property
    def sizes(self) -> Sequence[int]:
        """Numbers of spins that trajectories exist for."""

    @property
    def times(self) -> NDArray[np.float64]:
        """Time grid of the training trajectories, shape `(T+1,)`."""

    @property
    def count(self) -> int:
        """Trajectories per size."""

    def trajectories(self, size: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Return trajectories `start` to `stop` of one size: complex128, shape `(stop - start, T+1, 2**size)`."""


class FitContext(Protocol):
    """What the core offers to `fit` beside the data."""

    @property
    def folder(self) -> Path:
        """Folder that outlives an interrupted fit: keep checkpoints here and resume from them."""

    @property
    def seed(self) -> int:
        """Seed for everything random in the fit."""

    @property
    def device(self) -> str:
        """Device to train on, "cpu" or "cuda"."""

    def progress(self, fraction: float, **figures: float) -> None:
        """Show how far the fit is, 0 to 1, with named figures such as `loss`; they are kept as the learning curve."""

    def note(self, text: str) -> None:
        """Say one thing that whoever reads the result has to know; it is shown and stands in the manifest."""


@dataclass_transform(kw_only_default=True)
class Solver(ABC):
    """Propagates initial states over a time grid. Subclasses become dataclasses; annotated fields are parameters."""

    knowledge: ClassVar[Knowledge]
    learned: ClassVar[bool] = False
    """Whether `fit` must run first."""
    driven: ClassVar[bool] = False
    """Whether a solver with `Knowledge.HAMILTONIAN` follows `Problem.pieces`; else driven models are `unsupported`."""

    problem: Problem
    """What is to be solved, as far as `knowledge` goes; set by the core before `prepare`."""

    notes: list[str]
    """What whoever reads the result has to know of a solve, such as "bond dimension reached its limit 64 at step 37":
    append to it in `solve`. The core empties it before every call; what the scored calls say stands in the row."""

    def __new__(cls, *_arguments: Any, **_parameters: Any) -> Self:
        """Begin without notes, also where a solver is built by hand."""
        solver = super().__new__(cls)
        solver.notes = []
        return solver

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(kw_only=True, eq=False)(cls)

    def __setattr__(self, name: str, value: object) -> None:
        # Results stand under the parameters in the solver's name, so these must not change; all else may.
        if name in self.__dict__ and name in {field.name for field in dataclasses.fields(self)}:  # type: ignore[arg-type]
            raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} is a parameter and cannot change")
        super().__setattr__(name, value)

    @property
    def label(self) -> str:
        """A few words shown wherever the solver is compared: an assumption or a protocol that the reader must know."""
        return ""

    def promised_error(self) -> float | None:
        """Return the 2-norm error of a state that the solver promises on any grid (`check` holds it to that)."""
        return None

    def supports(self, problem: Problem) -> str | None:
        """Say why this problem cannot be solved, or None when it can. Ends as status `unsupported`."""
        return None

    def needs_states(self, problem: Problem) -> bool:
        """Say whether `solve` reads `initial.states`. Where not, product states are given as `initial.spinors` alone.

        No vector of `2**N` amplitudes is then made, so that chains can be solved that have none.
        """
        return True

    def estimate(self, problem: Problem) -> Cost | None:
        """Predict the cost, or None when unknown. Beyond the task's limits the cell ends as `infeasible`."""
        return None

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Learn from trajectories (learned solvers only)."""
        raise TypeError(f"{type(self).__name__} is declared as learned but has no fit method")

    def save(self, folder: Path) -> None:
        """Write what `fit` learned to an empty folder (safetensors, npz or JSON, never pickle)."""
        raise TypeError(f"{type(self).__name__} is declared as learned but has no save method")

    def load(self, folder: Path) -> None:
        """Read what `save` wrote."""
        raise TypeError(f"{type(self).__name__} is declared as learned but has no load method")

    def shipped(self) -> Path | Sequence[Path] | None:
        """Return a folder of weights that came with the package, made by `save`, or several, or None.

        The core uses the first one whose `manifest.json` describes the very training that the task asks for.
        """
        return None

    def starts_from(self) -> Path | None:
        """Return a folder of finished weights that `fit` goes on from, or None.

        The core adds what these had cost, as their `manifest.json` says, to the cost of the fit; without a manifest the
        solver is refused.
        """
        return None

    def prepare(self, problem: Problem) -> None:
        """Do once, for a size and time grid, all that does not depend on the initial states."""
        return

    @abstractmethod
    def solve(self, initial: Initial) -> Iterator[Block]:
        """Yield the trajectories of all states in `initial`, blocks in time order from index 0 to T."""


def block_length(problem: Problem, batch: int, bytes_per_amplitude: int = 16, budget: float = 32e6) -> int:
    """Return how many times fit in one block of about `budget` bytes, at least 1 and at most all of them."""
    per_time = batch * 2.0 ** min(problem.size, 900) * bytes_per_amplitude  # a float ends near 2**1024
    return int(max(1, min(problem.steps + 1, budget // per_time)))
