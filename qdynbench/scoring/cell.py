"""The scoring of one cell: portions of test states, each compared with the reference window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.initial import Initial
from qdynbench.contract.metric import Metric
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.errors import InvalidOutput
from qdynbench.record.schema import Score
from qdynbench.scoring.kept import KeptTrajectories, joined
from qdynbench.scoring.reference import Cursor
from qdynbench.scoring.source import CaseSource
from qdynbench.task.case import Case, Purpose

Bounds = Mapping[str, NDArray[np.float64]]
"""For each metric that was certified, the reference's own error up to each time, shape `(T+1,)`."""
Curves = dict[str, NDArray[np.float64]]


@dataclass
class Portion:
    """Some test states of a cell while they are scored.

    Attributes:
        context: the case and the states.
        cursor: hands out the reference; None without one.
        metrics: that have a value.
        observing: that lack their reference and keep curves of the prediction alone.
        kept: whole trajectories of the first states.
        reached: index of the next time to be scored.
    """

    context: ScoreContext
    cursor: Cursor | None
    metrics: dict[str, Metric]
    observing: dict[str, Metric]
    kept: KeptTrajectories
    reached: int = 0

    def take(self, start: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Score some times of the prediction.

        Args:
            start: index into the time grid of the first.
            tensors: states `(B, k, 2**N)` as "states", and observables by name.
        """
        given = dict(tensors)
        if start != self.reached:
            raise InvalidOutput(f"a block that starts at time index {self.reached} expected, one at {start} came")
        self.reached += next(iter(given.values())).shape[1]
        prediction = Window(self.context, start, given.pop("states", None), given)
        keep_readable(self.metrics, prediction)
        keep_readable(self.observing, prediction)
        for pair in [Pair(prediction, None)] if self.cursor is None else self.cursor.beside(prediction):
            if pair.exact is not None:
                keep_readable(self.metrics, pair.exact, of_reference=True)
                self.kept.take(pair.prediction, pair.exact)
            for metric in (*self.metrics.values(), *self.observing.values()):
                metric.update(pair)


class CellScoring:
    """Scores one cell, portion by portion of its test states.

    Args:
        source: poses the case and draws its states.
        case: of the cell.
        referenced: whether there is a reference; without one only metrics that need none have a value.
        bounds: of the case's reference, as `qdynbench.scoring.certify.bounds` gives them.
    """

    def __init__(self, source: CaseSource, case: Case, *, referenced: bool, bounds: Bounds) -> None:
        self._source, self._case, self._referenced, self._bounds = source, case, referenced, bounds
        self._portions: list[Portion] = []

    def begin(self, start: int, stop: int) -> Initial:
        """Begin with the test states `start` to `stop`, and return them."""
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
                cursor,
                {kind.name: kind(context) for kind in scored},
                {kind.name: kind(context) for kind in kinds if kind not in scored and kind.observes},
                KeptTrajectories(source.task.keep.trajectories - start, context),
            )
        )
        return initial

    def take(self, start: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Score some times of the portion that was begun last, see `Portion.take`."""
        self._portions[-1].take(start, tensors)

    def scores(self) -> tuple[list[Score], dict[str, NDArray[np.generic]]]:
        """Return the scores of all portions together, and what is kept of the cell, by the names of the arrays."""
        portions = [portion.metrics for portion in self._portions]
        values = {name: np.concatenate([metrics[name].result() for metrics in portions]) for name in portions[0]}
        curves = _curves(portions) | _curves([portion.observing for portion in self._portions])
        found = [score for name in values for score in self._scores(name, values | curves)]
        arrays: dict[str, NDArray[np.generic]] = {k: v.astype(np.float32) for k, v in (values | curves).items()}
        return found, arrays | joined(portion.kept for portion in self._portions)

    def left_out(self) -> list[str]:
        """Return what the task asks for and this cell has no value of."""
        return [name for name in self._source.names if name not in self._portions[0].metrics]

    def reference_notes(self) -> list[str]:
        """Return what the reference had to say of its own result."""
        return self._source.reference(self._case).notes if self._referenced else []

    def _scores(self, name: str, arrays: Curves) -> Iterator[Score]:
        kind = next(kind for kind in self._source.metrics if kind.name == name)
        bounds = self._bounds.get(name) if self._referenced else None
        for step in self._source.task.report_steps if kind.per_time else [None]:
            value, low, high = kind.summarise(arrays, step)
            bound = None if bounds is None or step is None else float(bounds[: step + 1].max())
            yield Score(metric=name, step=step, value=value, low=low, high=high, unit=kind.unit, bound=bound)


def keep_readable(metrics: dict[str, Metric], window: Window, *, of_reference: bool = False) -> None:
    """Take away the metrics that read what a window does not offer."""
    for name, metric in list(metrics.items()):
        if (metric.needs_reference or not of_reference) and not all(map(window.offers, metric.reads)):
            del metrics[name]


def _curves(portions: list[dict[str, Metric]]) -> Curves:
    found: Curves = {}
    for name in portions[0]:
        kept = [metrics[name].curves() for metrics in portions]
        found |= {curve: np.concatenate([one[curve] for one in kept]) for curve in kept[0]}
    return found
