"""Which options make QuTiP end at a wanted error, and in how many steps; its own tolerances are meant for one step.

The rules are fits to the error at the last time against exact diagonalisation, for random states on the mixed-field
Ising chain of 2 to 10 spins, `action` (below) 0.4 to 800 and tolerances 1e-4 to 1e-12. They aim at an error between a
tenth of the tolerance and the tolerance; `tests/test_qutip.py` holds them to it.
"""

from __future__ import annotations

import math
from typing import Literal

from qdynbench import Problem
from qdynbench.toolkit.schedule import piece_count, total_action
from qdynbench.toolkit.strings import norm_bound

Method = Literal["vern9", "adams", "krylov", "diag"]

ERROR_PER_ACTION = {"vern9": 0.03, "adams": 12.0}
"""Error at the last time in units of the local one and of the action `sum |coefficients| t`, which bounds `|E| t`."""

OUTLIER = {"vern9": 0.35, "adams": 0.75}
"""Error of one state in units of the tolerance and of `sqrt(batch)`, where all other states of the batch stand still:
QuTiP holds the root mean square over all amplitudes of the batch to its tolerance."""

KRYLOV_ERROR_PER_STEP = 0.3
"""Error of one Krylov step in units of QuTiP's `atol` and of `sum |coefficients|`: its bound leaves out one
off-diagonal element of the Lanczos matrix, which is about a third of that sum."""

ROUNDING = 1e-14
"""Smallest tolerance in units of the action: double precision ends there."""


def smallest(problem: Problem) -> float:
    """Return the smallest tolerance that double precision reaches on the problem's grid."""
    return ROUNDING * max(1.0, total_action(problem))


def promised(method: Method, tolerance: float, problem: Problem) -> float:
    """Return the largest 2-norm error of a state; in a batch, that of a state which moves alone.

    `diag` promises rounding. QuTiP's eigenvectors of a degenerate Hamiltonian amplify it: they are not orthogonal.
    """
    if method == "diag":
        return 1e-11 + 10 * smallest(problem)
    if method == "krylov":
        return tolerance
    return tolerance * max(1.0, OUTLIER[method] * math.sqrt(problem.batch))


def options(method: Method, tolerance: float, problem: Problem, krylov_dim: int) -> dict[str, object]:
    """Return the options of `qutip.SESolver` that end at a 2-norm error of about `tolerance`."""
    # Normalising the output would hide a part of the error, and is not made for batches.
    common: dict[str, object] = {"method": method, "normalize_output": False, "progress_bar": ""}
    if method == "diag":
        return common
    if method == "krylov":
        dim = min(krylov_dim, problem.dimension)
        local = krylov_tolerance(tolerance, problem, dim)
        # A subdiagonal element below this ends the subspace, and leaks at most that much per unit of time.
        largest = max(map(norm_bound, problem.hamiltonians), default=0.0)
        end = max(1e-13 * largest, 0.1 * tolerance / float(problem.times[-1]))
        return {
            **common,
            "krylov_dim": dim,
            "atol": local,
            "sub_system_tol": end,
            "always_compute_step": True,  # else the step of the first state would serve for all
            "min_step": 0.0,
            "nsteps": 10**9,
        }
    # The norm of a state does not change, so an absolute tolerance does; it is a root mean square over amplitudes.
    local = local_error(method, tolerance, problem)
    return {**common, "atol": local / math.sqrt(problem.dimension), "rtol": 0.0, "nsteps": 10**9}


def local_error(method: Literal["vern9", "adams"], tolerance: float, problem: Problem) -> float:
    """Return the error of one step that adds up to `tolerance`."""
    return tolerance / (ERROR_PER_ACTION[method] * max(1.0, total_action(problem)))


def steps_of(method: Literal["vern9", "adams"], tolerance: float, problem: Problem) -> float:
    """Return about how many steps QuTiP takes. Every piece of a drive starts anew, at the shortest by one step."""
    local, phase = local_error(method, tolerance, problem), max(1.0, total_action(problem))
    starts = 0 if problem.drive is None else piece_count(problem)
    if method == "vern9":
        return float(phase / 9 * local ** (-1 / 9) + 1 + 2 * starts)
    return phase * (6 + 2.7 * max(0.0, -math.log10(local) - 6)) + 10 * starts


def krylov_steps(local: float, problem: Problem, dim: int) -> float:
    """Return how many steps of `atol=local` QuTiP takes: its length is `(atol n! / prod beta)**(1/n)`.

    The elements beta of the Lanczos matrix, `n - 1` of them, are about a third of `sum |coefficients|`.
    """
    largest = max(map(norm_bound, problem.hamiltonians), default=0.0)
    if largest == 0 or dim >= problem.dimension:  # then the subspace is the whole space, and one step has no error
        return 1.0
    length = math.exp((math.log(local) + math.lgamma(dim + 1) - (dim - 1) * math.log(largest / 3)) / dim)
    return max(1.0, total_action(problem) / largest / length)


def krylov_tolerance(tolerance: float, problem: Problem, dim: int) -> float:
    """Return the `atol` whose error over all Krylov steps is `tolerance`."""
    largest = max(map(norm_bound, problem.hamiltonians), default=0.0)
    local = tolerance
    # The number of steps depends weakly on the tolerance, so a few rounds settle it.
    for _ in range(5):
        local = tolerance / max(1.0, KRYLOV_ERROR_PER_STEP * largest * krylov_steps(local, problem, dim))
    return local
