"""The echo of a cell: states evolve over the grid, back under -H, and are compared with the initial states.

It comes after the timing, so that it affects neither the clocks nor the peak memory of the cell. If it fails, only the
echo is missing from the cell.
"""

from __future__ import annotations

from qdynbench.contract.problem import Knowledge
from qdynbench.record.schema import ECHO, CellRecord, Status
from qdynbench.record.store import Store
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Cell, Plan
from qdynbench.task.case import Case, Purpose
from qdynbench.workers import protocol as to
from qdynbench.workers.process import WorkerFailure

MOST_STATES = 4
"""Largest number of states in an echo."""
LARGEST_BATCH = 1 << 24
"""Largest number of amplitudes of these states together, unless a single state has more."""


def echoes(plan: Plan, case: Case, records: list[CellRecord], fleet: Fleet, store: Store, observer: Observer) -> None:
    """Add the echo to every record of a case that has one, or a note on why it is missing."""
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
    """Return whether a cell has an echo: if there is no reference, or if the task names it.

    A solver that yields observables has none; its record contains no precision of states.
    """
    metrics, traits = plan.task.metrics, plan.traits[str(cell.spec)]
    if traits.knowledge is not Knowledge.HAMILTONIAN or traits.learned or not record.precision:
        return False
    if metrics != "all":
        return ECHO in metrics
    return record.reference is not None and bool(record.reference.missing)


def _measure(plan: Plan, cell: Cell, record: CellRecord, fleet: Fleet, store: Store) -> None:
    limit, case = plan.task.limits.seconds, cell.case
    count = max(1, min(MOST_STATES, fleet.states, LARGEST_BATCH >> case.size))
    drawn = fleet.ask_scorer(to.DrawStates(case, Purpose.TEST, 0, count), seconds=limit)
    problem, worker = plan.problem(case), fleet.solver(cell.spec)
    if worker.holds != case:  # it has been replaced since
        worker.ask(to.Prepare(to.Posed.of(problem), twice=False), seconds=limit)
    worker.holds = None
    returned = worker.ask(to.LeadBack(drawn.states, to.Posed.of(problem.backward())), seconds=limit)
    if returned.refusal is not None:
        record.notes.append(f"no echo: {returned.refusal}")
    if returned.states is None:
        return
    curves = str(store.curves_of(record.key))
    record.scores.append(fleet.ask_scorer(to.ScoreEcho(case, returned.states, curves), seconds=limit).score)
    record.left_out = [name for name in record.left_out if name != ECHO]
