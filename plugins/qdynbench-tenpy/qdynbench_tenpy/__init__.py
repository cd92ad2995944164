"""TeNPy's TEBD and two-site TDVP; TeNPy is imported only when one of them prepares."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `tenpy-tebd` and `tenpy-tdvp`."""
    register(
        "tenpy-tebd",
        "qdynbench_tenpy.solvers:TenpyTebd",
        summary="TeNPy's time-evolving block decimation: Trotter gates on a matrix product state, open chains",
    )
    register(
        "tenpy-tdvp",
        "qdynbench_tenpy.solvers:TenpyTdvp",
        summary="TeNPy's two-site time-dependent variational principle on a matrix product state, any strings",
    )
