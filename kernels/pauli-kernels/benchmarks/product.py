"""The matrix-free product against the machine's copy bandwidth.

    python benchmarks/product.py --threads 2                # 14 to 22 spins
    python benchmarks/product.py --threads 2 --sizes 20

The model is the mixed-field Ising chain. The product's bytes are counted as if every array passed once: per amplitude
it reads 16 of the state and 8 of the diagonal and writes 16. The copy bandwidth is that of arrays of 128 MB, far beyond
the caches; the copy of arrays as large as the state, which a large third cache may hold, stands beside it. A copy reads
and writes once, and is the faster one of torch's with all threads and NumPy's with one. All alternate. The share is the
ratio of bandwidths, of the medians and of the shortest times: on busy cores a copy, which one core does at full speed,
loses less than a product does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

SETTLE = 0.04
"""Seconds of rest: torch's idle threads spin for a while, and would take a core from whoever follows."""

UNMEASURED = 3
"""Calls after the rest: until the caches hold what the one before has left of them."""

COUNTED = {"product": 16 + 8 + 16, "copy": 16 + 16}
"""Bytes for an amplitude."""

LARGE = 23
"""Arrays of two to this power amplitudes are copied."""


def ising(size: int) -> list[tuple[float, str, tuple[int, ...]]]:
    """Return the terms of the open chain with J = 1, g = -1.05, h = 0.5."""
    return [
        *((1.0, "ZZ", (site, site + 1)) for site in range(size - 1)),
        *((-1.05, "X", (site,)) for site in range(size)),
        *((0.5, "Z", (site,)) for site in range(size)),
    ]


def random_state(size: int) -> torch.Tensor:
    """Return one normalised state, shape `(1, 2**size)`."""
    import torch

    generator = torch.Generator().manual_seed(0)
    state = torch.randn(1, 2**size, dtype=torch.complex128, generator=generator)
    return state / torch.linalg.vector_norm(state)


def alternate(contenders: dict[str, Callable[[], object]], rounds: int, repeat: int) -> dict[str, list[float]]:
    """Return seconds of one call of each; each round lets each rest and settle, then calls it `repeat` times."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(SETTLE)
            for _ in range(UNMEASURED):
                call()
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            seconds[name].append((time.perf_counter() - start) / repeat)
    return seconds


Pair = tuple[float, float]
"""Bytes per second at median and at shortest time."""


def bandwidths(size: int, threads: int, rounds: int) -> dict[str, Pair]:
    """Return the bandwidth of the product, and of copies of large arrays and of arrays as large as the state."""
    import numpy as np
    import torch
    from pauli_kernels import PauliOperator

    operator = PauliOperator(size, ising(size), threads=threads)
    state = random_state(size)
    product, copy = torch.zeros_like(state), torch.zeros_like(state)
    large, target = torch.ones(2, 1 << LARGE, dtype=torch.complex128)
    contenders: dict[str, Callable[[], object]] = {
        "product": lambda: operator.apply(state, product),
        "large, torch": lambda: target.copy_(large),
        "large, numpy": lambda: np.copyto(target.numpy(), large.numpy()),
        "state, torch": lambda: copy.copy_(state),
        "state, numpy": lambda: np.copyto(copy.numpy(), state.numpy()),
    }
    found: dict[str, Pair] = {}
    for name, seconds in alternate(contenders, rounds, repeat=max(20, 2**18 >> size)).items():
        what = name.split(",")[0]
        counted = COUNTED.get(what, COUNTED["copy"]) * 2.0 ** (LARGE if what == "large" else size)
        here = counted / statistics.median(seconds), counted / min(seconds)
        found[what] = max(found.get(what, here), here)  # of two ways to copy the faster one
    return found


def _speed(pair: Pair) -> str:
    return f"{pair[0] / 1e9:.1f} GB/s (at most {pair[1] / 1e9:.1f})"


def _share(found: dict[str, Pair], copy: str) -> str:
    median, shortest = (product / other for product, other in zip(found["product"], found[copy], strict=True))
    return f"{median:.2f} ({shortest:.2f} of the shortest)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=[14, 16, 18, 20, 22])
    options = parser.parse_args()
    # Read by the libraries when they are first imported, which is in the functions above.
    os.environ.update({name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

    import torch

    torch.set_num_threads(options.threads)
    for size in options.sizes:
        found = bandwidths(size, options.threads, options.rounds)
        milliseconds = 1e3 * COUNTED["product"] * 2**size / found["product"][0]
        print(
            f"{size} spins: product {milliseconds:.3f} ms, {_speed(found['product'])}; copy of 128 MB arrays "
            f"{_speed(found['large'])}, share {_share(found, 'large')}; copy of arrays as large as the state "
            f"{_speed(found['state'])}, share {_share(found, 'state')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
