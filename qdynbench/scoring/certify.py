"""Certification: what the reference is worth, estimated by an independent evolution of some test states.

Both have the Pauli strings and the drive of the model in common, and no code that evolves: what is wrong in the model
itself, no comparison of the two can find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.contract.problem import Problem
from qdynbench.contract.window import ScoreContext, Window
from qdynbench.physics.operators import PauliSum
from qdynbench.scoring.cell import ReferenceErrors, keep_readable
from qdynbench.scoring.source import CaseSource
from qdynbench.task.case import Case, Purpose

BUDGET = 3e8
"""Products of numbers that the independent evolution of a case may take, about a second; the smallest numbers of states
come before it. The count follows from the problem and not from a clock, so that it is the same on every machine."""

STEPWISE = 12
"""Up to this size the independent evolution visits every time of the grid, beyond it only some checkpoints."""

LARGEST = 20
"""Largest size that is certified; beyond it the matrix alone would take more than half a gigabyte."""

CHECKPOINTS = 4

METHOD = "scipy expm_multiply on a sparse matrix"


def method(problem: Problem) -> str:
    """Return how `independent_evolution` was used, for the record, or "" where it cannot be used."""
    if (indices := checkpoints(problem)) is None:
        return ""
    if len(indices) == problem.steps:
        return f"{METHOD}, every step"
    return f"{METHOD}, at steps {', '.join(map(str, indices))}"


def why_not(problem: Problem) -> str:
    """Return why a reference is not certified, or "" where it is."""
    if checkpoints(problem) is not None:
        return ""
    if problem.size > LARGEST:
        return f"more than {LARGEST} spins are too large for the second method"
    return f"a driven model of more than {STEPWISE} spins takes too long by the second method"


def checkpoints(problem: Problem) -> list[int] | None:
    """Return the indices into the time grid at which the reference is certified, with the last one among them.

    Return None if the problem is too large, or driven and larger than `STEPWISE`, since a drive takes every step.
    """
    if problem.size <= STEPWISE:
        return list(range(1, problem.steps + 1))
    if problem.size > LARGEST or problem.drive is not None:
        return None
    return sorted({max(1, round(problem.steps * part / CHECKPOINTS)) for part in range(1, CHECKPOINTS + 1)})


def independent_evolution(
    problem: Problem, states: NDArray[np.complex128], indices: Sequence[int]
) -> NDArray[np.complex128]:
    """Return the states at some times of the grid, shape `(B, len(indices), 2**N)`.

    This is the truncated Taylor series of the exponential in scipy (Al-Mohy and Higham, SIAM J. Sci. Comput. 33, 488
    (2011)), applied to a sparse matrix of the Pauli strings, without diagonalisation, QuSpin or matrix-free products.

    Args:
        problem: the problem with its Hamiltonian or drive.
        states: initial states, shape `(B, 2**N)`.
        indices: ascending indices into the time grid, each at least 1.
    """
    matrices = [_Matrix(operator) for operator in problem.hamiltonians]
    now, here, found = states.T, 0, []
    for index in indices:
        if problem.drive is None:
            now = matrices[0].evolved(now, float(problem.times[index] - problem.times[here]))
        else:
            for step in range(here, index):
                for which, action in problem.pieces(step):
                    now = matrices[which].evolved(now, action)
        here = index
        found.append(now)
    return np.ascontiguousarray(np.stack(found).transpose(2, 0, 1))


def states_for(problem: Problem, available: int) -> int:
    """Return how many test states the independent evolution takes: what the budget affords, at least 2 up to 12 spins.

    scipy multiplies by H about 8 times for each stretch of the grid, and 1.5 times for each unit of `||H|| t`.
    """
    if (indices := checkpoints(problem)) is None:
        return 0
    drive = problem.drive
    stretches = len(indices) if drive is None else sum(len(list(problem.pieces(k))) for k in range(problem.steps))
    strings = max(len(operator.terms) for operator in problem.hamiltonians)
    norm = max(sum(abs(term.coefficient) for term in operator.terms) for operator in problem.hamiltonians)
    products = (8 * stretches + 1.5 * norm * float(problem.times[-1])) * strings * 2.0**problem.size
    return min(available, max(2 if problem.size <= STEPWISE else 1, int(BUDGET / products)))


def reference_errors(source: CaseSource, case: Case) -> ReferenceErrors:
    """Return the error of the reference in each metric that is 0 for a perfect solver, each of shape `(T+1,)`.

    It is the value of the metric for an independent evolution of some states: the largest over these states, at the
    next time that was checked. Other states may be worse. Return none if the problem is too large.
    """
    problem = source.problem(case, batch=1)
    indices = checkpoints(problem)
    if indices is None:
        return {}
    initial = source.draw(case, Purpose.TEST, 0, states_for(problem, source.states))
    context = ScoreContext(case.size, problem.times, None if problem.drive else problem.hamiltonian, initial)
    judged = [kind for kind in source.metrics if kind.needs_reference and kind.per_time and kind.better == "lower"]
    metrics = {kind.name: kind(context) for kind in judged if kind.applies(context)}
    cursor = source.reference(case).cursor(initial, key=None, context=context)
    independent = torch.from_numpy(independent_evolution(problem, initial.states.numpy(), indices))
    columns = torch.cat([initial.states[:, None], independent], dim=1)
    looked_at = np.array([0, *indices])
    for run in np.split(np.arange(len(looked_at)), np.flatnonzero(np.diff(looked_at) > 1) + 1):
        window = Window(context, int(looked_at[run[0]]), columns[:, run[0] : run[-1] + 1])
        for pair in cursor.beside(window):
            keep_readable(metrics, pair.reference, of_reference=True)
            for metric in metrics.values():
                metric.update(pair)
    next_one = looked_at[np.searchsorted(looked_at, np.arange(problem.steps + 1))]
    return {name: np.abs(metric.result()).max(axis=0)[next_one] for name, metric in metrics.items()}


class _Matrix:
    """A sparse Hamiltonian. A real one is applied to real and imaginary parts and is never converted to complex."""

    def __init__(self, operator: PauliSum) -> None:
        self._matrix = operator.to_sparse()
        self._trace = float(self._matrix.diagonal().sum().real)

    def evolved(self, columns: NDArray[np.complex128], action: float) -> NDArray[np.complex128]:
        """Return `exp(-i action H) columns`, shape `(2**N, B)`."""
        from scipy.sparse.linalg import LinearOperator, expm_multiply

        def product(sign: complex) -> Any:
            def multiply(vectors: NDArray[Any]) -> NDArray[np.complex128]:
                stacked = np.ascontiguousarray(vectors, dtype=np.complex128).reshape(len(vectors), -1)
                if np.iscomplexobj(self._matrix.data):
                    result = np.asarray(self._matrix @ stacked)
                else:
                    result = np.asarray(self._matrix @ stacked.view(np.float64)).view(np.complex128)
                scaled: NDArray[np.complex128] = sign * action * result
                return scaled.reshape(np.shape(vectors))

            return multiply

        generator = LinearOperator(
            self._matrix.shape,
            dtype=np.complex128,
            matvec=product(-1j),
            matmat=product(-1j),
            rmatvec=product(1j),
            rmatmat=product(1j),
        )
        evolved: NDArray[np.complex128] = expm_multiply(generator, columns, traceA=-1j * action * self._trace)
        return evolved
