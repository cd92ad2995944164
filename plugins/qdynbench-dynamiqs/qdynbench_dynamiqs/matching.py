"""Which tolerance makes dynamiqs keep a wanted error, and in how many steps; its own is meant for one step.

The rules are fits to the error against exact diagonalisation, for random states on the mixed-field Ising chain of 2 to
10 spins; `tests/test_dynamiqs.py` holds the largest error on the grid to between a hundredth of the tolerance and the
tolerance. Between its own steps dynamiqs interpolates. With `dopri8` that is the larger error, and the smaller the
tolerance the more so: the interpolant is of lower order than the method.
"""

from __future__ import annotations

import math
from typing import Literal

from qdynbench import Problem
from qdynbench.toolkit.schedule import piece_count, total_action

Method = Literal["dopri8", "tsit5", "expm"]

ERROR_PER_ACTION = {"dopri8": 0.06, "tsit5": 0.13}
"""Error at the last time in units of the local one and of the action `sum |coefficients| t`, which bounds `|E| t`."""

INTERPOLATION = {"dopri8": (0.22, 0.75), "tsit5": (0.6, 1.0)}
"""`(c, q)` of the error `c e**q` between the steps, `e` being the local error. At `dopri8` 0.11 to 0.14 and 0.75 were
measured over six decades of `e`: an interpolant of order 5."""

ROUNDING = 1e-14
"""Smallest tolerance in units of the action, and smallest local error: double precision ends there."""


def smallest(method: Method, problem: Problem) -> float:
    """Return the smallest tolerance that double precision reaches on the problem's grid."""
    least = ROUNDING * max(1.0, total_action(problem))
    if method == "expm":
        return least
    factor, order = INTERPOLATION[method]
    return float(max(least, factor * ROUNDING**order))


def local(method: Method, tolerance: float, problem: Problem) -> float:
    """Return the 2-norm error of one step with which all errors stay below `tolerance` on the whole grid."""
    factor, order = INTERPOLATION[method]
    adding_up = tolerance / (ERROR_PER_ACTION[method] * max(1.0, total_action(problem)))
    return float(min(adding_up, (tolerance / factor) ** (1 / order)))


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
