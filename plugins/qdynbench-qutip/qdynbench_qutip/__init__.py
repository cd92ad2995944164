"""QuTiP as a peer of qdynbench; torch and QuTiP are imported only when it is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `qutip`."""
    register(
        "qutip",
        "qdynbench_qutip.solver:QuTiP",
        summary="QuTiP's sesolve: vern9, adams, krylov or diag, at a matched tolerance",
    )
