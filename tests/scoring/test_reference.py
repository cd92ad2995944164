"""The reference: walked beside a prediction, kept while it is small, and never computed twice without need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from qdynbench import Block, Given, Initial, Knowledge, PauliSum, Problem, ScoreContext, Solver, Window
from qdynbench.scoring import reference


def test_observables_of_a_reference_that_is_not_kept_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "KEPT_BYTES", 0)
    operator = PauliSum.from_terms(12, [(1.0, "ZZ", (0, 1)), (0.5, "X", (3,))])
    problem = Problem(12, np.linspace(0, 1, 4), operator)
    states = np.zeros((2, 1 << 12), dtype=np.complex128)
    states[:, [1, 77]] = 0.6, 0.8j
    initial = Initial(torch.from_numpy(states))
    context = ScoreContext(12, problem.times, operator, initial)
    exact = reference.Reference(Stepwise(), problem)
    seen = []
    for _ in range(2):
        cursor = exact.cursor(initial, key="all", context=context)
        for step in range(4):
            prediction = Window(context, step, torch.from_numpy(states)[:, None])
            (pair,) = cursor.beside(prediction)
            beside = pair.reference
            seen.append((beside.known(), beside.energy, beside.spins["z"], beside.entropy))
    for (before, *first), (known, *second) in zip(seen[:3], seen[4:7], strict=True):
        assert not before
        assert {"energy", "entropy", "x", "y", "z"} <= set(known)
        assert all(map(torch.equal, first, second))


class Stepwise(Solver):
    """Nothing moves; one block a step, all in the same buffer."""

    knowledge = Knowledge.HAMILTONIAN

    def solve(self, given: Given) -> Iterator[Block]:
        buffer = given.states[:, None].clone()
        for step in range(self.problem.steps + 1):
            yield Block(step, buffer)
