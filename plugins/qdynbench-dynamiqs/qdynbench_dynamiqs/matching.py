"""Which tolerance makes dynamiqs keep a wanted error, and in how many steps; its own is meant for one step.

The rules are fits to the error at the last time against exact diagonalisation, for random states on the mixed-field
Ising chain of 2 to 10 spins; `tests/test_dynamiqs.py` holds it to between a hundredth of the tolerance and the
tolerance, or a thousandth where the grid takes one or two steps. That error is the one that solvers are compared by.
States between dynamiqs's own steps are interpolated, and have a larger error at small tolerances: for that no tolerance
is tightened.
"""

from __future__ import annotations

import math
from typing import Literal

from qdynbench import Problem
from qdynbench.toolkit.schedule import piece_count, total_action

Method = Literal["dopri8", "tsit5", "expm", "propagator"]

ERROR_PER_ACTION = {"dopri8": 0.06, "tsit5": 0.13}
"""Error at the last time in units of the local one and of the action `sum |coefficients| t`, which bounds `|E| t`."""

ROUNDING = 1e-14
"""Smallest tolerance in units of the action: double precision ends there."""


def smallest(problem: Problem) -> float:
    """Return the smallest tolerance that double precision reaches on the problem's grid."""
    return float(ROUNDING * max(1.0, total_action(problem)))


def local(method: Method, tolerance: float, problem: Problem) -> float:
    """Return the 2-norm error of one step that adds up to at most `tolerance` at the last time."""
    return float(tolerance / (ERROR_PER_ACTION[method] * max(1.0, total_action(problem))))


def steps_of(method: Method, tolerance: float, problem: Problem) -> float:
    """Return about how many steps dynamiqs takes; two for every piece of a drive, which starts anew."""
    phase, order = max(1.0, total_action(problem)), {"dopri8": 8, "tsit5": 5}[method]
    starts = 1 if problem.drive is None else piece_count(problem)
    return float(0.1 * phase * local(method, tolerance, problem) ** (-1 / order) + 2 * starts)


def absolute(method: Method, tolerance: float, problem: Problem) -> float:
    """Return dynamiqs's `atol` (with `rtol=0`): the root mean square error of the amplitudes in one step.

    The norm of a state does not change, so an absolute tolerance does.
    """
    return local(method, tolerance, problem) / math.sqrt(problem.dimension)
