"""A solver under check: built anew for every use, fitted once, run through the same validation as in a benchmark."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from qdynbench.contract.build import build, outlook
from qdynbench.contract.initial import Given
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.problem import Knowledge
from qdynbench.contract.solver import Block, Solver
from qdynbench.contract.validation import Tensors, checked_blocks, iterated, tensors_of
from qdynbench.physics import entanglement, moments, observables
from qdynbench.testing.exercise import (
    UNIFORM_PARAMETERS,
    Chain,
    ExactTrajectories,
    Exercise,
    FitRecorder,
    graded_chain,
    product_initial,
    uniform_chain,
)
from qdynbench.testing.outcome import CheckResult, Failure, Skip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEED = 20190522
LARGEST_OPERATIONS, LARGEST_BYTES = 1e12, 4e9
"""What a solver may predict for one exercise before the kit declines to pose it: some minutes, and the memory."""

TRAINING_SIZES = (2, 3)
TRAINING_COUNT = 16
TRAINING_TIMES = np.linspace(0, 0.2, 21)


@dataclass(frozen=True)
class Run:
    """One run of a solver.

    Attributes:
        tensors: `states` `(B, T+1, 2**N)` or named observables, over the whole grid, on the CPU in double precision.
        single: whether the solver gave single precision.
        promised: `Cost.error` of what the solver predicts for the problem.
        blocks: how many blocks it took.
        seconds: wall-clock time of the call.
    """

    tensors: Tensors
    single: bool
    promised: float | None
    blocks: int
    seconds: float

    def states(self) -> torch.Tensor:
        """Return the states; skips the check for a solver that yields observables alone."""
        if "states" not in self.tensors:
            raise Skip("the solver yields observables, this needs states")
        return self.tensors["states"]

    def observable(self, name: observables.Axis | Literal["entropy"]) -> torch.Tensor:
        """Return the spins along an axis, `(B, T+1, N)`, or the half-chain entropy, `(B, T+1)`.

        The check is skipped where the solver does not give them.
        """
        if "states" in self.tensors:
            states = self.tensors["states"]
            if name == "entropy":
                return entanglement.half_chain_entropy(states)
            return observables.magnetization(states)[name]
        if name not in self.tensors:
            raise Skip(f"the solver does not yield {name}")
        return self.tensors[name]


def distance(run: Tensors, other: Tensors) -> float:
    """Return the largest 2-norm of a difference of states, or difference of an observable that both have."""
    largest = 0.0
    for name in run.keys() & other.keys():
        difference = run[name] - other[name]
        error = torch.linalg.vector_norm(difference, dim=-1) if name == "states" else difference.abs()
        largest = max(largest, float(error.max()))
    return largest


@dataclass(frozen=True)
class Course:
    """What a learned solver is trained on.

    Attributes:
        source: "shipped weights" or "fitted on ...".
        chain: Hamiltonian of a size.
        parameters: the model's numbers.
        sizes: that were seen in training.
        times: grid of the training trajectories.
    """

    source: str
    chain: Chain
    parameters: Mapping[str, Any]
    sizes: tuple[int, ...]
    times: NDArray[np.float64]


class Subject:
    """A solver class with its parameters.

    Args:
        solver_class: the class.
        parameters: its parameters.
        name: as registered, for messages.
        folder: an empty folder for fits.
    """

    def __init__(self, solver_class: type[Solver], parameters: Mapping[str, Any], name: str, folder: Path) -> None:
        self.solver_class = solver_class
        self.parameters = dict(parameters)
        self.name = name
        self.folder = folder
        self.chain: Chain
        self.results: dict[str, CheckResult] = {}

    def blank(self) -> Solver:
        """Build the solver, all global random numbers seeded; a learned one has learned nothing yet."""
        random.seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002 - a solver may draw from the global generator
        torch.manual_seed(SEED)
        return build(self.solver_class, self.name, self.parameters)

    def new(self) -> Solver:
        """Build the solver; a learned one reads what the one fit (or the shipped weights) has learned."""
        solver = self.blank()
        if isinstance(solver, LearnedSolver):
            solver.load(self.weights)
        return solver

    @cached_property
    def shipped(self) -> Path | None:
        """Folder of the weights that come with the solver's package; the first where there are several."""
        blank = self.blank()
        return next(iter(blank.shipped()), None) if isinstance(blank, LearnedSolver) else None

    @cached_property
    def course(self) -> Course:
        """What the learned solver is trained on: as its manifest says, or the kit's own small data."""
        if self.shipped is None:
            source = f"fitted on {TRAINING_COUNT} trajectories each of sizes {', '.join(map(str, TRAINING_SIZES))}"
            return Course(source, uniform_chain, UNIFORM_PARAMETERS, TRAINING_SIZES, TRAINING_TIMES)
        training = json.loads((self.shipped / "manifest.json").read_text())["training"]
        from qdynbench.physics.operators import PauliSum
        from qdynbench.plugins.registry import Registry
        from qdynbench.task.load import model_of

        steps = min(int(training["steps"]), 20)
        model = model_of(training["model"], Registry.discover())

        def hamiltonian(size: int) -> PauliSum:
            operator = model.hamiltonian(size)
            if not isinstance(operator, PauliSum):
                raise TypeError("the kit has no driven course; these weights were trained under a drive")
            return operator

        times = np.linspace(0, steps * float(training["dt"]), steps + 1)
        return Course("shipped weights", hamiltonian, model.parameters(), tuple(training["sizes"]), times)

    def data(self) -> ExactTrajectories:
        """Return the training data of a fit."""
        return ExactTrajectories(uniform_chain, TRAINING_SIZES, TRAINING_TIMES, TRAINING_COUNT, SEED)

    def learning(self) -> LearnedSolver:
        """Build a learned solver that has learned nothing yet."""
        blank = self.blank()
        if not isinstance(blank, LearnedSolver):
            raise Skip("it learns nothing")
        return blank

    @property
    def learns(self) -> bool:
        """Whether the solver has to be fitted first."""
        return issubclass(self.solver_class, LearnedSolver)

    def fit(self, label: str) -> tuple[LearnedSolver, FitRecorder]:
        """Fit a new solver in a folder of its own."""
        work = self.folder / f"work-{label}"
        work.mkdir()
        recorder = FitRecorder(work, SEED)
        solver = self.learning()
        solver.fit(self.data(), recorder)
        return solver, recorder

    @cached_property
    def fitted(self) -> tuple[LearnedSolver, FitRecorder]:
        """The solver of the one fit that all checks share."""
        return self.fit("first")

    @cached_property
    def weights(self) -> Path:
        """Folder that `load` reads."""
        if self.shipped is not None:
            return self.shipped
        folder = self.folder / "weights"
        solver = self.fitted[0]
        folder.mkdir()
        solver.save(folder)
        return folder

    @cached_property
    def exercise(self) -> Exercise:
        """Three random product states on a small chain that the solver supports.

        A solver that sees the Hamiltonian gets couplings that all differ, a learned one what it was trained on.
        """
        if self.learns:
            course = self.course
            size = max((size for size in course.sizes if size <= 6), default=min(course.sizes))
            choices = [(course.chain, course.parameters, size, course.times)]
        else:
            times = np.linspace(0, 1, 21)
            chains: list[tuple[Chain, Mapping[str, Any]]] = [(uniform_chain, UNIFORM_PARAMETERS)]
            if self.solver_class.knowledge is Knowledge.HAMILTONIAN:
                chains.insert(0, (graded_chain, {}))
            choices = [(chain, parameters, size, times) for chain, parameters in chains for size in (4, 3, 2)]
        refusal = ""
        for chain, parameters, size, times in choices:
            initial = product_initial(size, 3, seed=SEED)
            exercise = Exercise.pose(chain(size), times, initial, parameters)
            said = self.refusal(exercise)
            if said is None:
                self.chain = chain
                return exercise
            refusal = refusal or said
        raise Skip(f"no small chain is supported: {refusal}")

    def refusal(self, exercise: Exercise) -> str | None:
        """Return why the solver cannot do this, or that it would cost too much, or None."""
        problem = exercise.problem.blinded(self.solver_class.knowledge)
        solver = self.new()
        said, cost = outlook(solver, problem)
        if said is not None:
            return said
        if cost is not None and (cost.operations > LARGEST_OPERATIONS or cost.bytes > LARGEST_BYTES):
            return f"predicted to take {cost.operations:.3g} operations and {cost.bytes:.3g} bytes"
        return None

    def prepared(self, exercise: Exercise, solver: Solver | None = None) -> Solver:
        """Pose the problem, blinded as in a benchmark, to a new solver or to the one given."""
        solver = solver or self.new()
        problem = exercise.problem.blinded(solver.knowledge)
        solver.prepare(problem)
        return solver

    def run(self, exercise: Exercise, solver: Solver | None = None) -> Run:
        """Solve, with a new solver or with the prepared one given.

        Raises:
            InvalidOutput: the output is no trajectory of the problem.
            Skip: the solver does not support the problem.
        """
        if solver is None:
            refusal = self.refusal(exercise)
            if refusal is not None:
                raise Skip(refusal)
            solver = self.prepared(exercise)
        columns: dict[str, list[torch.Tensor]] = {}
        single = False
        begun = time.perf_counter()
        for block in checked_blocks(solver.solve(Given(exercise.fresh())), exercise.problem, exercise.initial):
            tensors = {"states": block.states} if block.states is not None else dict(block.observables)
            for name, tensor in tensors.items():
                single = single or tensor.dtype in {torch.complex64, torch.float32}
                double = torch.complex128 if tensor.is_complex() else torch.float64
                # Always a copy: a block is only valid until the next one is asked for.
                columns.setdefault(name, []).append(tensor.to("cpu", double, copy=True))
        seconds = time.perf_counter() - begun
        whole = {name: torch.cat(parts, dim=1) for name, parts in columns.items()}
        count = max(len(parts) for parts in columns.values())
        cost = solver.estimate(exercise.problem.blinded(solver.knowledge))
        return Run(whole, single, None if cost is None else cost.error, count, seconds)

    @cached_property
    def recorded(self) -> list[tuple[Block, Tensors]]:
        """The blocks of the standard exercise, copied as they come and not yet checked against any rule."""
        solver = self.prepared(self.exercise)
        recorded: list[tuple[Block, Tensors]] = []
        for block in iterated(solver.solve(Given(self.exercise.fresh()))):
            recorded.append((block, {name: tensor.clone() for name, tensor in tensors_of(block).items()}))
            if len(recorded) > 2 * self.exercise.problem.steps + 2:
                raise Failure(f"{self.exercise.problem.steps + 1} times expected, the solver does not stop")
        return recorded

    @cached_property
    def trajectory(self) -> Run:
        """The run of the standard exercise."""
        return self.run(self.exercise)

    def seen(self, states: torch.Tensor) -> Tensors:
        """Return of exact states what the solver yields: the states, or the same observables."""
        names = set(self.trajectory.tensors)
        if names == {"states"}:
            return {"states": states}
        spins = observables.magnetization(states)
        exact: Tensors = {
            "x": spins["x"],
            "y": spins["y"],
            "z": spins["z"],
            "norm": observables.norm(states),
            "entropy": entanglement.half_chain_entropy(states),
            "energy": moments.mean(self.exercise.hamiltonian, states),
        }
        return {name: exact[name] for name in names & exact.keys()}
