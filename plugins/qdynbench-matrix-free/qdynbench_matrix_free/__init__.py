"""Solvers without a matrix for qdynbench; torch and numba are imported only when one is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register the solvers."""
    register(
        "chebyshev",
        "qdynbench_matrix_free.chebyshev:Chebyshev",
        summary="Chebyshev expansion, matrix-free, one for a whole stretch of times",
    )
    register(
        "krylov",
        "qdynbench_matrix_free.krylov:Krylov",
        summary="Lanczos in a Krylov space of each state, matrix-free, with an a-posteriori error bound",
    )
    register(
        "trotter",
        "qdynbench_matrix_free.trotter:Trotter",
        summary="product formulas of order 2 and 4, gates applied in place, no matrix",
    )
