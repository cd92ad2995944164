"""The messages between the main process and its workers: one type for each request, and one for its answer.

A request names its answer, so that a type checker follows `worker.ask(Prepare(problem)).prepare_time`. During some
requests the worker sends events before its answer: only those that the request allows.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.problem import Knowledge, Problem
from qdynbench.contract.solver import Cost
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum
from qdynbench.record.schema import MOST_NOTES, Score
from qdynbench.task.case import Case, Purpose
from qdynbench.text import legible

Vectors = NDArray[np.complex128]
States = dict[str, Vectors]
"""Initial states as `qdynbench.contract.initial.Initial.arrays` gives them."""
Json = dict[str, Any]
"""A JSON object."""
# A solver's process may send anything, so that what it says is bounded here, and nobody who uses it has to ask again.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Reading = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
"""Seconds in which a solver may have patched the clock, so that it runs backwards; the race says so of it."""
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Names = Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)]
Notes = Annotated[list["Line"], msgspec.Meta(max_length=MOST_NOTES)]


class Line(str):
    """A text of a plugin, such as the message of an exception: cleaned and capped where it is made and where it comes.

    A field of this type holds nothing that a terminal obeys or a record cannot take, whatever the other side has sent.
    """

    __slots__ = ()
    longest = 1000

    def __new__(cls, text: str) -> Self:
        """Clean a text."""
        return super().__new__(cls, legible(str.__str__(text), cls.longest))


class Trace(Line):
    """A traceback, or the end of a log."""

    __slots__ = ()
    longest = 20_000


class Message(msgspec.Struct, frozen=True, tag=True):
    """A message; arrays among its fields are sent after it without conversion."""


class Event(Message, frozen=True):
    """A message that a solver's process sends before its answer."""


Answer = TypeVar("Answer", bound=Message)


