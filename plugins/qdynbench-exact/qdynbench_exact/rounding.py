"""Figures of a problem that predictions are made from: norms, entries, and what rounding leaves of a tolerance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from qdynbench.contract.solver import Problem
    from qdynbench.physics.operators import PauliSum

EPSILON = {"double": float(np.finfo(np.float64).eps), "single": float(np.finfo(np.float32).eps)}


def norm_bound(hamiltonian: PauliSum) -> float:
    """Return the sum of all `|coefficient|`, at least the 2-norm of the operator."""
    return sum(abs(term.coefficient) for term in hamiltonian.terms)


def entries_per_row(hamiltonian: PauliSum) -> int:
    """Return how many entries a row of the sparse matrix has at most."""
    return len(flips(hamiltonian))


def flips(hamiltonian: PauliSum) -> set[tuple[int, ...]]:
    """Return the different sets of sites that strings flip together, each in order; `()` is that of strings of Z."""
    flipped = [[s for p, s in zip(t.paulis, t.sites, strict=True) if p != "Z"] for t in hamiltonian.terms]
    return {tuple(sorted(sites)) for sites in flipped}


def total_action(problem: Problem) -> float:
    """Return a bound of `|| H || t` over the whole grid, of all Hamiltonians in turn."""
    if problem.drive is None:
        return sum(map(norm_bound, problem.hamiltonians)) * float(problem.times[-1])
    norms = [norm_bound(hamiltonian) for hamiltonian in problem.hamiltonians]
    return sum(norms[k] * abs(s) for step in range(problem.steps) for k, s in problem.pieces(step))


def reachable_error(problem: Problem, precision: Literal["double", "single"]) -> float:
    """Return about the 2-norm error that rounding alone makes by the last time.

    Every step rounds the state anew, and every phase `|E| t` carries the relative error of `E`.
    """
    return EPSILON[precision] * (math.sqrt(problem.steps) + total_action(problem) / 4)


def refused(problem: Problem, tolerance: float, precision: Literal["double", "single"]) -> str | None:
    """Say that `tolerance` is out of reach in `precision` on this grid, with the figure; None where it is not."""
    if not 0 < tolerance < 1:
        return f"tolerance={tolerance:g} is no error of a state: it lies between 0 and 1"
    least = reachable_error(problem, precision)
    if tolerance >= least:
        return None
    return f"tolerance={tolerance:g} is out of reach: {precision} precision rounds to about {least:.1g} on this grid"
