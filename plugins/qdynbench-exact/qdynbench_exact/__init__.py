"""Exact solvers for qdynbench; torch and QuSpin are imported only when one is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register the solvers."""
    register(
        "ed",
        "qdynbench_exact.ed.solver:ExactDiagonalization",
        summary="exact diagonalisation, all states and times by batched matrix products",
    )
    register(
        "numpy",
        "qdynbench_exact.numpy_diagonalization:NumpyDiagonalization",
        summary="exact diagonalisation by numpy.linalg.eigh and one line, as anyone would write it",
    )
    register(
        "taylor",
        "qdynbench_exact.taylor:Taylor",
        summary="truncated Taylor series by QuSpin's ExpmMultiplyParallel on a stored sparse matrix",
    )
    register(
        "ode",
        "qdynbench_exact.ode:AdaptiveOde",
        summary="adaptive Runge-Kutta by scipy's solve_ivp methods, DOP853 or RK45",
    )
