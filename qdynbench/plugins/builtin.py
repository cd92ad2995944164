"""The entries of the core itself, registered by the same hooks as those of any plugin."""

from __future__ import annotations

from qdynbench.contract.hookspecs import Register, hookimpl


@hookimpl
def register_models(register: Register) -> None:
    """Register the model families."""
    register("ising", "qdynbench.task.models:MixedFieldIsing", summary="J sum ZZ + g sum X + h sum Z on a chain")
    register("pauli", "qdynbench.task.models:WeightedPauliStrings", summary="any list of weighted Pauli strings")
    families = "qdynbench.task.families:"
    register("heisenberg", families + "HeisenbergChain", summary="XX, XXZ and Heisenberg chains, clean or disordered")
    register("pxp", families + "ConstrainedChain", summary="P X P: spins that turn only between neighbours that are up")
    register("ising_2d", families + "SquareLatticeIsing", summary="transverse-field Ising model on a square lattice")
    register("rydberg", families + "RydbergChain", summary="Rydberg atoms on a chain, V / r^6 interaction")
    register("long_range_ising", families + "LongRangeIsing", summary="trapped ions: Ising chain with J / r^alpha")
    register("kicked_ising", families + "KickedIsing", summary="Ising chain with transverse kicks (Floquet)")
    register("driven_ising", families + "DrivenIsing", summary="Ising chain whose couplings change in steps")
    register("driven_pauli", families + "DrivenPauliStrings", summary="any piecewise-constant drive and kicks")


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
    for name, target, summary in (
        (
            "mean_relative_entropy",
            "metrics.relative_entropy:MeanRelativeEntropy",
            "Kullback-Leibler divergence of the amplitudes' magnitudes (paper eq. 4-7); blind to phases",
        ),
        ("infidelity", "metrics.infidelity:Infidelity", "1 - |<prediction|reference>|^2, normalised"),
        ("magnetization_error_x", "metrics.magnetization:MagnetizationErrorX", "error of the mean x magnetization"),
        ("magnetization_error_y", "metrics.magnetization:MagnetizationErrorY", "error of the mean y magnetization"),
        ("magnetization_error_z", "metrics.magnetization:MagnetizationErrorZ", "error of the mean z magnetization"),
        ("spin_error", "metrics.spin_error:SpinError", "error of the spins, root mean square over sites"),
        ("energy_drift", "metrics.drift:EnergyDrift", "|E(t) - E(0)| of the prediction"),
        ("energy_variance_drift", "metrics.drift:EnergyVarianceDrift", "|Var H(t) - Var H(0)| of the prediction"),
        ("charge_drift", "metrics.charges:ChargeDrift", "largest drift of total Z or a parity that H conserves"),
        ("truncation", "metrics.truncation:Truncation", "weight that a tensor network has discarded"),
        ("norm_drift", "metrics.drift:NormDrift", "| ||psi(t)|| - ||psi(0)|| | of the prediction"),
        (
            "echo_infidelity",
            "echo:Echo",
            "infidelity of forward and back under -H; without a reference, or on request",
        ),
        ("entropy_error", "metrics.entropy:EntropyError", "error of the half-chain entanglement entropy"),
        ("valid_time", "metrics.valid_time:ValidTime", "first time that the infidelity passes 0.01"),
        ("skill", "metrics.skill:Skill", "1 - MRE / MRE of persistence: 1 is perfect, 0 no better than standing still"),
    ):
        register(name, f"qdynbench.scoring.{target}", summary=summary)


@hookimpl
def register_figures(register: Register) -> None:
    """Register the figures that show the limits of a solver."""
    home = "qdynbench.report.figures."
    precision = "error against time, a point for each setting of a solver"
    register("work-precision", home + "work_precision:WorkPrecision", summary=precision)
    register("scaling", home + "scaling:Scaling", summary="time and memory against size, at equal error")
    register("prediction", home + "prediction:Prediction", summary="predicted time and memory against measured")


@hookimpl
def register_tasks(register: Register) -> None:
    """Register the shipped tasks."""
    register("ising_mixed", "qdynbench:tasks/ising_mixed.yaml", summary="the paper's chain, 2 to 8 spins, 100 steps")
    register(
        "work_precision",
        "qdynbench:tasks/work_precision.yaml",
        summary="error against time of every solver, 7 spins, 256 states",
    )
    register("scaling", "qdynbench:tasks/scaling.yaml", summary="cost against size of one state, 8 to 22 spins")
    for name, summary in (
        ("tfim_quench", "transverse-field Ising chain quenched from |+>, closed form"),
        ("xx_neel", "XX chain from the Neel state, closed form"),
        ("xx_neel_long", "XX chain of 40 spins from the Neel state: tensor networks, no state vector"),
        ("xxz_neel", "gapped XXZ chain from the Neel state"),
        ("heisenberg_disordered", "Heisenberg chain in random fields, several realisations"),
        ("pxp_revivals", "PXP chain from the Neel state: many-body scars"),
        ("kicked_ising", "self-dual kicked Ising chain: entropy n ln 2 after n kicks"),
        ("ising_2d_quench", "4 x 4 transverse-field Ising model quenched from |+>"),
        ("rydberg", "Rydberg atoms in blockade, from all in the ground state"),
        ("driven_ising", "mixed-field Ising chain with a square-wave transverse field"),
    ):
        register(name, f"qdynbench:tasks/models/{name}.yaml", summary=summary)
