"""A trajectory that does not fit into the memory limit is solved and scored all the same, block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from qdynbench import Block, Initial, Knowledge, Problem, Solver
from qdynbench.contract.window import ScoreContext, Window
from qdynbench.physics.operators import PauliSum
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.scoring import reference

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


def test_long_chains_are_streamed(qdynbench, small_task, tmp_path):
    size, states, steps, limit = 16, 10, 60, 800_000_000
    whole = states * (steps + 1) * 2**size * 16
    assert whole > 600e6  # so that the reference is not kept as a whole
    assert whole + 250e6 > limit  # an interpreter with its libraries, and one trajectory
    done = qdynbench(
        *("run", small_task, "--quiet", "--set", f"sizes=[{size}]", "--set", f"states={states}"),
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


def test_observables_of_a_reference_that_is_not_kept_are_computed_once(monkeypatch):
    monkeypatch.setattr(reference, "KEPT_BYTES", 0)
    operator = PauliSum.from_terms(12, [(1.0, "ZZ", (0, 1)), (0.5, "X", (3,))])
    problem = Problem(12, np.linspace(0, 1, 4), operator)
    states = np.zeros((2, 1 << 12), dtype=np.complex128)
    states[:, [1, 77]] = 0.6, 0.8j
    initial = Initial(torch.from_numpy(states))
    context = ScoreContext(12, problem.times, operator, initial)
    exact = reference.Reference(Stepwise(), problem)
    seen = []
    for _ in range(2):
        cursor = exact.cursor(initial, key="all", context=context)
        for step in range(4):
            prediction = Window(context, step, torch.from_numpy(states)[:, None])
            [(_, beside)] = cursor.beside(prediction)
            seen.append((beside.known(), beside.energy, beside.spins["z"], beside.entropy))
    for (before, *first), (known, *second) in zip(seen[:3], seen[4:7], strict=True):
        assert not before
        assert {"energy", "entropy", "x", "y", "z"} <= set(known)
        assert all(map(torch.equal, first, second))


class Stepwise(Solver):
    """Nothing moves; one block a step, all in the same buffer."""

    knowledge = Knowledge.HAMILTONIAN

    def solve(self, given):
        buffer = initial.states[:, None].clone()
        for step in range(self.problem.steps + 1):
            yield Block(step, buffer)
