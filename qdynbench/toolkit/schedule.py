"""How a time grid falls into stretches under one Hamiltonian, and how much action it has; hbar = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qdynbench.toolkit.strings import norm_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qdynbench.contract.problem import Problem


@dataclass(frozen=True)
class Stretch:
    """Consecutive steps of the grid that are evolved in one go.

    Attributes:
        start: index of the first time that is reached; the state at `start - 1` is where the stretch begins.
        count: number of steps, and of times reached.
        pieces: of each of the steps, as from `Problem.pieces`. Where there are several, `count` is 1.
    """

    start: int
    count: int
    pieces: tuple[tuple[int, float], ...]


def stretches(problem: Problem, longest: int) -> Iterator[Stretch]:
    """Cut the grid into stretches of at most `longest` steps, in order of time.

    A step of a single piece lies within one segment that lasts: neighbours of the same segment belong together.
    """
    step = 0
    while step < problem.steps:
        pieces, count = problem.pieces(step), 1
        if len(pieces) == 1:
            most = min(longest, problem.steps - step)
            if problem.drive is None:
                count = most
            while count < most and _same(problem.pieces(step + count), pieces):
                count += 1
        yield Stretch(step + 1, count, pieces)
        step += count


def _same(pieces: tuple[tuple[int, float], ...], others: tuple[tuple[int, float], ...]) -> bool:
    return len(pieces) == 1 and pieces[0][0] == others[0][0]


def total_action(problem: Problem) -> float:
    """Return an upper bound of the largest phase `|E| t` that the grid gathers, over all pieces of a driven model."""
    norms = [norm_bound(hamiltonian) for hamiltonian in problem.hamiltonians]
    if problem.drive is None:
        return sum(norms) * float(problem.times[-1])
    return sum(norms[k] * abs(s) for step in range(problem.steps) for k, s in problem.pieces(step))


def piece_count(problem: Problem) -> int:
    """Return how many pieces of constant Hamiltonian the grid is made of: one for each step of a static model."""
    if problem.drive is None:
        return problem.steps
    return sum(len(problem.pieces(step)) for step in range(problem.steps))
