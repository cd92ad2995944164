"""quimb's TEBD; quimb is imported only when it prepares."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `quimb-tebd`."""
    register(
        "quimb-tebd",
        "qdynbench_quimb.tebd:QuimbTebd",
        summary="quimb's time-evolving block decimation: Trotter gates on a matrix product state, open chains",
    )
