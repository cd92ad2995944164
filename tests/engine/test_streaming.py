"""A trajectory that does not fit into the memory limit is solved and scored all the same, block by block."""

from __future__ import annotations

from pathlib import Path

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

LIMIT = 1_000_000_000
REMARKS = Path(__file__).parents[1] / "data" / "remarks.py"


def test_a_trajectory_larger_than_the_memory_limit(qdynbench, small_task, tmp_path):
    size, states, steps = 6, 2048, 600
    assert states * (steps + 1) * 2**size * 16 > 1.2 * LIMIT
    done = qdynbench(
        *("run", small_task, "--quiet", "--set", f"sizes=[{size}]", "--set", f"states={states}"),
        *("--set", f"times.steps={steps}", "--set", "metrics=[infidelity]", "--set", f"limits.memory={LIMIT}"),
        *("--set", f"timing.batch_sizes=[{states}]"),
    )
    run = Run(tmp_path / "runs" / "small")
    assert done.returncode == 0, [(cell.solver, cell.status, cell.reason) for cell in run.cells]
    cell = run.cell("ed", size, 0)
    assert cell.status is Status.OK
    assert cell.ledger.peak_memory_host < LIMIT
    assert run.curves.infidelity.sel(solver="ed", size=size).max() < 1e-20


def test_long_chains_are_streamed_with_all_metrics(qdynbench, small_task, tmp_path):
    size, states, steps = 16, 10, 60
    assert states * (steps + 1) * 2**size * 16 > 600e6  # so that the reference is not kept as a whole
    done = qdynbench(
        *("run", small_task, "--quiet", "--set", f"sizes=[{size}]", "--set", f"states={states}"),
        *("--set", f"times.steps={steps}", "--set", "reference=persistence", "--set", "solvers=[persistence]"),
        *("--set", f"timing.batch_sizes=[{states}]", "--set", f"limits.memory={LIMIT}"),
        *("--solver", "truncating", "--solver", "persistence", "--plugin", REMARKS),
    )
    run = Run(tmp_path / "runs" / "small")
    assert done.returncode == 0, [(cell.solver, cell.status, cell.reason) for cell in run.cells]
    still, twin = run.curves.sel(solver="truncating", size=size), run.curves.sel(solver="persistence", size=size)
    assert float(still.infidelity.max()) < 1e-25
    assert float(still.entropy_error.max()) == 0
    assert float(abs(still.magnetization_z_reference - twin.magnetization_z_reference).max()) == 0
