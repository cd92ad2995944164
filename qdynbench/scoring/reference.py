"""The reference trajectory, walked block by block beside a prediction and kept only while it is small."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.initial import Given, Initial
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block, Solver
from qdynbench.contract.validation import checked_blocks, tensors_in
from qdynbench.contract.window import Pair, ScoreContext, Window
from qdynbench.errors import Infeasible, InputError, QdynbenchError, Unsupported
from qdynbench.record.schema import kept_notes

KEPT_BYTES = 600e6
"""A trajectory up to this size is kept for the next solver of the case, with the observables computed on it."""


REMEMBERED_FROM = 12
"""Of a longer trajectory of so many spins the observables alone are kept: less than a hundredth of its bytes."""


class NoReference(QdynbenchError):
    """The reference does not take a case, which shows only when it is asked; the case then has none."""


class Reference:
    """A prepared reference solver for one problem; where it yields observables, so do its windows."""

    def __init__(self, solver: Solver, problem: Problem) -> None:
        self.problem = problem
        self.solver = solver
        with _refusals():
            solver.prepare(problem)
        self._said: list[list[str]] = []
        self._kept: dict[Any, list[Window]] = {}
        self._known: dict[Any, dict[int, dict[str, torch.Tensor]]] = {}

    def blocks(self, initial: Initial) -> Iterator[Block]:
        """Solve, in time order, checked like any solver's output."""
        given = Given(initial.to(self.problem.device))
        self._said.append(given.notes)
        with _refusals():
            yield from checked_blocks(self.solver.solve(given), self.problem, given.initial)

    @property
    def notes(self) -> list[str]:
        """What the solver had to say of the trajectories that it was asked for, each once."""
        return kept_notes(itertools.chain.from_iterable(self._said))

    def trajectories(self, initial: Initial) -> NDArray[np.complex128]:
        """Return whole trajectories, shape `(B, T+1, 2**N)`; for training data, which has to fit in memory anyway.

        Raises:
            InputError: the reference yields observables.
        """
        result = np.empty(0, dtype=np.complex128)
        for block in self.blocks(initial):
            if block.states is None:
                size = self.problem.size
                raise InputError(f"training data are states, and the reference yields observables at {size} spins")
            if block.start == 0:
                result = np.empty((len(initial), self.problem.steps + 1, block.states.shape[-1]), dtype=np.complex128)
            result[:, block.start : block.start + block.states.shape[1]] = block.states.cpu().numpy()
        return result

    def cursor(self, initial: Initial, *, key: Any, context: ScoreContext) -> Cursor:
        """Return a cursor over the trajectory of some states; an equal `key` may be served from memory."""
        if key in self._kept:
            return Cursor(iter(self._kept[key]))
        windows = self._windows(initial, context)
        if key is None:
            return Cursor(windows)
        first = next(windows)
        windows = itertools.chain([first], windows)
        fits = first.bytes_per_time * len(self.problem.times) <= KEPT_BYTES
        if fits:  # copied, because a block is only valid until the next one is asked for
            self._kept = {key: [window.copy() for window in windows]}
            return Cursor(iter(self._kept[key]))
        if self.problem.size >= REMEMBERED_FROM:
            return Cursor(self._remembering(self._known.setdefault(key, {}), windows))
        return Cursor(windows)

    @staticmethod
    def _remembering(known: dict[int, dict[str, torch.Tensor]], windows: Iterator[Window]) -> Iterator[Window]:
        """Solve again, but take over what an earlier solver of the case had computed on the same blocks."""
        for window in windows:
            if window.start in known:
                window.take(known[window.start])
            yield window
            known[window.start] = window.known()

    def _windows(self, initial: Initial, context: ScoreContext) -> Iterator[Window]:
        for block in self.blocks(initial):
            tensors = {name: tensor.cpu() for name, tensor in tensors_in(block).items()}
            yield Window(context, block.start, tensors.pop("states", None), tensors)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (Infeasible, Unsupported) as error:
        raise NoReference(str(error)) from error


class Cursor:
    """Hands out the reference in whatever portions the prediction comes in."""

    def __init__(self, windows: Iterator[Window]) -> None:
        self._windows = windows
        self._now: Window | None = None

    def beside(self, prediction: Window) -> Iterator[Pair]:
        """Cut a prediction where the reference's blocks end; yield aligned pairs."""
        position = prediction.start
        while position < prediction.end:
            while self._now is None or position >= self._now.end:
                self._now = next(self._windows)
            end = min(prediction.end, self._now.end)
            yield Pair(
                prediction.part(position - prediction.start, end - prediction.start),
                self._now.part(position - self._now.start, end - self._now.start),
            )
            position = end
