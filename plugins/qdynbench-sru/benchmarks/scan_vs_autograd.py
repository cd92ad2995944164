"""Time of the plain autograd loop over that of `sru_scan`, forward and backward, measured alternately in one process.

    python benchmarks/scan_vs_autograd.py --steps 30 --sequences 512 --width 8 --threads 1

Both do the same arithmetic on the same tensors; the plain loop is the paper's equations, one step after the other.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import torch
from qdynbench_sru.scan import sru_scan

if TYPE_CHECKING:
    from collections.abc import Callable

    Scan = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def plain_loop(
    u: torch.Tensor, x: torch.Tensor, v: torch.Tensor, c0: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `sru_scan` returns, by the equations as they stand."""
    c, outputs = c0, []
    for t in range(len(x)):
        forget = torch.sigmoid(u[1, t] + v[0] * c)
        skip = torch.sigmoid(u[2, t] + v[1] * c)
        c = forget * c + (1 - forget) * u[0, t]
        outputs.append(skip * c + (1 - skip) * x[t])
    return torch.stack(outputs), c


def measure(steps: int, sequences: int, width: int, rounds: int, threads: int) -> dict[str, float]:
    """Return median seconds of both, forward with backward, and the median `ratio` within a round."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        generator = torch.Generator().manual_seed(0)
        shapes = [(3, steps, sequences, width), (steps, sequences, width), (2, width), (sequences, width)]
        tensors = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
        scans: dict[str, Scan] = {"plain loop": plain_loop, "sru_scan": sru_scan}
        seconds: dict[str, list[float]] = {name: [] for name in scans}
        for measured in range(-2, rounds):  # two unmeasured rounds first
            for name, scan in scans.items():
                start = time.perf_counter()
                h, last = scan(*tensors)
                torch.autograd.grad(h.square().sum() + last.sum(), tensors)
                if measured >= 0:
                    seconds[name].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    # The ratio is taken within each round, so that a drift of the machine hits both alike.
    ratios = [plain / ours for plain, ours in zip(*seconds.values(), strict=True)]
    return {name: statistics.median(values) for name, values in seconds.items()} | {"ratio": statistics.median(ratios)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"steps": 30, "sequences": 512, "width": 8, "rounds": 20, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, value in measure(**vars(parser.parse_args())).items():
        print(f"{name:12} {value:9.5f}" + ("" if name == "ratio" else " s"))


if __name__ == "__main__":
    main()
