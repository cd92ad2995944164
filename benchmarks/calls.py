"""Time calls of prepared solvers against each other in one process, received as in a run, and print ratios.

    python benchmarks/calls.py ed numpy chebyshev --spins 2 3 4 5 --states 1 64 --steps 100 --threads 1

The model is the mixed-field Ising chain of the default task (J = 1, g = -1.05, h = 0.5; open; dt = 0.002), the states
are random product states. Each round calls every solver once, in random order, and its ratios are taken to the first
solver named. This is a quick look at a change, within one process: what is published comes from `qdynbench run`, which
starts processes anew and measures their spread.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdynbench import Given, Problem, Solver


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("solvers", nargs="+", help="such as ed or qutip[method=diag]")
    parser.add_argument("--spins", type=int, nargs="+", default=[2, 3, 4, 5])
    parser.add_argument("--states", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    from qdynbench.workers.process import Environment

    variables = Environment(options.threads, "cpu", 0, Path()).variables()
    if variables.items() - os.environ.items():  # the C library and others read them when they are loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], variables)  # noqa: S606 - no shell is wanted
    import torch

    torch.set_num_threads(options.threads)
    for spins in options.spins:
        for states in options.states:
            compare(options.solvers, spins, states, options.steps, options.rounds, options.threads)


def compare(names: list[str], spins: int, states: int, steps: int, rounds: int, threads: int) -> None:
    """Print one line for each solver: the median of its calls, and the median of its ratios to the first."""
    from qdynbench import Given
    from qdynbench.testing.trajectories import product_initial

    problem = posed(spins, states, steps, threads)
    given = Given(product_initial(spins, states, seed=3))
    given.states  # noqa: B018 - computed now, outside the clock
    solvers = {name: prepared(name, problem) for name in names}
    for solver in solvers.values():
        for _ in range(2):  # the first call compiles
            seconds(solver, given)
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in random.sample(names, len(names)):
            found[name].append(seconds(solvers[name], given))
    for name in names:
        ratio = statistics.median(one / first for one, first in zip(found[name], found[names[0]], strict=True))
        print(
            f"{spins:2} spins {states:4} states  {name:40} {statistics.median(found[name]) * 1e6:10.0f} µs"
            f"  shortest {min(found[name]) * 1e6:10.0f} µs  ratio {ratio:6.2f}",
            flush=True,
        )


def posed(spins: int, states: int, steps: int, threads: int) -> Problem:
    """Return the problem."""
    import numpy as np

    from qdynbench import PauliSum, Problem

    terms = [
        *((1.0, "ZZ", (site, site + 1)) for site in range(spins - 1)),
        *((-1.05, "X", (site,)) for site in range(spins)),
        *((0.5, "Z", (site,)) for site in range(spins)),
    ]
    times = np.linspace(0, 0.002 * steps, steps + 1)
    return Problem(spins, times, PauliSum.from_terms(spins, terms), batch=states, threads=threads)


def prepared(name: str, problem: Problem) -> Solver:
    """Return a solver, prepared for the problem."""
    from qdynbench import build
    from qdynbench.contract.spec import SolverSpec
    from qdynbench.plugins.registry import Registry

    spec = SolverSpec.parse(name)
    solver = build(Registry.discover().load("solvers", spec.name), spec.name, spec.parameters)
    refusal = solver.supports(problem)
    if refusal is not None:
        raise SystemExit(f"{name}: {refusal}")
    solver.prepare(problem)
    return solver


def seconds(solver: Solver, given: Given) -> float:
    """Return the seconds until everything that a call yields has been received and read."""
    from qdynbench.workers.clock import Receiver

    receiver = Receiver(solver.problem, len(given))
    start = time.perf_counter()
    receiver.receive(solver, given)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
