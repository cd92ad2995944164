"""Generators of small chains, and the regression of one translation-invariant two-site generator on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from qdynbench import InputError, PauliSum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PHASE = "I"
STRINGS = ("X", "Y", "Z", *(first + second for first in "XYZ" for second in "XYZ"))
LARGEST_PHASE = 0.9 * np.pi


@dataclass(frozen=True)
class LocalModel:
    """A generator `sum_i (sum_P c_P P_i + sum_PQ c_PQ P_i Q_{i+1} + c_I)`; hbar = 1.

    Attributes:
        coefficients: energy of each Pauli string, and of the phase per site ("I").
        periodic: whether the last site is bound to the first.
        residual: norm of what the regression leaves over that of the generators it was fitted to.
    """

    coefficients: dict[str, float]
    periodic: bool
    residual: float

    def hamiltonian(self, size: int) -> PauliSum:
        """Return the generator of a chain of `size` spins, without its phase."""
        terms = [
            (coefficient, letters, sites)
            for letters, coefficient in self.coefficients.items()
            if letters != PHASE and coefficient != 0
            for sites in places(letters, size, self.periodic)
        ]
        return PauliSum.from_terms(size, terms)

    def phase(self, size: int) -> float:
        """Return the multiple of the identity in the generator of `size` spins."""
        return self.coefficients[PHASE] * size


def places(letters: str, size: int, periodic: bool) -> list[tuple[int, ...]]:
    """Return the sites of a Pauli string: every site, or every bond (two spins share one, periodic or not)."""
    if len(letters) == 1:
        return [(site,) for site in range(size)]
    closed = periodic and size > 2
    return [(site, (site + 1) % size) for site in range(size if closed else size - 1)]


def generator_of(propagator: NDArray[np.complex128], dt: float) -> NDArray[np.complex128]:
    """Return the Hermitian `i log(U) / dt` of the unitary U nearest to a propagator of one time step.

    The nearest unitary (polar decomposition) takes out noise and the loss of norm that noise in the snapshots causes in
    a least-squares fit; its eigenvectors are orthogonal, so that the generator is Hermitian by construction.

    Raises:
        InputError: an eigenvalue of U is so near to -1 that the branch of the logarithm is ambiguous.
    """
    unitary, _ = scipy.linalg.polar(propagator)
    triangle, vectors = scipy.linalg.schur(unitary, output="complex")
    phases = -np.angle(np.diag(triangle))
    if np.abs(phases).max() > LARGEST_PHASE:
        raise InputError(f"the time step {dt:g} is too long: a phase |E| dt of one step comes near to pi or beyond")
    generator: NDArray[np.complex128] = (vectors * (phases / dt)) @ vectors.conj().T
    return generator


def regress(generators: Mapping[int, NDArray[np.complex128]], dt: float) -> LocalModel:
    """Fit one local generator to those of all sizes, as an open and as a periodic chain; return the better one.

    Every size counts by the squared Frobenius norm of its misfit over its dimension. With two spins alone the
    boundaries are the same, and open is returned.
    """
    models = [_fit(generators, periodic) for periodic in (False, True)]
    best = models[1] if max(generators) > 2 and models[1].residual < models[0].residual else models[0]
    # Rounding of the propagator, over dt: below it a coefficient is zero, which keeps a real generator real.
    rounding = 10 * float(np.finfo(float).eps) / dt
    coefficients = {letters: value if abs(value) > rounding else 0.0 for letters, value in best.coefficients.items()}
    return LocalModel(coefficients, best.periodic, best.residual)


def _fit(generators: Mapping[int, NDArray[np.complex128]], periodic: bool) -> LocalModel:
    columns = {
        letters: np.concatenate([_flat(_sum_over_chain(letters, size, periodic)) for size in generators])
        for letters in (*STRINGS, PHASE)
    }
    design = np.stack(list(columns.values()), axis=1)
    target = np.concatenate([_flat(generator) for generator in generators.values()])
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    scale = np.linalg.norm(target)
    residual = float(np.linalg.norm(target - design @ solution) / scale) if scale > 0 else 0.0
    return LocalModel(dict(zip(columns, solution.tolist(), strict=True)), periodic, residual)


def _sum_over_chain(letters: str, size: int, periodic: bool) -> NDArray[np.complex128]:
    if letters == PHASE:
        return size * np.eye(2**size, dtype=np.complex128)
    terms = [(1.0, letters, sites) for sites in places(letters, size, periodic)]
    return PauliSum.from_terms(size, terms).to_dense().astype(np.complex128)


def _flat(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the matrix over the root of its dimension, as one real vector."""
    vector: NDArray[np.float64] = np.concatenate([matrix.real.ravel(), matrix.imag.ravel()]) / np.sqrt(len(matrix))
    return vector
