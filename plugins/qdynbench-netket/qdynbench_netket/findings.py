"""What whoever reads a result has to know: where the variational principle, or its integration, met its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from qdynbench import PauliSum
    from qdynbench_netket.evolution import Course

LARGE_RESIDUALS = (0.01, 0.1)
"""Shares of the motion that the ansatz leaves out, the largest of which that was exceeded is noted."""

LOW_ACCEPTANCE = 0.1

SAMPLED_DRIFT = 1e-3
"""Drift of the energy, in units of `sum |coefficients|`, that is worth a note where forces are sampled."""


def left_out(rates: NDArray[np.complex128], states: NDArray[np.complex128], operator: PauliSum) -> float:
    """Return the largest `R**2`, the share of the exact motion that the variational one lacks, of k states.

    `R**2 = |psi_v' - psi_e'|**2 / |psi_e'|**2`, where `psi_v' = rates * psi` and `psi_e' = -i H psi`, each without
    its part along `psi`, which is norm and phase. A state that stands still lacks nothing.

    Args:
        rates: derivatives of `log psi` in each basis state, shape `(k, 2**N)`.
        states: normalised, shape `(k, 2**N)`.
        operator: H.
    """
    exact = _across(-1j * (operator.to_sparse() @ states.T).T, states)
    missing = _across(rates * states, states) - exact
    speeds = (np.abs(exact) ** 2).sum(axis=-1)
    lacking = (np.abs(missing) ** 2).sum(axis=-1)
    return float((lacking[speeds > 1e-20] / speeds[speeds > 1e-20]).max(initial=0.0))


def _across(changes: NDArray[np.complex128], states: NDArray[np.complex128]) -> NDArray[np.complex128]:
    along = np.einsum("kb,kb->k", states.conj(), changes)
    across: NDArray[np.complex128] = changes - along[:, None] * states
    return across


def remarks(
    course: Course, *, halvings: int, drift: float, residual: float, tolerance: float, cutoff: float, sampled: bool
) -> Iterator[str]:
    """Yield what is to be said of one state; in round numbers, so that many states say the same.

    Args:
        course: its evolution.
        halvings: how often the step was halved.
        drift: largest drift of its energy, in units of `sum |coefficients|`.
        residual: its largest `R**2`.
        tolerance: of the drift.
        cutoff: of the geometric tensor.
        sampled: whether averages are sampled.
    """
    if halvings:
        yield "a state took a shorter step, since its energy drifted or its couplings diverged"
    if sampled and drift >= SAMPLED_DRIFT:
        yield f"the energy of a state drifts by more than {SAMPLED_DRIFT} sum |coefficients|: too few samples"
    if not sampled and drift >= tolerance:
        yield f"the energy of a state drifts by more than {tolerance} sum |coefficients| even at the shortest step"
    reached = [level for level in LARGE_RESIDUALS if residual > level]
    if reached:
        yield f"the wave function of a state cannot follow a share R^2 > {reached[-1]} of the motion"
    if (course.eigenvalues < cutoff).any():
        yield "directions of the geometric tensor of a state fell below the cutoff"
    if sampled and course.acceptance < LOW_ACCEPTANCE:
        yield f"the sampler of a state accepted less than {LOW_ACCEPTANCE:.0%} of the proposed spin flips"
