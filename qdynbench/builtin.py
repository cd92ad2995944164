"""What the core itself registers, through the same hooks as any plugin."""

from __future__ import annotations

from qdynbench.hookspecs import Register, hookimpl


@hookimpl
def register_models(register: Register) -> None:
    """Register the model families."""
    register("ising", "qdynbench.task.models:MixedFieldIsing", summary="J sum ZZ + g sum X + h sum Z on a chain")
    register("pauli", "qdynbench.task.models:WeightedPauliStrings", summary="any list of weighted Pauli strings")


@hookimpl
def register_ensembles(register: Register) -> None:
    """Register the ensembles of initial states."""
    home = "qdynbench.task.ensembles:"
    register("random_product", home + "RandomProduct", summary="product states, every spin Haar-random")
    register("haar", home + "HaarRandom", summary="Haar-random states of the whole chain")
    register("all_up", home + "AllUp", summary="every spin up")
    register("neel", home + "Neel", summary="up, down, up, down, ...")
    register("domain_wall", home + "DomainWall", summary="left half up, right half down")
    register("all_plus", home + "AllPlus", summary="every spin along +x")


@hookimpl
def register_metrics(register: Register) -> None:
    """Register the metrics."""
    home = "qdynbench.metrics"
    register(
        "mean_relative_entropy",
        f"{home}.relative_entropy:MeanRelativeEntropy",
        summary="Kullback-Leibler divergence of the amplitudes' magnitudes (paper eq. 4-7); blind to phases",
    )
    register("infidelity", f"{home}.infidelity:Infidelity", summary="1 - |<prediction|reference>|^2, normalised")
    for axis in "xyz":
        register(
            f"magnetization_error_{axis}",
            f"{home}.magnetization:MagnetizationError{axis.upper()}",
            summary=f"error of the mean {axis} magnetization",
        )
    register("energy_drift", f"{home}.drift:EnergyDrift", summary="|E(t) - E(0)| of the prediction")
    register("norm_drift", f"{home}.drift:NormDrift", summary="| ||psi(t)|| - ||psi(0)|| | of the prediction")
    register("entropy_error", f"{home}.entropy:EntropyError", summary="error of the half-chain entanglement entropy")
    register("valid_time", f"{home}.valid_time:ValidTime", summary="first time that the infidelity passes 0.01")
    register(
        "skill",
        f"{home}.skill:Skill",
        summary="1 - MRE / MRE of persistence: 1 is perfect, 0 no better than standing still",
    )


@hookimpl
def register_tasks(register: Register) -> None:
    """Register the shipped tasks."""
    register("ising_mixed", "qdynbench:tasks/ising_mixed.yaml", summary="the paper's chain, 2 to 8 spins, 100 steps")
