"""Exact solvers for qdynbench; torch and QuSpin are imported only when one is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register the solvers."""
    register(
        "ed",
        "qdynbench_exact.ed:ExactDiagonalization",
        summary="exact diagonalisation of QuSpin's Hamiltonian, all states and times by batched matrix products",
    )
    register(
        "chebyshev",
        "qdynbench_exact.chebyshev:Chebyshev",
        summary="Chebyshev expansion, matrix-free, one for a whole window of times",
    )
    register(
        "krylov",
        "qdynbench_exact.krylov:Krylov",
        summary="Lanczos in a Krylov space of each state, matrix-free, with an a-posteriori error bound",
    )
    register(
        "taylor",
        "qdynbench_exact.taylor:Taylor",
        summary="truncated Taylor series by QuSpin's ExpmMultiplyParallel on a stored sparse matrix",
    )
    register(
        "trotter",
        "qdynbench_exact.trotter:Trotter",
        summary="product formulas of order 2 and 4, gates applied in place, no matrix",
    )
    register(
        "ode",
        "qdynbench_exact.ode:AdaptiveOde",
        summary="adaptive Runge-Kutta by scipy's solve_ivp methods, DOP853 or RK45",
    )
