"""The baselines that every learned solver has to pass; torch and scipy are imported only when one is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `persistence`, `linear` and `local-generator`."""
    home = "qdynbench_baselines"
    register("persistence", f"{home}.persistence:Persistence", summary="predicts that nothing moves", gate="always")
    register(
        "linear",
        f"{home}.linear:LinearPropagator",
        summary="least-squares propagator per training size",
        gate="learned",
    )
    register(
        "local-generator",
        f"{home}.local_generator:LocalGenerator",
        summary="two-site generator regressed from small chains, applied to any size",
    )
