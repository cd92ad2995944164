"""A trajectory that does not fit into the memory limit is solved and scored all the same, block by block."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

Command = Callable[..., subprocess.CompletedProcess[str]]

LIMIT = 1_000_000_000
REMARKS = Path(__file__).parents[1] / "data" / "remarks.py"


def test_a_trajectory_larger_than_the_memory_limit(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    size, states, steps = 6, 2048, 600
    assert states * (steps + 1) * 2**size * 16 > 1.2 * LIMIT
    done = qdynbench(
        *("run", small_task, "--out", "runs/small", "--quiet", "--set", f"sizes=[{size}]", "--set", f"states={states}"),
        *("--set", f"times.steps={steps}", "--set", "metrics=[infidelity]", "--set", f"limits.memory={LIMIT}"),
        *("--set", f"timing.batch_sizes=[{states}]"),
    )
    run = Run(tmp_path / "runs" / "small")
    assert done.returncode == 0, [(cell.solver, cell.status, cell.reason) for cell in run.cells]
    cell = run.cell("ed", size, 0)
    assert cell.status is Status.OK
    assert 0 < (cell.ledger.peak_memory_host or 0) < LIMIT
    assert run.curves.infidelity.sel(solver="ed", size=size).max() < 1e-20


def test_long_chains_are_streamed(qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    size, states, steps, limit = 16, 10, 60, 800_000_000
    whole = states * (steps + 1) * 2**size * 16
    assert whole > 600e6  # so that the reference is not kept as a whole
    assert whole + 250e6 > limit  # an interpreter with its libraries, and one trajectory
    done = qdynbench(
        *("run", small_task, "--out", "runs/small", "--quiet", "--set", f"sizes=[{size}]", "--set", f"states={states}"),
        *("--set", f"times.steps={steps}", "--set", "reference=persistence", "--set", "solvers=[persistence]"),
        *("--set", "metrics=[infidelity, magnetization_error_z, entropy_error]", "--set", f"limits.memory={limit}"),
        *("--set", f"timing.batch_sizes=[{states}]", "--set", "timing.seconds=0.1"),
        *("--solver", "truncating", "--solver", "persistence", "--plugin", REMARKS),
    )
    run = Run(tmp_path / "runs" / "small")
    assert done.returncode == 0, [(cell.solver, cell.status, cell.reason) for cell in run.cells]
    still, twin = run.curves.sel(solver="truncating", size=size), run.curves.sel(solver="persistence", size=size)
    assert float(still.infidelity.max()) < 1e-25
    assert float(still.entropy_error.max()) == 0
    assert float(abs(still.magnetization_z_reference - twin.magnetization_z_reference).max()) == 0
