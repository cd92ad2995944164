"""NetKet as a peer of qdynbench; torch, JAX and NetKet are imported only when it is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `netket-tvmc`."""
    register(
        "netket-tvmc",
        "qdynbench_netket.solver:NetketTvmc",
        summary="NetKet's time-dependent variational principle (JAX) on a Jastrow wave function, by sums or sampling",
    )
