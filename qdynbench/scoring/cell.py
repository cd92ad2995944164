"""The scoring of one cell: portions of its test states are compared with the reference window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.initial import Initial
from qdynbench.contract.metric import Metric
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block
from qdynbench.contract.validation import check_first, formed, length_of
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.record.schema import Score
from qdynbench.scoring.kept import KeptTrajectories, joined
from qdynbench.scoring.reference import Cursor
from qdynbench.scoring.source import CaseSource
from qdynbench.task.case import Case, Purpose

ReferenceErrors = Mapping[str, NDArray[np.float64]]
"""Largest value between the reference and a second method at each time, shape `(T+1,)`, by metric."""
Curves = dict[str, NDArray[np.float64]]


@dataclass
class Portion:
    """Some test states of a cell while they are scored.

    Attributes:
        context: the case and the states.
        problem: the problem of the case, with its Hamiltonian.
        cursor: the trajectory of the reference; None without a reference.
        metrics: metrics that have a value.
        observing: metrics without their reference, which only keep curves of the prediction.
        kept: whole trajectories of the first states.
        reached: index of the next time to be scored.
    """

    context: ScoreContext
    problem: Problem
    cursor: Cursor | None
    metrics: dict[str, Metric]
    observing: dict[str, Metric]
    kept: KeptTrajectories
    reached: int = 0

    def take(self, start: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Score some times of the prediction.

        Args:
            start: index of the first time.
            tensors: states `(B, k, 2**N)` as "states", and observables by name.

        Raises:
            InvalidOutput: they do not continue the trajectory, or do not begin with the initial states. The process of
                the solver has checked that, but what comes from there is not trusted, and the solver can write to them.
        """
        observables = {name: tensor for name, tensor in tensors.items() if name != "states"}
        block = Block(start, tensors.get("states"), observables)
        checked = formed(block, self.reached, self.problem, len(self.context.initial))
        if self.reached == 0:
            check_first(checked, self.context.initial)
        self.reached += length_of(checked)
        prediction = Window(self.context, start, block.states, observables)
        keep_readable(self.metrics, prediction)
        keep_readable(self.observing, prediction)
        for pair in [Pair(prediction, None)] if self.cursor is None else self.cursor.beside(prediction):
            if pair.exact is not None:
                keep_readable(self.metrics, pair.exact, of_reference=True)
                self.kept.take(pair.prediction, pair.exact)
            for metric in (*self.metrics.values(), *self.observing.values()):
                metric.update(pair)


class CellScoring:
    """Scores one cell, one portion of its test states after the other.

    Args:
        source: gives the problem, the states and the reference.
        case: the case of the cell.
        referenced: whether there is a reference; without one only metrics that need none have a value.
        errors: of the reference, as `qdynbench.scoring.certify.reference_errors` gives them.
    """

    def __init__(self, source: CaseSource, case: Case, *, referenced: bool, errors: ReferenceErrors) -> None:
        self._source, self._case, self._referenced, self._errors = source, case, referenced, errors
        self._portions: list[Portion] = []

    def begin(self, start: int, stop: int) -> Initial:
        """Begin the portion of the test states `start` to `stop`, and return these states."""
        source, case = self._source, self._case
        initial = source.draw(case, Purpose.TEST, start, stop)
        problem = source.problem(case, batch=1)
        context = ScoreContext(case.size, problem.times, None if problem.drive else problem.hamiltonian, initial)
        cursor = None
        if self._referenced:
            cursor = source.reference(case).cursor(initial, key=(case.seed, start, stop), context=context)
        kinds = [kind for kind in source.metrics if kind.applies(context)]
        scored = [kind for kind in kinds if self._referenced or not kind.needs_reference]
        self._portions.append(
            Portion(
                context,
                problem,
                cursor,
                {kind.name: kind(context) for kind in scored},
                {kind.name: kind(context) for kind in kinds if kind not in scored and kind.observes},
                KeptTrajectories(source.task.keep.trajectories - start, context),
            )
        )
        return initial

    def take(self, start: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Score some times of the latest portion, see `Portion.take`."""
        self._portions[-1].take(start, tensors)

    def scores(self) -> tuple[list[Score], dict[str, NDArray[np.generic]]]:
        """Return the scores of all portions together, and the arrays that are kept of the cell, by name."""
        portions = [portion.metrics for portion in self._portions]
        values = {name: np.concatenate([metrics[name].result() for metrics in portions]) for name in portions[0]}
        curves = _curves(portions) | _curves([portion.observing for portion in self._portions])
        found = [score for name in values for score in self._scores(name, values | curves)]
        arrays: dict[str, NDArray[np.generic]] = {k: v.astype(np.float32) for k, v in (values | curves).items()}
        return found, arrays | joined(portion.kept for portion in self._portions)

    def left_out(self) -> list[str]:
        """Return the metrics of the task that have no value in this cell."""
        return [name for name in self._source.names if name not in self._portions[0].metrics]

    def reference_notes(self) -> list[str]:
        """Return the remarks of the reference on its own result."""
        return self._source.reference(self._case).notes if self._referenced else []

    def _scores(self, name: str, arrays: Curves) -> Iterator[Score]:
        kind = next(kind for kind in self._source.metrics if kind.name == name)
        errors = self._errors.get(name) if self._referenced else None
        for step in self._source.task.report_steps if kind.per_time else [None]:
            value, low, high = kind.summarise(arrays, step)
            error = None if errors is None or step is None else float(errors[: step + 1].max())
            yield Score(
                metric=name,
                step=step,
                value=value,
                low=low,
                high=high,
                unit=kind.unit,
                reference_error=error,
                resolution=None if error is None else 2.0**kind.order * error,
            )


def keep_readable(metrics: dict[str, Metric], window: Window, *, of_reference: bool = False) -> None:
    """Remove the metrics that need something that a window does not offer."""
    for name, metric in list(metrics.items()):
        if (metric.needs_reference or not of_reference) and not all(map(window.offers, metric.reads)):
            del metrics[name]


def _curves(portions: list[dict[str, Metric]]) -> Curves:
    found: Curves = {}
    for name in portions[0]:
        kept = [metrics[name].curves() for metrics in portions]
        found |= {curve: np.concatenate([one[curve] for one in kept]) for curve in kept[0]}
    return found
