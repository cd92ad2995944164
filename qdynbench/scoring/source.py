"""The full cases of a task with their states and references, for the process of the scorer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qdynbench.contract.build import build, outlook
from qdynbench.contract.initial import Initial, spinor_bytes, vector_bytes
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.metric import Metric
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Cost, Solver
from qdynbench.errors import InputError, InvalidOutput
from qdynbench.plugins.registry import Registry
from qdynbench.scoring.echo import Echo
from qdynbench.scoring.reference import Reference
from qdynbench.task.case import Case, Purpose, draw, generator, training_case
from qdynbench.task.pose import pose
from qdynbench.task.spec import Task, Training
from qdynbench.text import memory

TRAINING_BATCH = 256
"""Number of states per call for which the reference is prepared when it computes training data."""


class CaseSource:
    """Gives the problems, states and references of the cases of a task; it keeps the latest reference.

    Args:
        task: the task.
        registry: the plugins.
        device, threads: device and number of CPU threads of the reference.
        memory: largest number of bytes of a batch of state vectors.

    Attributes:
        ensemble: the ensemble of the task.
        names: names of the metrics that the task asks for, with the echo.
        metrics: the classes of these metrics, without the echo, which is no metric of a trajectory.
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
        """Return why the initial states of a case, which are drawn at once, exceed the memory limit, or None."""
        product, count = self.ensemble.product, max(batch, self.states)
        needed = count * (spinor_bytes(case.size) if product else vector_bytes(case.size))
        if needed <= self._memory:
            return None
        what = "" if product else f"the ensemble {self.task.ensemble} holds no product states: "
        takes = f"the {count} states of {case.size} spins, which are drawn at once, take {memory(needed)}"
        return f"{what}{takes}, limit {memory(self._memory)}"

    def draw(self, case: Case, purpose: Purpose, start: int, stop: int) -> Initial:
        """Return the states `start` to `stop` for one purpose."""
        drawn = draw(self.task, self.ensemble, case, purpose, start, stop)
        drawn.memory = self._memory
        return drawn

    def problem(self, case: Case, batch: int) -> Problem:
        """Return the full problem of a case, as a solver with `Knowledge.HAMILTONIAN` sees it."""
        return pose(self.task, self.registry, case, batch=batch, device=self._device, threads=self._threads)

    def reference_solver(self) -> Solver:
        """Return a new reference solver.

        Raises:
            InputError: the task has no reference, or one that cannot be built or is learned.
        """
        spec = self.task.reference_spec
        if spec is None:
            raise InputError("the task has no reference")
        solver = build(self.registry.load("solvers", spec.name), spec.name, spec.parameters)
        if isinstance(solver, LearnedSolver):
            raise InputError(f"reference {str(spec)!r}: it is learned, from what the reference has to make")
        return solver

    def reference_outlook(self, case: Case, batch: int) -> tuple[str | None, Cost | None]:
        """Return why a case has no reference, or None, and the predicted cost of the reference."""
        if self.task.reference_spec is None:
            return "the task names none", None
        return outlook(self.reference_solver(), self.problem(case, batch))

    def reference(self, case: Case) -> Reference:
        """Return the prepared reference of a case."""
        return self._prepared("test", case, self.problem(case, max(self.task.timing.batch_sizes)))

    def training_trajectories(self, size: int, start: int, stop: int) -> NDArray[np.complex128]:
        """Return exact training trajectories, shape `(stop - start, T+1, 2**size)`."""
        training, case = self._training(), training_case(size)
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
        """Return training trajectories from number `start` on with the noise of the task added."""
        training = self._training()
        if not training.noise:
            return states
        noise = generator(self.task, Case(size, seed=start), Purpose.NOISE)
        deviation = training.noise / np.sqrt(2 * states.shape[-1])
        pairs: NDArray[np.float64] = noise.standard_normal((*states.shape, 2)) * deviation
        return states + pairs.view(np.complex128)[..., 0]

    def _training(self) -> Training:
        if self.task.training is None:
            raise InputError(f"task {self.task.name!r} has no 'training' section")
        return self.task.training

    def _prepared(self, use: str, case: Case, problem: Problem) -> Reference:
        # One for each use: the previous reference is dropped first, because its memory is needed.
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
