"""What travels between the main process and its workers: one type for each request, and one for its answer.

A request names its answer, so that a type checker follows `worker.ask(Prepare(problem)).prepare_time`. While it works
on some requests a solver's process sends events before its answer, those that the request allows and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.initial import Initial
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Cost
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum
from qdynbench.record.schema import Score

Vectors = NDArray[np.complex128]
States = dict[str, Vectors]
"""Initial states as `qdynbench.contract.initial.Initial.arrays` gives them."""


class Message(msgspec.Struct, frozen=True, tag=True):
    """Anything that travels; arrays among its fields travel beside it as they are."""


class Event(Message, frozen=True):
    """What a solver's process says before its answer."""


Answer = TypeVar("Answer", bound=Message)


class Request(Message, Generic[Answer], frozen=True):
    """What the main process asks for.

    Class attributes:
        answer: the type of the answer.
        doing: what the worker is doing, for messages.
        events: what may come before the answer.
    """

    answer: ClassVar[type[Message]]
    doing: ClassVar[str]
    events: ClassVar[tuple[type[Event], ...]] = ()


class Done(Message, frozen=True):
    """The answer to a request that only has to be carried out."""


class Failed(Message, frozen=True):
    """The answer to a request that raised an exception.

    Attributes:
        status: of the cell, or "input" for wrong parameters.
        reason: one line for the report.
        details: the traceback.
    """

    status: str
    reason: str
    details: str


# Events


class Piece(Event, frozen=True):
    """Some times of a trajectory: states `(B, k, 2**N)` as "states", and observables by name.

    Attributes:
        start: index into the time grid of the first.
        arrays: what the solver yielded.
    """

    start: int
    arrays: dict[str, NDArray[np.generic]]


class Need(Event, frozen=True):
    """A fit needs training trajectories `start` to `stop` of one size; `Trajectories` come back."""

    size: int
    start: int
    stop: int


class Progress(Event, frozen=True):
    """A fit has come so far: a fraction between 0 and 1, with named values such as the loss."""

    fraction: float
    values: dict[str, float]


class Note(Event, frozen=True):
    """A fit has something to say."""

    text: str


# Parts of messages


class Posed(msgspec.Struct, frozen=True):
    """A problem as it travels, see `qdynbench.contract.problem.Problem`."""

    size: int
    times: NDArray[np.float64]
    hamiltonian: dict[str, Any] | None
    drive: dict[str, Any] | None
    parameters: dict[str, Any] | None
    batch: int
    device: str
    threads: int
    entangled: bool

    @classmethod
    def of(cls, problem: Problem) -> Posed:
        """Write a problem, with the Hamiltonian or drive that it has."""
        dynamics, parameters = problem.dynamics, problem.parameters
        return cls(
            problem.size,
            problem.times,
            dynamics.to_json() if isinstance(dynamics, PauliSum) else None,
            dynamics.to_json() if isinstance(dynamics, Drive) else None,
            None if parameters is None else dict(parameters),
            problem.batch,
            problem.device,
            problem.threads,
            problem.entangled,
        )

    def problem(self) -> Problem:
        """Read the problem back."""
        dynamics: PauliSum | Drive | None = None
        if self.hamiltonian is not None:
            dynamics = PauliSum.from_json(self.hamiltonian)
        elif self.drive is not None:
            dynamics = Drive.from_json(self.drive)
        return Problem(
            self.size, self.times, dynamics, self.parameters, self.batch, self.device, self.threads, self.entangled
        )


class Prediction(msgspec.Struct, frozen=True):
    """A predicted cost, see `qdynbench.contract.solver.Cost`."""

    bytes: float
    operations: float

    @classmethod
    def of(cls, cost: Cost | None) -> Prediction | None:
        """Write a cost, if there is one."""
        return None if cost is None else cls(float(cost.bytes), float(cost.operations))


class Where(msgspec.Struct, frozen=True):
    """A case."""

    size: int
    seed: int


