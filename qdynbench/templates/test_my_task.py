"""The task is complete, and its smallest case is solved."""

from pathlib import Path

import qdynbench

TASK = Path(__file__).with_name("my_task.yaml")


def test_every_solver_takes_every_case():
    refusals = {f"{cell.spec} at {cell.case.size} spins": cell.refusal for cell in qdynbench.plan(TASK).cells}
    assert not any(refusals.values()), refusals


def test_the_smallest_case_is_solved(tmp_path):
    smallest = min(qdynbench.load_task(TASK).sizes)
    quick = {"sizes": [smallest], "timing": {"batch_sizes": [1], "launches": 1, "rounds": 1}}
    run = qdynbench.run(TASK, overrides=quick, out=tmp_path / "run")
    assert run.exit_status == 0, [cell.reason for cell in run.cells]
