"""dynamiqs as a peer of qdynbench; torch, JAX and dynamiqs are imported only when it is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `dynamiqs`."""
    register(
        "dynamiqs",
        "qdynbench_dynamiqs.solver:Dynamiqs",
        summary="dynamiqs (JAX), compiled and batched: dopri8, tsit5 at a matched tolerance, expm or propagator",
    )
