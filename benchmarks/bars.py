"""Measure the figures that the project holds itself to and print them as a table for docs/figures.md.

    python benchmarks/bars.py

Takes about ten minutes on two cores. Everything runs through the real command, in an empty folder with an empty cache.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import qdynbench
from qdynbench.contract.initial import Given, Initial
from qdynbench.plugins.registry import Registry
from qdynbench.record import provenance
from qdynbench.record.results import Run
from qdynbench.scoring.certify import independent_evolution
from qdynbench.task.case import Case, Purpose, draw
from qdynbench.task.load import load_task
from qdynbench.task.pose import pose

COMMAND = str(Path(sys.executable).with_name("qdynbench"))
Row = tuple[str, str, str]


def timed(folder: Path, *arguments: str) -> float:
    """Run the command with a cache of its own and return its wall-clock seconds."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    start = time.perf_counter()
    subprocess.run([COMMAND, *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def start_up(folder: Path) -> Iterator[Row]:
    """Time the commands that must not import anything heavy."""
    for arguments in (("--help",), ("list", "solvers")):
        seconds = [timed(folder, *arguments) for _ in range(9)]
        span = f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, 9 runs)"
        yield f"`qdynbench {' '.join(arguments)}`", span, "at most 0.35 s"


def runs(folder: Path) -> Iterator[Row]:
    """Time the default run cold, then `sru` from scratch, and read accuracy and overhead from what they left."""
    yield "default run, cold, shipped weights", f"{timed(folder, 'run', 'ising_mixed', '-q'):.0f} s", "at most 180 s"
    shipped = Run(folder / "runs" / "ising_mixed")
    yield from accuracy(shipped, "shipped weights")
    overheads = [1e3 * cell.ledger.overhead for cell in shipped.cells if cell.ledger.overhead is not None]
    span = f"median {statistics.median(overheads):.0f} ms, largest {max(overheads):.0f} ms, {len(overheads)} cells"
    yield "core's own cost per cell", span, "at most 20 ms"
    seconds = timed(folder, "run", "ising_mixed", "-q", "--solver", "sru", "--refit", "--out", "refit")
    refit = Run(folder / "refit")
    fit = refit.record.fits["sru"]
    spent = f"{seconds:.0f} s with scoring and timing; fit {fit.fit_time:.0f} s, data {fit.data_time:.1f} s"
    yield "`sru` alone, trained from scratch", spent, "at most 300 s"
    yield from accuracy(refit, "trained in this run")


def accuracy(run: Run, which: str) -> Iterator[Row]:
    """Read the mean relative entropy of `sru` at the last step."""
    table = run.table
    last = table[
        (table.solver == "sru") & (table.metric == "mean_relative_entropy") & (table.step == run.task.times.steps)
    ]
    values = ", ".join(f"{row.size}: {row.value:.1e}" for row in last.itertuples())
    yield f"`sru`, MRE at step {run.task.times.steps} by size, {which}", values, "2 to 5: 1e-4, 6 to 8: 1.5e-3"


def exactness() -> Iterator[Row]:
    """Compare `ed` with an independent evolution on the largest size and 500 steps."""
    registry = Registry.discover()
    task = load_task("ising_mixed", registry, overrides={"times.steps": 500, "report": {}})
    worst = 0.0
    for size in task.sizes:
        problem = pose(task, registry, Case(size, 0), batch=3, device="cpu", threads=torch.get_num_threads())
        states = draw(task, registry.load("ensembles", task.ensemble)(), Case(size, 0), Purpose.TEST, 0, 3).states
        solver = registry.load("solvers", "ed")()
        solver.prepare(problem)
        found = np.concatenate([b.states.numpy().copy() for b in solver.solve(Given(Initial(states)))], axis=1)
        expected = independent_evolution(problem, states.numpy(), range(1, problem.steps + 1))
        worst = max(worst, float(np.linalg.norm(found[:, 1:] - expected, axis=-1).max()))
    yield "`ed` against scipy's expm, 2 to 8 spins, 500 steps: 2-norm error", f"{worst:.1e}", "at most 1e-12"


def main() -> None:
    """Print the table."""
    machine = provenance.hardware()
    print(
        f"{machine['processor']}, {machine['cores']} cores; qdynbench {qdynbench.__version__}, "
        f"{provenance.now()[:10]}\n"
    )
    print("| what | measured | bar |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in (start_up(folder), exactness(), runs(folder)):
            for row in part:
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
