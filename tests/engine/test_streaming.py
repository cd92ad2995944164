"""A trajectory that does not fit into the memory limit is solved and scored all the same, block by block."""

from __future__ import annotations

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

LIMIT = 1_000_000_000


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
