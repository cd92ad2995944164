"""The timing of a case in rounds A B C A B C ..., so that a drift of the machine affects all solvers alike."""

from __future__ import annotations

import functools
import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from qdynbench.contract.spec import SolverSpec
from qdynbench.record.schema import CellRecord, SolveTiming, Status
from qdynbench.runner.fleet import Fleet
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Plan
from qdynbench.task.case import Case, Purpose
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure

SHORTEST_ROUND = 0.02
"""Seconds. Shorter calls are repeated within a round, so that it takes much longer than the clock can resolve."""
FEWEST_ROUNDS = 3
SETTLE = 0.04
"""Seconds of pause before a round. Idle threads of OpenMP and OpenBLAS keep spinning for up to 27 ms, and would take a
core from the next solver."""
STAGED_SETS = 2
"""Number of sets of states that calls alternate between, so that a solver gains nothing by remembering an answer."""

Draw = Callable[[Purpose, int, int], to.States]
"""Draws the states `start` to `stop` for a purpose."""


@dataclass
class _Contestant:
    """A solver in the rounds of one batch size: a call takes `states` states, a round `calls` calls."""

    record: CellRecord
    worker: Worker
    states: int
    calls: int
    rounds: int
    spent: float
    seconds: list[float] = field(default_factory=list)


def time_case(plan: Plan, case: Case, records: list[CellRecord], fleet: Fleet, observer: Observer) -> None:
    """Time every cell of a case and complete its record; a worker that fails here ends only its own cell."""
    identity = uuid.uuid4().hex[:12]
    racing = [record for record in records if not record.complete]
    limit = plan.task.limits.seconds
    started, spent = time.perf_counter(), 0.0
    for batch in plan.task.timing.batch_sizes:
        spent += _race(plan, case, batch, racing, fleet, observer)
    for record in racing:
        if record.status is Status.OK:
            with _ending(record):
                peak = fleet.solver(SolverSpec.parse(record.solver)).ask(to.PeakMemory(), seconds=limit)
                record.ledger.peak_memory_host, record.ledger.peak_memory_device = peak.host, peak.device
                record.ledger.rest_memory_host = peak.rest
        record.ledger.rounds_id = identity
        record.complete = True
    overhead = max(0.0, time.perf_counter() - started - spent)
    for record in racing:
        record.ledger.overhead = (record.ledger.overhead or 0.0) + overhead / len(racing)


def _race(plan: Plan, case: Case, batch: int, racing: list[CellRecord], fleet: Fleet, observer: Observer) -> float:
    """Run the rounds of one batch size, and return the seconds that the solvers took."""
    cells = {str(cell.spec): cell for cell in plan.of_case(case)}
    limit = plan.task.limits.seconds

    @functools.cache
    def draw(purpose: Purpose, start: int, stop: int) -> to.States:  # once for all solvers
        return fleet.scorer.ask(to.DrawStates(case, purpose, start, stop), seconds=limit).states

    contestants = []
    for record in racing:
        if record.status is Status.OK:
            with _ending(record):
                contestants.append(_staged(plan, record, batch, fleet, draw))
    for number in range(plan.task.timing.rounds):
        for one in contestants:
            if number < one.rounds and one.record.status is Status.OK:
                observer.phase(cells[one.record.solver], f"time {batch}")
                with _ending(one.record):
                    request = to.TimeRound(one.states, number, one.calls, SETTLE)
                    timed = one.worker.ask(request, seconds=limit)
                    one.seconds.append(timed.seconds * batch / one.states)
                    one.spent += timed.seconds * one.calls + timed.settled
    for one in contestants:
        if one.record.status is Status.OK:
            timing = SolveTiming(batch_size=batch, seconds=one.seconds, calls=one.calls, timed_states=one.states)
            one.record.ledger.solve.append(timing)
    return sum(one.spent for one in contestants)


def _staged(plan: Plan, record: CellRecord, batch: int, fleet: Fleet, draw: Draw) -> _Contestant:
    """Warm a worker up, give it the states to be timed, and choose how often to call it."""
    timing, limit = plan.task.timing, plan.task.limits.seconds
    worker = fleet.solver(SolverSpec.parse(record.solver))
    states = min(batch, timing.subset.get(record.solver, batch))
    warm_up = worker.ask(to.Call(draw(Purpose.WARM_UP, 1, 1 + states)), seconds=limit).seconds
    worker.ask(to.Stage(draw(Purpose.TIMING, 0, STAGED_SETS * states), STAGED_SETS), seconds=limit)
    calls = max(1, math.ceil(SHORTEST_ROUND / max(warm_up, 1e-9)))
    affordable = timing.seconds / max(warm_up * calls, 1e-9)
    rounds = int(max(FEWEST_ROUNDS, min(timing.rounds, affordable)))
    return _Contestant(record, worker, states, calls, rounds, spent=warm_up)


@contextmanager
def _ending(record: CellRecord) -> Iterator[None]:
    """End a cell with its status when a step of its timing fails; its accuracy stays."""
    try:
        yield
    except WorkerFailure as failure:
        record.status, record.reason, record.details = failure.as_status(), failure.reason, failure.details
