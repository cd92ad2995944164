"""The echo of a cell: forward over the grid, then under -H over the same grid, and compared with the initial state.

It comes after the timing, so that no clock and no memory of a cell has anything of it, and the next case prepares its
own problem anyway. Whatever goes wrong in it costs a cell nothing but its echo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qdynbench.contract.solver import Knowledge
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.run.plan import problem, problem_message
from qdynbench.scoring.metrics.echo import EchoInfidelity
from qdynbench.workers.process import WorkerFailure

if TYPE_CHECKING:
    from qdynbench.record.store import Store
    from qdynbench.run.fleet import Fleet
    from qdynbench.run.observer import Observer
    from qdynbench.run.plan import Cell, Plan
    from qdynbench.task.case import Case

MOST_STATES = 4
"""States that are led there and back, fewer where they are long."""
LARGEST_BATCH = 1 << 24
"""Amplitudes of all of them together, unless a single state has more."""


def echoes(plan: Plan, case: Case, records: list[CellRecord], fleet: Fleet, store: Store, observer: Observer) -> None:
    """Add the echo to every record of a case that it belongs to, or a note on why there is none."""
    cells = {str(cell.spec): cell for cell in plan.of_case(case)}
    for record in records:
        cell = cells[record.solver]
        if record.status is Status.OK and wanted(plan, cell, record):
            observer.phase(cell, "echo")
            try:
                _measure(plan, cell, record, fleet, store)
            except WorkerFailure as failure:
                record.notes.append(f"no echo: {failure.as_status().value}: {failure.reason}")


def wanted(plan: Plan, cell: Cell, record: CellRecord) -> bool:
    """Say whether a cell has an echo: where there is no reference, or where the task names it."""
    metrics, traits = plan.task.metrics, plan.traits[str(cell.spec)]
    if traits.knowledge is not Knowledge.HAMILTONIAN or traits.learned or not cell.vectors:
        return False
    if metrics != "all":
        return EchoInfidelity.name in metrics
    return record.reference is not None and bool(record.reference.missing)


def _measure(plan: Plan, cell: Cell, record: CellRecord, fleet: Fleet, store: Store) -> None:
    limit, case = plan.task.limits.seconds, cell.case
    which: dict[str, Any] = {"size": case.size, "seed": case.seed}
    states = 1 if fleet.single else plan.task.states
    count = max(1, min(MOST_STATES, states, LARGEST_BATCH >> case.size))
    initial = fleet.scorer.ask("echo_states", seconds=limit, **which, count=count)
    posed = problem(plan, case).backward()
    fields = {**initial.fields, "problem": problem_message(posed)}
    returned = fleet.solver(cell.spec).ask("echo", posed.times, *initial.arrays, seconds=limit, **fields)
    if refusal := returned.fields["refusal"]:
        record.notes.append(f"no echo: {refusal}")
        return
    if not returned.arrays:  # observables, of which there is no echo
        return
    curves = str(store.curves_of(record.key))
    scored = fleet.scorer.ask("echo", *returned.arrays, seconds=limit, **which, curves=curves)
    record.scores.append(Score(**scored.fields["row"]))
    record.left_out = [name for name in record.left_out if name != EchoInfidelity.name]
