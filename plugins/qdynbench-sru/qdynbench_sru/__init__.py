"""Simple recurrent units for qdynbench; torch is imported only when the solver is used."""

from __future__ import annotations

from qdynbench.hookspecs import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `sru`."""
    register(
        "sru",
        "qdynbench_sru.solver:SimpleRecurrentUnit",
        summary="simple recurrent unit trained on trajectories of small chains; never sees the Hamiltonian",
    )


@hookimpl
def register_commands(register: Register) -> None:
    """Register `qdynbench sru`."""
    register("sru", "qdynbench_sru.command:app", summary="Make the weights that ship with the sru plugin.")
