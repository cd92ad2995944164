"""The worker that knows the answer: it draws states, runs the reference, makes training data and scores predictions.

It is a process of its own, so that a solver under test never shares memory with the Hamiltonian that it must not see,
and so that the memory of the reference is not counted as the solver's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.ensemble import Draw
from qdynbench.contract.metric import Metric, ScoreContext
from qdynbench.contract.solver import Problem, Solver
from qdynbench.contract.window import Window
from qdynbench.errors import InvalidOutput
from qdynbench.plugins.registry import Registry
from qdynbench.scoring import certify
from qdynbench.scoring.certify import STEPWISE, checkpoints, independent_evolution
from qdynbench.scoring.kept import KeptTrajectories, joined, write_curves
from qdynbench.scoring.metrics.echo import EchoInfidelity
from qdynbench.scoring.metrics.infidelity import ray_distance
from qdynbench.scoring.reference import Cursor, Reference
from qdynbench.task.case import Case, Purpose, draw, generator
from qdynbench.task.pose import pose
from qdynbench.task.spec import Task
from qdynbench.workers.channel import Channel, Message
from qdynbench.workers.clock import Stopwatch
from qdynbench.workers.drawn import drawn_message, initial_of
from qdynbench.workers.solver_side import build, library_versions, unsupported

CERTIFIED_STATES = 2
TRAINING_BATCH = 256
"""States that the reference is told to expect in one call when it makes training data."""


class Scorer:
    """Answers the requests about one task; `handle` dispatches to the method of the message's kind."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.task: Task
        self.registry: Registry
        self._references: dict[tuple[str, Case], Reference] = {}
        self._chunks: list[dict[str, Metric]] = []
        self._beside: list[dict[str, Metric]] = []
        """Metrics that lack their reference, of each portion of states: they keep curves and have no result."""
        self._kept: list[KeptTrajectories] = []
        self._bounds: dict[Case, dict[str, NDArray[np.float64]]] = {}

    def handle(self, message: Message) -> Message:
        """Answer one request."""
        answer: Message = getattr(self, f"on_{message.kind}")(*message.arrays, **message.fields)
        return answer

    def on_load(self, task: str, files: list[str], threads: int, device: str) -> Message:
        """Take a task as JSON."""
        torch.set_num_threads(threads)
        self.task = Task.model_validate_json(task)
        self.registry = Registry.discover(files)
        self.threads = threads
        self.device = device
        self.ensemble = self.registry.load("ensembles", self.task.ensemble)()
        self.metrics: list[type[Metric]] = [self.registry.load("metrics", name) for name in self.metric_names()]
        if self.task.reference_spec is not None:
            self._solver()  # imports and checks the reference now, not inside the first case
        traits = {"single": self.ensemble.single, "product": self.ensemble.product}
        return Message("done", {**traits, "libraries": library_versions()})

    def metric_names(self) -> list[str]:
        """Return the metrics of the task, in the order of registration."""
        return list(self.registry.entries["metrics"]) if self.task.metrics == "all" else list(self.task.metrics)

    def on_open(self, size: int, seed: int, batch: int) -> Message:
        """Say what the reference costs in a case, or why there is none, and how it is certified."""
        case = Case(size, seed)
        problem = self._problem(case, batch)
        if self.task.reference_spec is None:
            return Message("done", {"refusal": "the task names none", "cost": None})
        refusal = unsupported(self._solver(), problem)
        if refusal is not None:
            return Message("done", {"refusal": refusal, "cost": None})
        cost = self._solver().estimate(problem)
        predicted = None if cost is None else {"bytes": float(cost.bytes), "seconds": float(cost.seconds)}
        known: dict[str, Any] = {"method": certify.method(problem), "uncertified": certify.why_not(problem)}
        known["needs_states"] = self._in_vectors(problem)
        return Message("done", {"refusal": None, "cost": predicted, **known})

    def on_states(self, size: int, seed: int, purpose: int, start: int, stop: int, vectors: bool) -> Message:
        """Draw initial states: `(B, 2**N)` if `vectors`, and spinors `(B, N, 2)` where the ensemble has them."""
        drawn = self._draw(Case(size, seed), Purpose(purpose), start, stop)
        return drawn_message(drawn, vectors)

    def on_trajectories(self, size: int, start: int, stop: int) -> Message:
        """Make training trajectories `(stop - start, T+1, 2**N)`, and say how long the reference took."""
        training = self.task.training
        if training is None:
            raise InvalidOutput("the task has no training section")
        case = Case(size, 0)
        times = self.task.training_times()
        watch = Stopwatch(self.device)
        with watch.running():
            ensemble = self.registry.load("ensembles", training.ensemble)()
            drawn = draw(self.task, ensemble, case, Purpose.TRAINING, start, stop)
            reference = self._reference("training", case, times)
            states = reference.trajectories(initial_of(drawn, self._in_vectors(reference.problem)))
        if training.noise:
            noise = generator(self.task, dataclasses.replace(case, seed=start), Purpose.NOISE)
            deviation = training.noise / np.sqrt(2 * states.shape[-1])
            pairs = noise.standard_normal((*states.shape, 2)) * deviation
            states = states + pairs.view(np.complex128)[..., 0]
        return Message("done", {"seconds": watch.seconds}, (states,))

    def on_begin(
        self, size: int, seed: int, start: int, stop: int, fresh: bool, referenced: bool, vectors: bool
    ) -> Message:
        """Begin to score the states `start` to `stop` of a case, and return them as the solver needs them.

        Args:
            size: of the case.
            seed: of the case.
            start: first of the states.
            stop: one past the last.
            fresh: drop what an earlier cell left.
            referenced: whether there is a reference; without one only metrics that need none are computed.
            vectors: whether the solver needs the state vectors.
        """
        if fresh:
            self._chunks, self._beside, self._kept = [], [], []
        self._case = case = Case(size, seed)
        drawn = self._draw(case, Purpose.TEST, start, stop)
        problem = self._problem(case, batch=1)
        in_vectors = vectors or (referenced and self._in_vectors(problem))
        context = ScoreContext(case.size, problem.times, problem.hamiltonian, initial_of(drawn, in_vectors))
        self._context_now = context
        self._cursor: Cursor | None = None
        if referenced:
            reference = self._reference("test", case, self.task.times.grid())
            self._cursor = reference.cursor(context.initial, key=(seed, start, stop), context=context)
            if case not in self._bounds:
                self._bounds[case] = self._certify(case)
        kinds = [kind for kind in self.metrics if kind.applies(context)]
        scored = [kind for kind in kinds if referenced or not kind.needs_reference]
        self._chunks.append({kind.name: kind(context) for kind in scored})
        self._beside.append({kind.name: kind(context) for kind in kinds if kind not in scored})
        self._kept.append(KeptTrajectories(self.task.keep.trajectories - start, context))
        return drawn_message(drawn, vectors)

    def on_block(self, *arrays: NDArray[Any], start: int, names: list[str]) -> Message:
        """Score one block of a prediction."""
        tensors = {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}
        prediction = Window(self._context_now, start, tensors.pop("states", None), tensors)
        metrics = self._chunks[-1]
        _drop(metrics, prediction)
        if self._cursor is None:
            for metric in metrics.values():
                metric.update(prediction, prediction)
            _drop(self._beside[-1], prediction)
            for metric in self._beside[-1].values():
                metric.alone(prediction)
            return Message("done")
        for predicted, exact in self._cursor.beside(prediction):
            _drop(metrics, exact, of_reference=True)
            for metric in metrics.values():
                metric.update(predicted, exact)
            self._kept[-1].take(predicted, exact)
        return Message("done")

    def on_finish(self, curves: str) -> Message:
        """Return the rows of the cell and write its curves to a new file."""
        values = {name: np.concatenate([chunk[name].result() for chunk in self._chunks]) for name in self._chunks[0]}
        extra: dict[str, NDArray[np.float64]] = {}
        for portions in (self._chunks, self._beside):
            for name in portions[0]:
                kept = [portion[name].curves() for portion in portions]
                extra |= {curve: np.concatenate([one[curve] for one in kept]) for curve in kept[0]}
        rows = [row for name in values for row in self._rows(name, values | extra)]
        packed: dict[str, NDArray[Any]] = {k: array.astype(np.float32) for k, array in (values | extra).items()}
        packed |= joined(self._kept)
        self._chunks, self._beside, self._kept = [], [], []
        write_curves(curves, packed)
        left_out = [kind.name for kind in self.metrics if kind.name not in values]
        remarks = [] if self._cursor is None else self._references["test", self._case].notes
        return Message("done", {"rows": rows, "left_out": left_out, "reference_notes": remarks})

    def on_echo_states(self, size: int, seed: int, count: int) -> Message:
        """Draw the first test states, for an echo."""
        drawn = self._draw(Case(size, seed), Purpose.TEST, 0, count)
        return drawn_message(drawn, vectors=True)

    def on_echo(self, returned: NDArray[np.complex128], size: int, seed: int, curves: str) -> Message:
        """Score states `(n, 2**N)` that came back: return the row and add the values to the curves of the cell."""
        initial = self._draw(Case(size, seed), Purpose.TEST, 0, len(returned)).states
        found = ray_distance(torch.from_numpy(initial), torch.from_numpy(returned)).numpy()
        values = np.full(self._states_of_task(), np.nan, dtype=np.float32)
        values[: len(found)] = found
        with np.load(curves, allow_pickle=False) as arrays:
            write_curves(curves, {**arrays, EchoInfidelity.name: values})
        value, low, high = EchoInfidelity.summarise({EchoInfidelity.name: found}, None)
        row = {"metric": EchoInfidelity.name, "step": None, "value": value, "low": low, "high": high}
        return Message("done", {"row": {**row, "unit": EchoInfidelity.unit}})

    def _rows(self, name: str, arrays: dict[str, NDArray[np.float64]]) -> Iterator[dict[str, Any]]:
        kind = next(kind for kind in self.metrics if kind.name == name)
        bounds = None if self._cursor is None else self._bounds.get(self._case, {}).get(name)
        for step in self.task.report_steps if kind.per_time else [None]:
            value, low, high = kind.summarise(arrays, step)
            bound = None if bounds is None or step is None else float(bounds[: step + 1].max())
            yield {
                "metric": name,
                "step": step,
                "value": value,
                "low": low,
                "high": high,
                "unit": kind.unit,
                "bound": bound,
            }

    def _certify(self, case: Case) -> dict[str, NDArray[np.float64]]:
        """Score an independent evolution of a few states against the reference: no metric can resolve less.

        Returns, for each metric that is zero for a perfect solver, its largest value over the states at the
        next time that was looked at, shape `(T+1,)`; nothing where the problem is too large.
        """
        problem = self._problem(case, batch=CERTIFIED_STATES)
        indices = checkpoints(problem)
        if indices is None:
            return {}
        drawn = self._draw(case, Purpose.TEST, 0, min(CERTIFIED_STATES, self._states_of_task()))
        if case.size > STEPWISE:
            drawn = drawn[:1]
        context = ScoreContext(case.size, problem.times, problem.hamiltonian, initial_of(drawn, vectors=True))
        judged = [kind for kind in self.metrics if kind.needs_reference and kind.per_time and kind.better == "lower"]
        kinds = [kind for kind in judged if kind.applies(context)]
        metrics = {kind.name: kind(context) for kind in kinds}
        cursor = self._reference("test", case, problem.times).cursor(context.initial, key=None, context=context)
        independent = torch.from_numpy(independent_evolution(problem, drawn.states, indices))
        columns = torch.cat([context.initial.states[:, None], independent], dim=1)
        looked_at = np.array([0, *indices])
        for run in np.split(np.arange(len(looked_at)), np.flatnonzero(np.diff(looked_at) > 1) + 1):
            window = Window(context, int(looked_at[run[0]]), columns[:, run[0] : run[-1] + 1])
            for predicted, exact in cursor.beside(window):
                _drop(metrics, exact, of_reference=True)
                for metric in metrics.values():
                    metric.update(predicted, exact)
        next_one = looked_at[np.searchsorted(looked_at, np.arange(problem.steps + 1))]
        return {name: np.abs(metric.result()).max(axis=0)[next_one] for name, metric in metrics.items()}

    def _states_of_task(self) -> int:
        return 1 if self.ensemble.single else self.task.states

    def _draw(self, case: Case, purpose: Purpose, start: int, stop: int) -> Draw:
        return draw(self.task, self.ensemble, case, purpose, start, stop)

    def _in_vectors(self, problem: Problem) -> bool:
        """Say whether the reference has to be given the state vectors, even of product states."""
        return bool(self._solver().needs_states(problem))

    def _problem(self, case: Case, batch: int, use: str = "test", times: NDArray[np.float64] | None = None) -> Problem:
        training = self.task.training
        model = None if use == "test" or training is None else training.model
        return pose(
            self.task,
            self.registry,
            case,
            batch=batch,
            device=self.device,
            threads=self.threads,
            times=times,
            model=model,
        )

    def _solver(self) -> Solver:
        spec = self.task.reference_spec
        if spec is None:
            raise InvalidOutput("the task has no reference")
        return build(self.registry.load("solvers", spec.name), spec.name, spec.parameters)

    def _reference(self, use: str, case: Case, times: NDArray[np.float64]) -> Reference:
        key = (use, case)
        if key not in self._references:
            # One at a time: the reference of the case before is not needed again, its memory is.
            for old in [other for other in self._references if other[0] == use]:
                del self._references[old]
            batch = max(self.task.timing.batch_sizes) if use == "test" else TRAINING_BATCH
            problem = self._problem(case, batch=batch, use=use, times=times)
            self._references[key] = Reference(self._solver(), problem)
        return self._references[key]


def _drop(metrics: dict[str, Metric], window: Window, *, of_reference: bool = False) -> None:
    """Take away the metrics that read what a window does not offer."""
    for name, metric in list(metrics.items()):
        if (metric.needs_reference or not of_reference) and not all(map(window.offers, metric.reads)):
            del metrics[name]