class Request(Message, Generic[Answer], frozen=True):
    """A request of the main process; `Request[Prepared]` is answered by `Prepared`.

    Class attributes:
        answer: type of the answer.
        doing: name of the activity in messages to the user; default: the name of the class.
        events: types of the events that may come before the answer.
    """

    answer: ClassVar[type[Message]]
    doing: ClassVar[str]
    events: ClassVar[tuple[type[Event], ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        (cls.answer,) = get_args(cls.__orig_bases__[0])  # type: ignore[attr-defined]
        cls.doing = cls.__dict__.get("doing", cls.__name__.lower())


class Done(Message, frozen=True):
    """The answer to a request that returns nothing."""


NO_REFERENCE = "no_reference"
"""Status of a failure of the scorer: the reference turned out not to take the case."""
DISK = "disk"
"""Status of a failure of the scorer: the disk did not take the curves."""


class Failed(Message, frozen=True):
    """The answer to a request that raised an exception: status of the cell or "input", one line, and the traceback."""

    status: Line
    reason: Line
    details: Trace


# Events


class Piece(Event, frozen=True):
    """Some times of a trajectory, from index `start` on: states `(B, k, 2**N)` as "states", and observables by name."""

    start: int
    arrays: dict[str, NDArray[np.generic]]


class Need(Event, frozen=True):
    """A fit needs training trajectories `start` to `stop` of one size; it gets `Trajectories`."""

    size: int
    start: int
    stop: int


class Progress(Event, frozen=True):
    """The progress of a fit from 0 to 1, with named values such as the loss."""

    fraction: Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
    values: dict[str, float]


class Note(Event, frozen=True):
    """A remark of a fit."""

    text: Line


# Parts of messages


class Posed(msgspec.Struct, frozen=True):
    """A `qdynbench.contract.problem.Problem` in a form that can be sent."""

    size: int
    times: NDArray[np.float64]
    hamiltonian: Json | None
    drive: Json | None
    parameters: Json | None
    batch: int
    device: str
    threads: int
    entangled: bool

    @classmethod
    def of(cls, problem: Problem) -> Posed:
        """Convert a problem."""
        dynamics = problem.dynamics
        return cls(
            problem.size,
            problem.times,
            dynamics.to_json() if isinstance(dynamics, PauliSum) else None,
            dynamics.to_json() if isinstance(dynamics, Drive) else None,
            None if problem.parameters is None else dict(problem.parameters),
            problem.batch,
            problem.device,
            problem.threads,
            problem.entangled,
        )

    def problem(self) -> Problem:
        """Return the problem."""
        static = None if self.hamiltonian is None else PauliSum.from_json(self.hamiltonian)
        dynamics = static if self.drive is None else Drive.from_json(self.drive)
        return Problem(
            self.size, self.times, dynamics, self.parameters, self.batch, self.device, self.threads, self.entangled
        )


class Setting(msgspec.Struct, frozen=True):
    """What a worker is to load and may use.

    Attributes:
        files, plugins: the single-file plugins, and the names of the installed ones beside the core's.
        threads, device, memory: CPU threads, device, and limit of resident bytes.
    """

    files: list[str]
    plugins: list[str]
    threads: int
    device: str
    memory: float


# To a solver's process


class Loaded(Message, frozen=True):
    """The properties of a solver that was built.

    Attributes:
        seconds: it took to import its class and to build it.
        knowledge, label, accuracy, protocol: see `Solver`.
        learned: whether it has to be fitted first.
        shipped: folders of weights that came with it.
        starts_from: folder of the weights from which its fit starts, or None.
    """

    seconds: Seconds
    knowledge: Knowledge
    learned: bool
    label: Line
    accuracy: Names
    protocol: Names
    shipped: Names
    starts_from: str | None


class Load(Request[Loaded], frozen=True):
    """Import the class of a solver and build it from `name[key=value]`."""

    doing = "loading"
    solver: str
    setting: Setting


class Examined(Message, frozen=True):
    """Why a solver refuses a problem, or None, and its predicted cost."""

    refusal: Line | None
    cost: Cost | None


class Examine(Request[Examined], frozen=True):
    """Ask whether the solver takes a problem, and what it will cost."""

    problem: Posed


class Fitted(Message, frozen=True):
    """Seconds of a fit, without the time in which it waited for data."""

    seconds: Seconds


class Fit(Request[Fitted], frozen=True):
    """Fit the solver and save its weights to the empty folder `save_to`; `folder` is for checkpoints.

    The solver asks by `Need` for data: `count` trajectories of each size over `times`, shape `(T+1,)`.
    """

    events = (Need, Progress, Note)
    sizes: list[int]
    times: NDArray[np.float64]
    count: int
    seed: int
    folder: str
    save_to: str


class Restore(Request[Done], frozen=True):
    """Load the weights of an earlier fit."""

    folder: str


class Prepared(Message, frozen=True):
    """Seconds of `prepare`, and of a first one before it; 0 if there was none."""

    seconds: Reading
    first: Reading


class Prepare(Request[Prepared], frozen=True):
    """Prepare a problem from scratch; `twice` if it is the first one, so that imports and compilation are not in it."""

    problem: Posed
    twice: bool


class Called(Message, frozen=True):
    """Seconds of one call."""

    seconds: Seconds


class Call(Request[Called], frozen=True):
    """Solve once and drop the result, for states that are neither scored nor timed again."""

    states: States


COMPARED = 8
"""Number of states for which timed calls are compared with what was scored."""


class Solved(Message, frozen=True):
    """What there is to say of an answer besides its blocks.

    Attributes:
        notes: remarks of the solver.
        precision: of its states: "double", "single", or "" without states.
        sums: over all times, of the first states, by name; timed calls are compared with them.
    """

    notes: Notes
    precision: Line
    sums: States


class Solve(Request[Solved], frozen=True):
    """Solve, and send every block to be scored."""

    events = (Piece,)
    states: States


class Returned(Message, frozen=True):
    """The final states of an echo `(n, 2**N)`, or why there is no way back; neither if the solver has no states."""

    states: Vectors | None
    refusal: Line | None


class LeadBack(Request[Returned], frozen=True):
    """Evolve states over the grid of the prepared problem, and back by another problem."""

    doing = "echo"
    states: States
    problem: Posed


class Stage(Request[Done], frozen=True):
    """Keep sets of states on the device, from which the inputs of timed calls with `batch` states are made."""

    states: States
    batch: int


class Settled(Message, frozen=True):
    """The seconds of the yardstick, see `qdynbench.workers.pace`, and those of waiting for it."""

    pace: Seconds
    waited: Seconds


class Ready(Request[Settled], frozen=True):
    """Make new inputs for the next round, and wait until the machine is calm.

    They are `calls` times `batch` states, each with a random global phase. It leaves the physics as it is, but no state
    comes twice: a remembered answer is the wrong one.

    Attributes:
        batch: number of states of a call.
        calls: number of calls.
        seed: of the phases.
        plain: index of the call that will be compared with what was scored, or -1.
        rows: where states that were scored stand in its batch; they keep their phase.
        pace: seconds within which the yardstick is done on a calm machine.
        patience: seconds that are waited for it at most.
    """

    doing = "time"
    batch: int
    calls: int
    seed: int
    plain: int
    rows: list[int]
    pace: float
    patience: float


class Timed(Event, frozen=True):
    """The seconds of each call of a round; it comes at its end, before the yardstick is looked at.

    Attributes:
        seconds: of each call.
        cpu: seconds of CPU time of all threads during the round.
        waited: seconds that threads were ready to run and had no core.
    """

    seconds: Annotated[list[Annotated[float, msgspec.Meta(gt=0, le=1e12)]], msgspec.Meta(min_length=1)]
    cpu: Seconds
    waited: Seconds


class TimeRound(Request[Settled], frozen=True):
    """Time a call for each input that was made ready, and look at the yardstick after them."""

    doing = "time"
    events = (Timed,)


class Inspect(Request[Done], frozen=True):
    """Compare what a call of the last round gave for some of its states with what was scored for them.

    Attributes:
        call: index of the call.
        rows: where these states stand in its batch.
        scored: their sums, see `Solved`.
        seed: if it is not negative, the states are solved once more with other phases, and the answer is checked as
            when it is scored: one that was remembered begins elsewhere.
    """

    doing = "inspect"
    call: int
    rows: list[int]
    scored: States
    seed: int


class Peak(Message, frozen=True):
    """Peak memory since `Prepare` on host and device, and the memory before the first problem, in bytes."""

    host: Count
    device: Count | None
    rest: Count


class PeakMemory(Request[Peak], frozen=True):
    """Ask for the peak memory."""

    doing = "peak"


# To the scorer's process


class EnsembleTraits(Message, frozen=True):
    """Whether the ensemble holds a single state."""

    single: bool


class LoadTask(Request[EnsembleTraits], frozen=True):
    """Load a task from JSON."""

    doing = "loading"
    task: str
    setting: Setting


class Opened(Message, frozen=True):
    """The reference of a case.

    Attributes:
        refusal: why there is no reference, or None.
        cost: the predicted cost of the reference.
        method: second method that certifies the reference; empty if it is not certified.
        states: number of test states that it evolves.
        uncertified: why the reference is not certified; empty if it is.
        excess: why the initial states of one call cannot be drawn, or None.
    """

    refusal: Line | None
    cost: Cost | None
    method: str
    states: int
    uncertified: str
    excess: str | None


class OpenCase(Request[Opened], frozen=True):
    """Ask what the reference of a case will cost and how it is certified, or why there is none."""

    doing = "open"
    case: Case
    batch: int


class Drawn(Message, frozen=True):
    """Initial states."""

    states: States


class DrawStates(Request[Drawn], frozen=True):
    """Draw the states `start` to `stop` for one purpose."""

    doing = "states"
    case: Case
    purpose: Purpose
    start: int
    stop: int


class Trajectories(Message, frozen=True):
    """Training trajectories `(B, T+1, 2**N)`, and the seconds that the reference took for them."""

    seconds: float
    states: Vectors


class MakeTrajectories(Request[Trajectories], frozen=True):
    """Compute training trajectories."""

    doing = "trajectories"
    need: Need


class BeginPortion(Request[Drawn], frozen=True):
    """Begin to score the test states `start` to `stop` of a case, and return them; `start` 0 begins a new cell.

    Without a reference (`referenced` is false) only metrics that need none have a value.
    """

    doing = "begin"
    case: Case
    start: int
    stop: int
    referenced: bool


class ScorePiece(Request[Done], frozen=True):
    """Score some times of a prediction."""

    doing = "block"
    piece: Piece


class Scored(Message, frozen=True):
    """The scores of a cell, the metrics without a value, and the remarks of the reference."""

    scores: list[Score]
    left_out: list[str]
    reference_notes: list[Line]


class FinishCell(Request[Scored], frozen=True):
    """Return the scores of the cell and write its curves to a new file."""

    doing = "finish"
    curves: str


class EchoScored(Message, frozen=True):
    """The score of an echo."""

    score: Score


class ScoreEcho(Request[EchoScored], frozen=True):
    """Score the final states of an echo, and add the values to the file of curves of the cell."""

    doing = "echo"
    case: Case
    returned: Vectors
    curves: str


Timing = Stage | Ready | TimeRound | Inspect | PeakMemory
SolverRequest = Load | Examine | Fit | Restore | Prepare | Call | Solve | LeadBack | Timing
ScorerRequest = LoadTask | OpenCase | DrawStates | MakeTrajectories | BeginPortion | ScorePiece | FinishCell | ScoreEcho
