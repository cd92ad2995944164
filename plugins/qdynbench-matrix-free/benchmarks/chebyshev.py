"""`chebyshev` against QuSpin's ways to evolve one state of 20 spins, and the memory that it takes.

    python benchmarks/chebyshev.py --threads 2                    # both
    python benchmarks/chebyshev.py --threads 2 --part evolution   # t = 0.2, error 1e-10
    python benchmarks/chebyshev.py --threads 2 --part memory      # of chebyshev in the same evolution

The model is the mixed-field Ising chain. The evolution's times hold all from the list of terms to the state.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

UNMEASURED = 3
"""Calls of each path before the one that is measured: until caches and idle threads have settled."""


def random_state(size: int) -> torch.Tensor:
    """Return one normalised state, shape `(1, 2**size)`."""
    import torch

    generator = torch.Generator().manual_seed(0)
    state = torch.randn(1, 2**size, dtype=torch.complex128, generator=generator)
    return state / torch.linalg.vector_norm(state)


def evolutions(size: int, action: float, threads: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Return median seconds, from the terms to the state, and the 2-norm error of each path."""
    import numpy as np
    import torch
    from qdynbench_exact.hamiltonian import quspin_hamiltonian
    from qdynbench_matrix_free.chebyshev import Chebyshev
    from quspin.tools.evolution import ExpmMultiplyParallel

    from qdynbench import Given, Initial, Problem
    from qdynbench.testing.exercise import uniform_chain

    operator, state = uniform_chain(size), random_state(size)
    results: dict[str, np.ndarray] = {}

    def chebyshev(tolerance: float = 1e-10) -> np.ndarray:
        problem = Problem(size=size, times=np.array([0, action]), dynamics=operator, threads=threads)
        solver = Chebyshev(tolerance=tolerance)
        solver.prepare(problem)
        *_, last = solver.solve(Given(Initial(state)))
        assert last.states is not None  # noqa: S101 - for the type checker
        return last.states[0, -1].numpy()

    def expm_multiply() -> np.ndarray:
        matrix = quspin_hamiltonian(operator).tocsr()
        return ExpmMultiplyParallel(matrix, a=-1j * action, dtype=np.complex128).dot(state[0].numpy(), tol=1e-11)

    def evolve() -> np.ndarray:
        matrix = quspin_hamiltonian(operator)
        return matrix.evolve(state[0].numpy(), 0, action, atol=3e-13, rtol=3e-11)

    contenders = {
        "chebyshev": chebyshev,
        "QuSpin ExpmMultiplyParallel": expm_multiply,
        "QuSpin hamiltonian.evolve": evolve,
    }

    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, evolved in contenders.items():
            for _ in range(UNMEASURED):
                evolved()
            start = time.perf_counter()
            results[name] = evolved()
            seconds[name].append(time.perf_counter() - start)
    exact = torch.from_numpy(chebyshev(1e-13))
    return {
        name: (statistics.median(seconds[name]), float((torch.from_numpy(results[name]) - exact).norm()))
        for name in contenders
    }


def memory(size: int, action: float, threads: int) -> tuple[float, float]:
    """Return the peak memory of `chebyshev` from `prepare` to the last block, measured and predicted, in state vectors.

    The initial state is in neither figure.
    """
    import numpy as np
    from qdynbench_matrix_free.chebyshev import Chebyshev

    from qdynbench import Given, Initial, Problem
    from qdynbench.testing.exercise import uniform_chain
    from qdynbench.workers.memory import peak_host, reset_peak, resident

    def evolved(state: torch.Tensor) -> float:
        spins = state.shape[1].bit_length() - 1
        problem = Problem(size=spins, times=np.array([0, action]), dynamics=uniform_chain(spins), threads=threads)
        solver = Chebyshev()
        solver.prepare(problem)
        for _ in solver.solve(Given(Initial(state))):
            pass
        return solver.estimate(problem).bytes

    evolved(random_state(14))  # with all that is compiled and imported
    state = random_state(size)
    reset_peak("cpu")
    before = resident()
    predicted = evolved(state)
    return (peak_host() - before) / state.nbytes, predicted / state.nbytes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--part", choices=["evolution", "memory", "all"], default="all")
    parser.add_argument("--spins", type=int, default=20)
    options = parser.parse_args()
    # Read by the libraries when they are first imported, which is in the functions above.
    os.environ.update({name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

    import torch

    torch.set_num_threads(options.threads)
    if options.part in {"memory", "all"}:  # first, before other parts leave memory behind
        used, predicted = memory(options.spins, 0.2, options.threads)
        print(f"{options.spins} spins, t = 0.2: chebyshev took {used:.1f} state vectors, predicted {predicted:.1f}")
    if options.part in {"evolution", "all"}:
        paths = evolutions(options.spins, 0.2, options.threads, max(1, options.rounds // 3))
        for name, (seconds, error) in paths.items():
            ratio = seconds / paths["chebyshev"][0]
            print(f"{options.spins} spins, t = 0.2, {name:28} {seconds:7.3f} s ({ratio:5.1f}), error {error:.1e}")


if __name__ == "__main__":
    main()
