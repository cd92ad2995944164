"""Which tolerance makes dynamiqs end at a wanted error: its own is meant for one amplitude and one step.

The rules are fits to the error at the last time against exact diagonalisation, for random states on the mixed-field
Ising chain of 2 to 10 spins; `tests/test_dynamiqs.py` holds them to an error between a hundredth of the tolerance and
the tolerance.
"""

from __future__ import annotations

import math
from typing import Literal

from qdynbench.physics.schedule import action
from qdynbench.solver import Problem

Method = Literal["dopri8", "tsit5", "expm"]

ERROR_PER_ACTION = {"dopri8": 0.06, "tsit5": 0.1}
"""Error at the last time in units of the local one and of the action `sum |coefficients| t`, which bounds `|E| t`."""

ROUNDING = 1e-14
"""Smallest tolerance in units of the action: double precision ends there."""


def smallest(problem: Problem) -> float:
    """Return the smallest tolerance that double precision reaches on the problem's grid."""
    return ROUNDING * max(1.0, action(problem))


def local(method: Method, tolerance: float, problem: Problem) -> float:
    """Return the 2-norm error of one step that adds up to `tolerance` over the grid."""
    return tolerance / (ERROR_PER_ACTION[method] * max(1.0, action(problem)))


def absolute(method: Method, tolerance: float, problem: Problem) -> float:
    """Return dynamiqs's `atol` (with `rtol=0`): the root mean square error of the amplitudes in one step.

    The norm of a state does not change, so an absolute tolerance does.
    """
    return local(method, tolerance, problem) / math.sqrt(problem.dimension)
