"""The matrix-free operator behind `chebyshev` and `krylov`: `H psi` from the Pauli strings, with no matrix stored."""

from __future__ import annotations

from qdynbench_exact.matrix_free.operator import MatrixFree, norms_of
from qdynbench_exact.matrix_free.spectrum import Interval, spectral_interval

__all__ = ["Interval", "MatrixFree", "norms_of", "spectral_interval"]
