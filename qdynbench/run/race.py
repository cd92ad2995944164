"""The timing of a case: rounds A B C A B C ..., so that a drift of the machine hits every solver alike."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qdynbench.contract.spec import SolverSpec
from qdynbench.record.schema import CellRecord, SolveTiming, Status
from qdynbench.run.fleet import Fleet
from qdynbench.run.observer import Observer
from qdynbench.run.plan import Cell, Plan
from qdynbench.task.case import Case, Purpose
from qdynbench.workers.channel import Message
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
    vectors: bool
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
                cells[record.solver].vectors,
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
        self._case: dict[str, Any] = {"size": case.size, "seed": case.seed}
        self._limit = plan.task.limits.seconds
        self._fleet = fleet
        self._messages: dict[tuple[Purpose, int, bool], Message] = {}

    def states(self, purpose: Purpose, start: int, stop: int, vectors: bool) -> Message:
        """Return states as vectors, if they are asked for, and as spinors, where there are some."""
        key = (purpose, stop, vectors)
        if key not in self._messages:
            fields = {**self._case, "purpose": int(purpose), "start": start, "stop": stop, "vectors": vectors}
            self._messages[key] = self._fleet.scorer.ask("states", seconds=self._limit, **fields)
        return self._messages[key]


def _stage(plan: Plan, contestant: _Contestant, drawn: _Drawn) -> None:
    """Give a worker its timing states, warm it up with others, and choose how often to call it."""
    timing, limit = plan.task.timing, plan.task.limits.seconds
    states = contestant.states
    warm_up = drawn.states(Purpose.WARM_UP, 1, 1 + states, contestant.vectors)
    seconds = contestant.worker.ask("call", *warm_up.arrays, seconds=limit, **warm_up.fields).fields["seconds"]
    for_rounds = drawn.states(Purpose.TIMING, 0, STAGED_SETS * states, contestant.vectors)
    staged = [array.reshape(STAGED_SETS, states, *array.shape[1:]) for array in for_rounds.arrays]
    contestant.worker.ask("stage", *staged, seconds=limit, **for_rounds.fields)
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
            observer.phase(cells[record.solver], f"time {batch}", number / contestant.rounds)

            def one_round(contestant: _Contestant = contestant, number: int = number) -> None:
                fields: dict[str, Any] = {
                    "batch": contestant.states,
                    "number": number,
                    "calls": contestant.calls,
                    "settle": SETTLE,
                }
                limit = plan.task.limits.seconds
                answer = contestant.worker.ask("time", seconds=limit, **fields).fields
                measured = answer["seconds"]
                seconds[contestant.record.solver].append(measured * batch / contestant.states)
                spent[contestant.record.solver] += measured * contestant.calls + answer["settled"]

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
    fields = fleet.solver(SolverSpec.parse(record.solver)).ask("peak", seconds=plan.task.limits.seconds).fields
    record.ledger.peak_memory_host, record.ledger.peak_memory_device = fields["host"], fields["device"]
    record.ledger.rest_memory_host = fields["rest"]


def _attempt(record: CellRecord, act: Callable[[], None]) -> bool:
    """Run one step of a cell's timing; a failure ends the cell with its status, its accuracy stays."""
    try:
        act()
    except WorkerFailure as failure:
        record.status, record.reason, record.details = failure.as_status(), failure.reason, failure.details
        return False
    return True
