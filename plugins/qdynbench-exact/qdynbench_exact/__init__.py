"""Exact solvers for qdynbench; torch and QuSpin are imported only when one is used."""

from __future__ import annotations

from qdynbench.hookspecs import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `ed`."""
    register(
        "ed",
        "qdynbench_exact.ed:ExactDiagonalization",
        summary="exact diagonalisation of QuSpin's Hamiltonian, all states and times by batched matrix products",
    )