class Setting(msgspec.Struct, frozen=True):
    """What a worker works with.

    Attributes:
        files: single-file plugins.
        threads: CPU threads.
        device: "cpu" or "cuda".
        memory: limit of resident bytes.
    """

    files: list[str]
    threads: int
    device: str
    memory: float


# To a solver's process


class Loaded(Message, frozen=True):
    """What a solver says of itself once it is built.

    Attributes:
        knowledge: see `Solver`.
        learned: whether it has to be fitted first.
        label, accuracy, protocol: see `Solver`.
        shipped: folders of weights that came with it.
        foundation: weights that its fit starts from, see `qdynbench.record.manifest.foundation_of`; None from scratch.
    """

    knowledge: str
    learned: bool
    label: str
    accuracy: list[str]
    protocol: list[str]
    shipped: list[str]
    foundation: dict[str, Any] | None


class Load(Request[Loaded], frozen=True):
    """Import a solver's class and build it, from `name[key=value]`."""

    answer = Loaded
    doing = "loading"
    solver: str
    setting: Setting


class Examined(Message, frozen=True):
    """Why a solver does not take a problem, or None, and what it predicts for one that it takes."""

    refusal: str | None
    cost: Prediction | None


class Examine(Request[Examined], frozen=True):
    """Say whether the solver takes a problem and what it predicts."""

    answer = Examined
    doing = "examine"
    problem: Posed


class Fitted(Message, frozen=True):
    """Seconds of a fit, without those that it waited for data."""

    seconds: float


class Fit(Request[Fitted], frozen=True):
    """Fit the solver on data that is asked for by `Need`, and save what it learned.

    Attributes:
        sizes: numbers of spins.
        times: grid of the training trajectories, shape `(T+1,)`.
        count: trajectories per size.
        seed: for everything random in the fit.
        folder: for checkpoints.
        save_to: an empty folder for what was learned.
    """

    answer = Fitted
    doing = "fit"
    events = (Need, Progress, Note)
    sizes: list[int]
    times: NDArray[np.float64]
    count: int
    seed: int
    folder: str
    save_to: str


class Restore(Request[Done], frozen=True):
    """Load what an earlier fit saved."""

    answer = Done
    doing = "restore"
    folder: str


class Prepared(Message, frozen=True):
    """Seconds of `prepare`, and of one before it that imports and compiles, in a process that had prepared nothing."""

    start_up_time: float | None
    prepare_time: float


class Prepare(Request[Prepared], frozen=True):
    """Prepare a problem from scratch."""

    answer = Prepared
    doing = "prepare"
    problem: Posed


class Called(Message, frozen=True):
    """Seconds of one call."""

    seconds: float


class Call(Request[Called], frozen=True):
    """Solve once and drop the result: states that are neither scored nor timed again."""

    answer = Called
    doing = "call"
    states: States


class Solved(Message, frozen=True):
    """What came of a solve beside its blocks.

    Attributes:
        notes: what the solver had to say.
        precision: "double" or "single", of the states that it yielded; empty where it yielded observables.
    """

    notes: list[str]
    precision: str


class Solve(Request[Solved], frozen=True):
    """Solve, and send every block to be scored."""

    answer = Solved
    doing = "solve"
    events = (Piece,)
    states: States


class Returned(Message, frozen=True):
    """Where an echo has ended, states `(n, 2**N)`, or why it cannot go back; neither where there are observables."""

    states: Vectors | None
    refusal: str | None


class LeadBack(Request[Returned], frozen=True):
    """Lead states over the grid of the problem that is prepared, and back by another."""

    answer = Returned
    doing = "echo"
    states: States
    problem: Posed


class Stage(Request[Done], frozen=True):
    """Keep the states of the timed calls of one batch size on the device: `sets` sets, one after the other."""

    answer = Done
    doing = "stage"
    states: States
    sets: int


class Timed(Message, frozen=True):
    """Seconds of one call of a round, and of the rest before it."""

    seconds: float
    settled: float


