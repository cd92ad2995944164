"""Error of the shipped `local` weights on chains far longer than in training, where `ed` no longer fits.

    python benchmarks/zero_shot.py --weights local --sizes 12 14 16

Against scipy's action of the matrix exponential on a sparse matrix (nothing of it is shared with the solver), on the
mixed-field Ising chain of the task; random product states, mean over them.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from qdynbench_sru.shipped import SHIPPED
from qdynbench_sru.weight_files import load

from qdynbench import Problem
from qdynbench.scoring.certify import independent_evolution
from qdynbench.scoring.metrics.infidelity import ray_distance
from qdynbench.scoring.metrics.relative_entropy import magnitude_divergence
from qdynbench.task.ensembles import RandomProduct
from qdynbench.task.models import MixedFieldIsing


def errors(weights: str, size: int, states: int, steps: int) -> dict[str, float]:
    """Return relative entropy (also persistence's) and infidelity at the last step, and the seconds of prediction."""
    hamiltonian = MixedFieldIsing(J=1.0, g=-1.05, h=0.5).hamiltonian(size)
    network, trained = load(SHIPPED / weights, {})
    times = trained.dt * np.arange(steps + 1)
    drawn = RandomProduct().draw(size, states, np.random.default_rng([size, 2020])).states
    exact = torch.from_numpy(independent_evolution(Problem(size, times, hamiltonian), drawn, [steps])[:, 0])
    initial = torch.from_numpy(drawn)
    propagator = network.propagator(size, "cpu")
    start = time.perf_counter()
    rollout, column = propagator.start(initial), torch.empty(states, 1, 1 << size, dtype=torch.complex128)
    for _ in range(steps + 1):
        rollout.advance(column)
    return {
        "mean_relative_entropy": float(magnitude_divergence(exact, column[:, 0]).mean()),
        "persistence": float(magnitude_divergence(exact, initial).mean()),
        "infidelity": float(ray_distance(exact, column[:, 0]).mean()),
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="local")
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 14, 16])
    parser.add_argument("--states", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    for size in given.sizes:
        found = errors(given.weights, size, given.states, given.steps)
        print(f"{size} spins: " + ", ".join(f"{name} {value:.2g}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
