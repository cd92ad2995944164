"""What the side that knows the answer holds of a task: its cases in full, their states and their references."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.build import build, outlook
from qdynbench.contract.initial import Initial, vector_bytes
from qdynbench.contract.metric import Metric
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Cost, Solver
from qdynbench.errors import InputError, InvalidOutput
from qdynbench.plugins.registry import Registry
from qdynbench.scoring.echo import Echo
from qdynbench.scoring.reference import Reference
from qdynbench.task.case import Case, Purpose, draw, generator
from qdynbench.task.pose import pose
from qdynbench.task.spec import Task, Training
from qdynbench.text import memory

TRAINING_BATCH = 256
"""States that the reference is told to expect in one call when it makes training data."""


class CaseSource:
    """Poses the cases of a task, draws their states, and keeps the reference of the case that is being scored.

    Args:
        task: the task.
        registry: finds models, ensembles, metrics and the reference.
        device: "cpu" or "cuda", for the reference.
        threads: number of CPU threads, for the reference.
        memory: bytes that a batch of state vectors may take.

    Attributes:
        ensemble: of the task.
        names: of all that the task asks for, in the order of registration.
        metrics: those among them that are read off a trajectory, which an echo is not.
    """

    def __init__(self, task: Task, registry: Registry, *, device: str, threads: int, memory: float) -> None:
        self.task, self.registry = task, registry
        self._device, self._threads, self._memory = device, threads, memory
        self.ensemble = registry.load("ensembles", task.ensemble)()
        self.names = [name for kind, name in task.named(registry) if kind == "metrics"]
        self.metrics = [kind for name in self.names if (kind := _metric(registry, name)) is not None]
        self._references: dict[str, tuple[Case, Reference]] = {}

    @property
    def states(self) -> int:
        """Number of test states of a case."""
        return 1 if self.ensemble.single else self.task.states

    def excess(self, case: Case, batch: int) -> str | None:
        """Say why the initial states of one call do not fit, or None; product states are drawn as spinors and do."""
        if self.ensemble.product:
            return None
        needed = min(batch, self.states) * vector_bytes(case.size)
        if needed <= self._memory:
            return None
        return (
            f"the ensemble {self.task.ensemble} holds no product states: state vectors of {case.size} spins take "
            f"{memory(needed)}, limit {memory(self._memory)}"
        )

    def draw(self, case: Case, purpose: Purpose, start: int, stop: int) -> Initial:
        """Draw the states `start` to `stop` of one purpose."""
        drawn = draw(self.task, self.ensemble, case, purpose, start, stop)
        drawn.memory = self._memory
        return drawn

    def problem(self, case: Case, batch: int) -> Problem:
        """Pose a case in full, as a solver with `Knowledge.HAMILTONIAN` sees it."""
        return pose(self.task, self.registry, case, batch=batch, device=self._device, threads=self._threads)

    def reference_solver(self) -> Solver:
        """Build the reference.

        Raises:
            InputError: the task has none, or it cannot be built as the task says.
        """
        spec = self.task.reference_spec
        if spec is None:
            raise InputError("the task has no reference")
        return build(self.registry.load("solvers", spec.name), spec.name, spec.parameters)

    def reference_outlook(self, case: Case, batch: int) -> tuple[str | None, Cost | None]:
        """Return why a case has no reference, or None, and what the reference predicts to cost."""
        if self.task.reference_spec is None:
            return "the task names none", None
        return outlook(self.reference_solver(), self.problem(case, batch))

    def reference(self, case: Case) -> Reference:
        """Return the prepared reference of a case."""
        return self._prepared("test", case, self.problem(case, max(self.task.timing.batch_sizes)))

    def training_trajectories(self, size: int, start: int, stop: int) -> NDArray[np.complex128]:
        """Return exact training trajectories, shape `(stop - start, T+1, 2**size)`."""
        training, case = self._training(), Case(size, 0)
        if size not in training.sizes or not 0 <= start < stop <= training.trajectories:
            raise InvalidOutput(f"trajectories {start} to {stop} of {size} spins are not in the training data")
        ensemble = self.registry.load("ensembles", training.ensemble)()
        drawn = draw(self.task, ensemble, case, Purpose.TRAINING, start, stop)
        problem = pose(
            self.task,
            self.registry,
            case,
            batch=TRAINING_BATCH,
            device=self._device,
            threads=self._threads,
            times=self.task.training_times(),
            model=training.model,
        )
        return self._prepared("training", case, problem).trajectories(drawn)

    def noisy(self, states: NDArray[np.complex128], size: int, start: int) -> NDArray[np.complex128]:
        """Add the noise of the task to training trajectories that begin with number `start`."""
        training = self._training()
        if not training.noise:
            return states
        noise = generator(self.task, dataclasses.replace(Case(size, 0), seed=start), Purpose.NOISE)
        deviation = training.noise / np.sqrt(2 * states.shape[-1])
        pairs: NDArray[np.float64] = noise.standard_normal((*states.shape, 2)) * deviation
        return states + pairs.view(np.complex128)[..., 0]

    def _training(self) -> Training:
        if self.task.training is None:
            raise InputError(f"task {self.task.name!r} has no 'training' section")
        return self.task.training

    def _prepared(self, use: str, case: Case, problem: Problem) -> Reference:
        # One for each use: the reference of the case before is not needed again, its memory is.
        known, found = self._references.get(use, (None, None))
        if found is None or known != case:
            self._references.pop(use, None)
            found = Reference(self.reference_solver(), problem)
            self._references[use] = case, found
        return found


def _metric(registry: Registry, name: str) -> type[Metric] | None:
    kind: type = registry.load("metrics", name)
    if kind is Echo:
        return None
    if not (isinstance(kind, type) and issubclass(kind, Metric)):
        raise InputError(f"{name!r} is registered as a metric but {kind!r} is not a subclass of qdynbench.Metric")
    if kind.name != name:
        raise InputError(f"metric {name!r} calls itself {kind.name!r}: the two names have to agree")
    return kind
