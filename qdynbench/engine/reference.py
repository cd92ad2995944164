"""The reference trajectory, walked block by block beside a prediction and kept only while it is small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.engine.blocks import checked_blocks, tensors_in
from qdynbench.metric import ScoreContext
from qdynbench.solver import Block, Initial, Problem, Solver
from qdynbench.window import Window

KEPT_BYTES = 600e6
"""A trajectory up to this size is kept for the next solver of the case, with the observables computed on it."""


REMEMBERED_FROM = 12
"""Of a longer trajectory of so many spins the observables alone are kept: less than a hundredth of its bytes."""


class Reference:
    """A prepared reference solver for one problem."""

    def __init__(self, solver: Solver, problem: Problem) -> None:
        self.problem = problem
        self.solver = solver
        solver.problem = problem
        solver.prepare(problem)
        self._kept: dict[Any, list[Window]] = {}
        self._known: dict[Any, dict[int, dict[str, torch.Tensor]]] = {}

    def blocks(self, states: NDArray[np.complex128]) -> Iterator[Block]:
        """Solve, in time order, checked like any solver's output."""
        initial = Initial(torch.from_numpy(states).to(self.problem.device))
        yield from checked_blocks(self.solver.solve(initial), self.problem, initial)

    def trajectories(self, states: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return whole trajectories, shape `(B, T+1, 2**N)`; for training data, which has to fit in memory anyway."""
        result = np.empty((len(states), self.problem.steps + 1, states.shape[1]), dtype=np.complex128)
        for block in self.blocks(states):
            assert block.states is not None  # noqa: S101 - a reference yields states; this tells the type checker
            result[:, block.start : block.start + block.states.shape[1]] = block.states.cpu().numpy()
        return result

    def cursor(self, states: NDArray[np.complex128], *, key: Any, context: ScoreContext) -> Cursor:
        """Return a cursor over the trajectory of `states`; an equal `key` may be served from memory."""
        if key in self._kept:
            return Cursor(iter(self._kept[key]))
        fits = states.nbytes * len(self.problem.times) <= KEPT_BYTES
        if key is None or not (fits or self.problem.size >= REMEMBERED_FROM):
            return Cursor(self._windows(states, context))
        if not fits:
            return Cursor(self._remembering(self._known.setdefault(key, {}), states, context))
        self._kept = {key: list(self._windows(states, context, copied=True))}
        return Cursor(iter(self._kept[key]))

    def _remembering(
        self, known: dict[int, dict[str, torch.Tensor]], states: NDArray[np.complex128], context: ScoreContext
    ) -> Iterator[Window]:
        """Solve again, but take over what an earlier solver of the case had computed on the same blocks."""
        for window in self._windows(states, context):
            if window.start in known:
                window.take(known[window.start])
            yield window
            known[window.start] = window.known()

    def _windows(
        self, states: NDArray[np.complex128], context: ScoreContext, *, copied: bool = False
    ) -> Iterator[Window]:
        for block in self.blocks(states):
            tensors = {name: tensor.cpu() for name, tensor in tensors_in(block).items()}
            if copied:  # because a block is only valid until the next one is asked for
                tensors = {name: tensor.clone() for name, tensor in tensors.items()}
            yield Window(context, block.start, tensors.pop("states", None), tensors)


class Cursor:
    """Hands out the reference in whatever portions the prediction comes in."""

    def __init__(self, windows: Iterator[Window]) -> None:
        self._windows = windows
        self._now: Window | None = None

    def beside(self, prediction: Window) -> Iterator[tuple[Window, Window]]:
        """Cut a prediction where the reference's blocks end; yield aligned (prediction, reference) parts."""
        position = prediction.start
        while position < prediction.end:
            while self._now is None or position >= self._now.end:
                self._now = next(self._windows)
            end = min(prediction.end, self._now.end)
            yield (
                prediction.part(position - prediction.start, end - prediction.start),
                self._now.part(position - self._now.start, end - self._now.start),
            )
            position = end
