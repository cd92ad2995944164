"""Simple recurrent units for qdynbench; torch is imported only when the solver is used."""

from __future__ import annotations

from qdynbench import Register, hookimpl


@hookimpl
def register_solvers(register: Register) -> None:
    """Register `sru`."""
    register(
        "sru",
        "qdynbench_sru.solver:SimpleRecurrentUnit",
        summary="simple recurrent unit trained on trajectories of small chains; never sees the Hamiltonian",
    )


@hookimpl
def register_figures(register: Register) -> None:
    """Register the paper's figures."""
    home = "qdynbench_sru.paper"
    register("paper-fig2", f"{home}.fig2:MagnitudesAgainstStep", summary="magnitude of every amplitude against step")
    register("paper-fig3", f"{home}.fig3:PredictedAgainstExact", summary="all amplitudes, predicted against exact")
    register("paper-fig4", f"{home}.fig4:EntropyAgainstStep", summary="mean relative entropy against step")
    register("paper-table1", f"{home}.table1:TimesOfTable1", summary="seconds of ED and SRU, the paper's and ours")
    register("paper-fig5", f"{home}.fig5:FineTuning", summary="8 spins: fine-tuned and from scratch")
    register("paper-zero-shot", f"{home}.zero_shot:ErrorAgainstSize", summary="error on chains longer than in training")
    register("paper-magnetization", f"{home}.magnetization:Magnetization", summary="x, y, z, predicted on exact")


@hookimpl
def register_tasks(register: Register) -> None:
    """Register the paper's tasks, whose files come with the core."""
    for name, summary in (
        ("fig2", "Fig. 2: magnitude of every amplitude"),
        ("fig3", "Fig. 3: predicted against exact amplitudes"),
        ("fig4", "Fig. 4: mean relative entropy, to 500 steps"),
        ("table1", "Table 1: seconds of ED and SRU, two protocols"),
        ("fig5", "Fig. 5: 8 spins, fine-tuned and from scratch"),
        ("zero_shot", "chains longer than in training, to 12 spins"),
        ("magnetization", "x, y, z magnetization, predicted on exact"),
    ):
        register(f"paper/{name}", f"qdynbench:tasks/paper/{name}.yaml", summary=summary)


@hookimpl
def register_commands(register: Register) -> None:
    """Register `qdynbench sru`."""
    register("sru", "qdynbench_sru.command:app", summary="Make the weights of the sru plugin, measure its kernels.")
