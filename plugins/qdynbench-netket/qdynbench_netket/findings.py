"""What whoever reads a result has to know: where the variational principle, or its integration, met its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qdynbench.physics.operators import PauliSum

LARGE_RESIDUAL = 0.01
"""Share of the motion that the ansatz leaves out, from which on it is worth a note."""

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


@dataclass
class Findings:
    """Collects of each state of a batch what may be worth a note, and writes the notes.

    Attributes:
        cutoff: of the geometric tensor.
        tolerance: of the energy's drift.
        sampled: whether averages are sampled.
    """

    cutoff: float
    tolerance: float
    sampled: bool
    halvings: list[int] = field(default_factory=list)
    drifts: list[float] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    acceptances: list[float] = field(default_factory=list)
    couplings: int = 0

    def add(self, *, halvings: int, drift: float, residual: float, course: Any) -> None:
        """Take note of one state, `course` being its `evolution.Course`."""
        self.halvings.append(halvings)
        self.drifts.append(drift)
        self.residuals.append(residual)
        self.dropped.append(int((course.eigenvalues < self.cutoff).sum()))
        self.acceptances.append(course.acceptance)
        self.couplings = len(course.eigenvalues)

    def notes(self) -> list[str]:
        """Return the notes; they give the worst of all states."""
        found: list[str] = []
        total = len(self.halvings)
        if not total:
            return found
        if shortened := sum(h > 0 for h in self.halvings):
            found.append(
                f"{shortened} of {total} states took a shorter step, down to 1/{2 ** max(self.halvings)} of it, since "
                "the energy drifted or the couplings diverged"
            )
        limit = SAMPLED_DRIFT if self.sampled else self.tolerance
        if drifting := sum(drift >= limit for drift in self.drifts):
            which = "sampled energy" if self.sampled else "energy, even at the shortest step,"
            found.append(
                f"the {which} of {drifting} of {total} states drifts by up to {max(self.drifts):.1e} sum |coefficients|"
            )
        large = sum(residual > LARGE_RESIDUAL for residual in self.residuals)
        if large:
            found.append(
                f"the wave function cannot follow up to R^2 = {max(self.residuals):.1e} of the motion "
                f"(above {LARGE_RESIDUAL} in {large} of {total} states)"
            )
        if cut := sum(dropped > 0 for dropped in self.dropped):
            found.append(
                f"at the last time up to {max(self.dropped)} of {self.couplings} directions of the geometric tensor "
                f"were below the cutoff (in {cut} of {total} states)"
            )
        if self.sampled and min(self.acceptances) < LOW_ACCEPTANCE:
            found.append(f"the sampler accepted as little as {min(self.acceptances):.1%} of the proposed spin flips")
        return found
