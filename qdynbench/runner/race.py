"""The timing of a case: rounds A B C A B C ..., so that a drift of the machine hits every solver alike."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from qdynbench.contract.spec import SolverSpec
from qdynbench.record.schema import CellRecord, SolveTiming, Status
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Cell, Plan
from qdynbench.task.case import Case, Purpose
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure

SHORTEST_ROUND = 0.02
"""Seconds: calls shorter than this are repeated within a round, well above the clock and the scheduler."""
FEWEST_ROUNDS = 3
SETTLE = 0.04
"""Seconds of rest before a round: idle threads of OpenMP and OpenBLAS go on spinning for up to 27 ms, and would take a
core from the solver that comes next."""
STAGED_SETS = 2
"""Sets of timing states that calls alternate between: a solver that remembers its last answer gains nothing by it."""


@dataclass
class _Contestant:
    """A solver in the rounds of one batch size."""

    record: CellRecord
    worker: Worker
    states: int
    warm_up: float = 0.0
    calls: int = 1
    rounds: int = FEWEST_ROUNDS


def time_case(plan: Plan, case: Case, records: list[CellRecord], fleet: Fleet, observer: Observer) -> None:
    """Time every cell of a case and complete its record; a worker that fails here ends its own cell only."""
    identity = uuid.uuid4().hex[:12]
    cells = {str(cell.spec): cell for cell in plan.of_case(case)}
    racing = [record for record in records if not record.complete]
    spent: dict[str, float] = {record.solver: 0.0 for record in racing}
    started = time.perf_counter()
    for batch in plan.task.timing.batch_sizes:
        field = []
        drawn = _Drawn(plan, case, fleet)
        for record in [record for record in racing if record.status is Status.OK]:
            contestant = _Contestant(
                record,
                fleet.solver(SolverSpec.parse(record.solver)),
                min(batch, plan.task.timing.subset.get(record.solver, batch)),
            )
            if _attempt(record, lambda c=contestant, d=drawn: _stage(plan, c, d)):  # type: ignore[misc]
                spent[record.solver] += contestant.warm_up
                field.append(contestant)
        _race(plan, batch, field, cells, observer, spent)
    for record in racing:
        if record.status is Status.OK:
            _attempt(record, lambda r=record: _peak(plan, r, fleet))  # type: ignore[misc]
        record.ledger.rounds_id = identity
        record.complete = True
    if racing and (overhead := time.perf_counter() - started - sum(spent.values())) > 0:
        for record in racing:
            record.ledger.overhead = (record.ledger.overhead or 0.0) + overhead / len(racing)


class _Drawn:
    """The states of one batch size, drawn once for all solvers."""

    def __init__(self, plan: Plan, case: Case, fleet: Fleet) -> None:
        self._case = to.Where(case.size, case.seed)
        self._limit = plan.task.limits.seconds
        self._fleet = fleet
        self._known: dict[tuple[Purpose, int], to.States] = {}

    def states(self, purpose: Purpose, start: int, stop: int) -> to.States:
        """Return the states `start` to `stop` of a purpose."""
        if (purpose, stop) not in self._known:
            request = to.DrawStates(self._case, int(purpose), start, stop)
            self._known[purpose, stop] = self._fleet.scorer.ask(request, seconds=self._limit).states
        return self._known[purpose, stop]


def _stage(plan: Plan, contestant: _Contestant, drawn: _Drawn) -> None:
    """Give a worker its timing states, warm it up with others, and choose how often to call it."""
    timing, limit = plan.task.timing, plan.task.limits.seconds
    states = contestant.states
    warm_up = drawn.states(Purpose.WARM_UP, 1, 1 + states)
    seconds = contestant.worker.ask(to.Call(warm_up), seconds=limit).seconds
    for_rounds = drawn.states(Purpose.TIMING, 0, STAGED_SETS * states)
    contestant.worker.ask(to.Stage(for_rounds, STAGED_SETS), seconds=limit)
    contestant.warm_up = seconds
    contestant.calls = max(1, math.ceil(SHORTEST_ROUND / max(seconds, 1e-9)))
    affordable = timing.seconds / max(seconds * contestant.calls, 1e-9)
    contestant.rounds = int(max(FEWEST_ROUNDS, min(timing.rounds, affordable)))


def _race(
    plan: Plan,
    batch: int,
    field: list[_Contestant],
    cells: dict[str, Cell],
    observer: Observer,
    spent: dict[str, float],
) -> None:
    seconds: dict[str, list[float]] = {contestant.record.solver: [] for contestant in field}
    for number in range(plan.task.timing.rounds):
        for contestant in field:
            record = contestant.record
            if number >= contestant.rounds or record.status is not Status.OK:
                continue
            observer.phase(cells[record.solver], f"time {batch}")

            def one_round(contestant: _Contestant = contestant, number: int = number) -> None:
                request = to.TimeRound(contestant.states, number, contestant.calls, SETTLE)
                timed = contestant.worker.ask(request, seconds=plan.task.limits.seconds)
                seconds[contestant.record.solver].append(timed.seconds * batch / contestant.states)
                spent[contestant.record.solver] += timed.seconds * contestant.calls + timed.settled

            _attempt(record, one_round)
    for contestant in field:
        if contestant.record.status is Status.OK:
            contestant.record.ledger.solve.append(
                SolveTiming(
                    batch_size=batch,
                    seconds=seconds[contestant.record.solver],
                    calls=contestant.calls,
                    timed_states=contestant.states,
                )
            )


def _peak(plan: Plan, record: CellRecord, fleet: Fleet) -> None:
    peak = fleet.solver(SolverSpec.parse(record.solver)).ask(to.PeakMemory(), seconds=plan.task.limits.seconds)
    record.ledger.peak_memory_host, record.ledger.peak_memory_device = peak.host, peak.device
    record.ledger.rest_memory_host = peak.rest


def _attempt(record: CellRecord, act: Callable[[], None]) -> bool:
    """Run one step of a cell's timing; a failure ends the cell with its status, its accuracy stays."""
    try:
        act()
    except WorkerFailure as failure:
        record.status, record.reason, record.details = failure.as_status(), failure.reason, failure.details
        return False
    return True