class TimeRound(Request[Timed], frozen=True):
    """Let the machine settle and time some calls.

    Attributes:
        batch: states of a call.
        number: of the round.
        calls: in the round.
        settle: seconds of rest before.
    """

    answer = Timed
    doing = "time"
    batch: int
    number: int
    calls: int
    settle: float


class Peak(Message, frozen=True):
    """Largest memory since `Prepare` on host and device, and what was held before the first problem, in bytes."""

    host: int
    device: int | None
    rest: int


class PeakMemory(Request[Peak], frozen=True):
    """Say how much memory it took."""

    answer = Peak
    doing = "peak"


# To the scorer's process


class EnsembleTraits(Message, frozen=True):
    """Whether the ensemble holds a single state."""

    single: bool


class LoadTask(Request[EnsembleTraits], frozen=True):
    """Take a task as JSON."""

    answer = EnsembleTraits
    doing = "loading"
    task: str
    setting: Setting


class Opened(Message, frozen=True):
    """What the accuracy of a case can be measured against.

    Attributes:
        refusal: why there is no reference, or None.
        cost: that the reference predicts.
        method: second method that certifies it; empty where it is not certified.
        uncertified: why it is not, else empty.
        excess: why not even the initial states of one call can be drawn, or None.
    """

    refusal: str | None
    cost: Prediction | None
    method: str
    uncertified: str
    excess: str | None


class OpenCase(Request[Opened], frozen=True):
    """Say what the reference of a case costs and how it is certified, or why there is none."""

    answer = Opened
    doing = "open"
    case: Where
    batch: int


class Drawn(Message, frozen=True):
    """Initial states."""

    states: States


class DrawStates(Request[Drawn], frozen=True):
    """Draw the states `start` to `stop` of one purpose, see `qdynbench.task.case.Purpose`."""

    answer = Drawn
    doing = "states"
    case: Where
    purpose: int
    start: int
    stop: int


class Trajectories(Message, frozen=True):
    """Training trajectories `(B, T+1, 2**N)`, and the seconds that the reference has taken for them."""

    seconds: float
    states: Vectors


class MakeTrajectories(Request[Trajectories], frozen=True):
    """Make training trajectories."""

    answer = Trajectories
    doing = "trajectories"
    need: Need


class BeginPortion(Request[Drawn], frozen=True):
    """Begin to score the test states `start` to `stop` of a case, and return them; `start` 0 begins a new cell.

    Attributes:
        referenced: whether there is a reference; without one only metrics that need none have a value.
    """

    answer = Drawn
    doing = "begin"
    case: Where
    start: int
    stop: int
    referenced: bool


class ScorePiece(Request[Done], frozen=True):
    """Score some times of a prediction."""

    answer = Done
    doing = "block"
    piece: Piece


class Scored(Message, frozen=True):
    """The scores of a cell, the metrics that it has no value of, and what the reference had to say."""

    scores: list[Score]
    left_out: list[str]
    reference_notes: list[str]


class FinishCell(Request[Scored], frozen=True):
    """Return the scores of the cell and write its curves to a new file."""

    answer = Scored
    doing = "finish"
    curves: str


class EchoScored(Message, frozen=True):
    """The score of an echo."""

    score: Score


class ScoreEcho(Request[EchoScored], frozen=True):
    """Score states that came back, and add the values to the curves of the cell."""

    answer = EchoScored
    doing = "echo"
    case: Where
    returned: Vectors
    curves: str


SolverRequest = Load | Examine | Fit | Restore | Prepare | Call | Solve | LeadBack | Stage | TimeRound | PeakMemory
ScorerRequest = LoadTask | OpenCase | DrawStates | MakeTrajectories | BeginPortion | ScorePiece | FinishCell | ScoreEcho


def initial(states: Mapping[str, Vectors], memory: float) -> Initial:
    """Read initial states back."""
    return Initial(**states, memory=memory)
