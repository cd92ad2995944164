"""Time of `ed` over that of plain NumPy for the same trajectories, measured alternately in one process.

    python benchmarks/ed_vs_numpy.py --spins 7 --states 256 --steps 500 --threads 2

Both diagonalise the same matrix and evolve the same states over the same times; building H is in neither. NumPy is
given its two usual forms and the faster one is taken: states in rows (contiguous trajectories, complex product), and
states in columns (one real product on the doubles, trajectories with the basis axis first).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


def ratios(
    spins: int, states: int, steps: int, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Return median seconds of `ed`, `numpy rows` and `numpy columns`, and two ratios of ed over the faster NumPy.

    `ratio` is the median over rounds; `best ratio`, of the shortest times, is the one that other work on the machine
    disturbs least.
    """
    import numpy as np
    import torch

    from qdynbench import PauliSum, Problem
    from qdynbench.toolkit.eigenbasis import EigenbasisPropagator

    operator = PauliSum.from_terms(
        spins,
        [
            *((1.0, "ZZ", (site, site + 1)) for site in range(spins - 1)),
            *((-1.05, "X", (site,)) for site in range(spins)),
            *((0.5, "Z", (site,)) for site in range(spins)),
        ],
    )
    matrix: NDArray[np.float64] = operator.to_dense().real.copy()
    problem = Problem(size=spins, times=np.linspace(0, 0.002 * steps, steps + 1), dynamics=operator, batch=states)
    random = np.random.default_rng(0)
    psi = random.normal(size=(states, 2**spins)) + 1j * random.normal(size=(states, 2**spins))
    psi /= np.linalg.norm(psi, axis=1, keepdims=True)

    def ed() -> None:
        for _ in EigenbasisPropagator(matrix, problem).blocks(torch.from_numpy(psi)):
            pass

    def numpy_rows() -> None:
        energies, vectors = np.linalg.eigh(matrix)
        phases = np.exp(-1j * np.outer(problem.times, energies))
        ((psi @ vectors)[:, None, :] * phases) @ vectors.T

    def numpy_columns() -> None:
        energies, vectors = np.linalg.eigh(matrix)
        phases = np.exp(-1j * np.outer(energies, problem.times))
        turned = (vectors.T @ psi.T)[:, :, None] * phases[:, None, :]
        vectors @ turned.reshape(len(energies), -1).view(np.float64)

    contenders: dict[str, Callable[[], None]] = {
        "ed": ed,
        "numpy rows": numpy_rows,
        "numpy columns": numpy_columns,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for measured in range(-1, rounds):  # one unmeasured round first
        for name, run in contenders.items():
            time.sleep(0.3)  # idle threads of one library's pool spin for a while, on the other one's cores
            start = clock()
            run()
            if measured >= 0:
                seconds[name].append(clock() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    # The ratio is taken within each round, so that a drift of the machine hits both alike.
    pairs = zip(seconds["ed"], seconds["numpy rows"], seconds["numpy columns"], strict=True)
    best = {name: min(values) for name, values in seconds.items()}
    return {
        **medians,
        "ratio": statistics.median(ours / min(rows, columns) for ours, rows, columns in pairs),
        "best ratio": best["ed"] / min(best["numpy rows"], best["numpy columns"]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"spins": 7, "states": 256, "steps": 500, "rounds": 9, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cpu-time", action="store_true", help="count CPU time (of use with one thread alone)")
    options = parser.parse_args()

    # Read by both libraries when they are first imported, which is in `ratios`.
    os.environ.update({name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
    clock = time.process_time if options.cpu_time else time.perf_counter
    result = ratios(options.spins, options.states, options.steps, options.rounds, clock)
    for name, value in result.items():
        print(f"{name:15} {value:8.4f}" + ("" if "ratio" in name else " s"))


if __name__ == "__main__":
    main()
