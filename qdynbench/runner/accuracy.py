"""The accuracy of one cell: examine, prepare, make a first call, then solve while the scorer scores."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from qdynbench.contract.initial import vector_bytes
from qdynbench.contract.solver import Cost
from qdynbench.record.schema import (
    CellRecord,
    FitRecord,
    Ledger,
    PredictedCost,
    ReferenceRecord,
    Status,
    kept_notes,
)
from qdynbench.record.store import Store
from qdynbench.runner.fleet import ATTEMPTS, UNKNOWN, Fleet, ScorerFailure
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Cell, Plan
from qdynbench.runner.prediction import Paces, first_guess
from qdynbench.task.case import Case, Purpose
from qdynbench.task.load import model_of
from qdynbench.task.pose import drawn_model, track
from qdynbench.text import memory
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure

DOUBT = 10.0
"""Factor by which a predicted time may be wrong."""


@dataclass(frozen=True)
class Answer:
    """What was scored for the first states of a cell.

    Attributes:
        states: the states, as they are sent to a worker.
        sums: of what came, see `qdynbench.workers.protocol.Solved`.
    """

    states: to.States
    sums: to.States

    @classmethod
    def of(cls, states: to.States, solved: to.Solved) -> Answer:
        """Hold what a solver's process says of its answer to the form that it has to have."""
        shape = (len(next(iter(states.values()))),)
        if not solved.sums or any(sums.shape != shape for sums in solved.sums.values()):
            raise WorkerFailure(Status.INVALID, "a sum for each state expected of its answer, none came", alive=True)
        return cls(states, solved.sums)


class CellRunner:
    """Runs cells up to their timing; every end of a cell becomes a record."""

    def __init__(self, plan: Plan, fleet: Fleet, observer: Observer) -> None:
        self._plan = plan
        self._fleet = fleet
        self._observer = observer
        self._limit = plan.task.limits.seconds
        self._paces = Paces()
        self._cases: dict[Case, to.Opened] = {}
        self.answers: dict[str, Answer] = {}
        """By the key of a cell, what was scored for its first states; what is timed has to be the same."""
        self._lost: dict[Case, str] = {}
        """Cases whose reference has failed, with the reason."""

    def foresee(self, cell: Cell) -> Cell:
        """Return the cell with its predicted cost, or why it will not be run.

        Solvers are not fitted yet, so the outcome may differ. Faults are reported when the cell is run.
        """
        record = self._blank(cell, "")
        with contextlib.suppress(WorkerFailure):
            self._examine(cell, record)
            refusal = f"{record.status.value}: {record.reason}" if record.complete else ""
            return dataclasses.replace(cell, cost=record.predicted, refusal=refusal)
        return cell

    def accuracy(
        self, cell: Cell, store: Store, fits: Mapping[str, FitRecord], fingerprint: str, earlier: CellRecord | None
    ) -> CellRecord:
        """Score a cell. The record is complete if the cell has ended early, so that there is nothing to time.

        Args:
            cell: the cell.
            store: keeps the curves.
            fits: the fits of the learned solvers.
            fingerprint: hash of everything on which the result depends.
            earlier: a record with the same fingerprint from a run that was killed before the timing.
        """
        fit = fits.get(str(cell.spec))
        if fit is not None and fit.status is not Status.OK:
            return _ended(self._blank(cell, fingerprint), fit.status, fit.reason, fit.details)
        deaths = 0
        while True:
            started = time.perf_counter()
            record = self._blank(cell, fingerprint)
            try:
                self._examine(cell, record)
                in_phases = 0.0 if record.complete else self._measure(cell, record, store, earlier)
            except ScorerFailure as failure:
                # Messages between the two workers are lost, so neither of them can be used again.
                self._fleet.drop(cell.spec)
                deaths += failure.cause.died
                if failure.cause.status == to.NO_REFERENCE and cell.case not in self._lost:
                    self._lost[cell.case] = failure.cause.reason
                elif not failure.cause.died or deaths == ATTEMPTS:
                    return _ended(record, failure.as_status(), failure.reason, failure.details)
            except WorkerFailure as failure:
                return self._failed(cell, record, failure)
            except pydantic.ValidationError as error:  # what its process has said is of the right type, and cannot be
                return _ended(self._blank(cell, fingerprint), Status.INVALID, f"its figures are none: {error}")
            else:
                if not record.complete:
                    record.ledger.overhead = max(0.0, time.perf_counter() - started - in_phases)
                return record

    def _failed(self, cell: Cell, record: CellRecord, failure: WorkerFailure) -> CellRecord:
        unasked = (
            record.predicted is None and record.ledger.prepare_time is None and str(cell.spec) not in self._fleet.lost
        )
        if unasked and (excess := self._vectors(cell.case)):
            # A solver without a prediction has failed before it could ask for vectors that do not exist.
            return _ended(record, Status.INFEASIBLE, excess, failure.details)
        return _ended(record, failure.as_status(), failure.reason, failure.details)

    def _examine(self, cell: Cell, record: CellRecord) -> None:
        """Ask whether the cell can be run and what it is predicted to cost; a cell that cannot ends here."""
        worker = self._fleet.solver(cell.spec)
        examined = worker.ask(to.Examine(self._posed(cell)), seconds=self._limit)
        record.predicted = self._predicted(str(cell.spec), examined.cost)
        if examined.refusal is not None:
            _ended(record, Status.UNSUPPORTED, examined.refusal)
        elif excess := self._too_much(record.predicted) or self._opened(cell.case).excess:
            _ended(record, Status.INFEASIBLE, excess)
        else:
            record.reference = self._reference(cell.case)

    def _predicted(self, solver: str, cost: Cost | None) -> PredictedCost | None:
        if cost is None:
            return None
        if not (cost.bytes >= 0 and cost.operations >= 0):
            raise WorkerFailure(Status.INVALID, "its estimate is less than nothing", alive=True)
        seconds = self._paces.seconds(solver, cost.operations)
        return PredictedCost(bytes=cost.bytes, operations=cost.operations, seconds=seconds)

    def _measure(self, cell: Cell, record: CellRecord, store: Store, earlier: CellRecord | None) -> float:
        """Prepare, warm up and, unless an earlier run has done it, score; return the seconds of these phases."""
        ledger, worker = record.ledger, self._fleet.solver(cell.spec)
        self._observer.phase(cell, "prepare")
        prepared = worker.ask(to.Prepare(self._posed(cell), twice=True), seconds=self._limit)
        ledger.prepare_time, worker.holds = max(0.0, prepared.seconds), cell.case
        self._observer.phase(cell, "first call")
        warm_up = self._ask_scorer(to.DrawStates(cell.case, Purpose.WARM_UP, 0, 1))
        ledger.first_call_time = worker.ask(to.Call(warm_up.states), seconds=self._limit).seconds
        in_phases = max(0.0, prepared.first) + ledger.prepare_time + ledger.first_call_time
        if earlier is not None:
            record.scores, record.left_out, record.notes = earlier.scores, earlier.left_out, earlier.notes
            record.reference, record.precision = earlier.reference, earlier.precision
            count = min(to.COMPARED, self._fleet.states, self._plan.batch)
            few = self._ask_scorer(to.DrawStates(cell.case, Purpose.TEST, 0, count))
            solved = worker.ask(to.Solve(few.states), seconds=self._limit)
            self.answers[cell.key] = Answer.of(few.states, solved)
            return in_phases
        scoring = time.perf_counter()
        total = self._fleet.states
        for start in range(0, total, self._plan.batch):
            self._observer.phase(cell, "solve")
            self._solve(cell, worker, record, start, min(total, start + self._plan.batch))
        self._observer.phase(cell, "score")
        scored = self._score(to.FinishCell(str(store.new_curves(cell.key))))
        record.scores, record.left_out = scored.scores, scored.left_out
        if record.reference is not None and scored.reference_notes:
            record.reference = record.reference.model_copy(update={"notes": scored.reference_notes})
        return in_phases + time.perf_counter() - scoring

    def _solve(self, cell: Cell, worker: Worker, record: CellRecord, start: int, stop: int) -> None:
        referenced = record.reference is not None and not record.reference.missing
        initial = self._score(to.BeginPortion(cell.case, start, stop, referenced))

        def on_event(event: to.Event) -> None:
            if isinstance(event, to.Piece):
                self._score(to.ScorePiece(event))

        solved = worker.ask(to.Solve(initial.states), seconds=self._limit, on_event=on_event)
        if start == 0:
            few = {name: array[: to.COMPARED].copy() for name, array in initial.states.items()}
            self.answers[cell.key] = Answer.of(few, solved)
        record.notes = kept_notes([*record.notes, *solved.notes])
        record.precision = solved.precision

    def learn(self, record: CellRecord) -> None:
        """Take down what a finished cell has taken, for the predictions of larger sizes of the same solver."""
        ledger, batch = record.ledger, self._plan.batch
        timing = next((timing for timing in ledger.solve if timing.batch_size == batch), None)
        if record.predicted is None:
            return
        if record.status is Status.TIMEOUT:  # it takes at least this long
            self._paces.learn(record.solver, record.predicted.operations, self._limit)
        elif timing is not None and ledger.prepare_time is not None:
            seconds = ledger.prepare_time + timing.seconds
            self._paces.learn(record.solver, record.predicted.operations, seconds)

    def _posed(self, cell: Cell) -> to.Posed:
        return to.Posed.of(self._plan.problem(cell.case).blinded(self._plan.traits[str(cell.spec)].knowledge))

    def _ask_scorer(self, request: to.Request[to.Answer]) -> to.Answer:
        return self._fleet.ask_scorer(request, seconds=self._limit)

    def _score(self, request: to.Request[to.Answer]) -> to.Answer:
        """Ask what only the process can answer that has begun to score the cell."""
        return self._fleet.ask_scorer(request, seconds=self._limit, again=False)

    def _too_much(self, predicted: PredictedCost | None) -> str | None:
        return None if predicted is None else self._excess(predicted, predicted.seconds)

    def _vectors(self, case: Case) -> str | None:
        """Return why the state vectors of one call do not fit into the memory limit, or None."""
        needed, limit = (
            min(self._plan.batch, self._fleet.states) * vector_bytes(case.size),
            self._plan.environment.memory,
        )
        if needed <= limit:
            return None
        return f"state vectors of {case.size} spins take {memory(needed)}, limit {memory(limit)}"

    def _excess(self, cost: Cost | PredictedCost | None, seconds: float) -> str | None:
        """Return why a cost is beyond the limits, or None.

        Bytes are the solver's own count. A predicted time is not that certain: only one that is beyond the limit even
        when divided by `DOUBT` refuses a cell, any other is left to the limit itself.
        """
        limit = self._plan.environment.memory
        if cost is None:
            return None
        if cost.bytes > limit:
            return f"predicted memory {memory(cost.bytes)}, limit {memory(limit)}"
        if seconds > DOUBT * self._limit:
            return f"predicted time {seconds:.3g} s, limit {self._limit:g} s"
        return None

    def _opened(self, case: Case) -> to.Opened:
        if case not in self._cases:
            self._cases[case] = self._ask_scorer(to.OpenCase(case, self._plan.batch))
        return self._cases[case]

    def _reference(self, case: Case) -> ReferenceRecord:
        """Return the reference of a case, or why there is none."""
        opened, name = self._opened(case), self._plan.task.reference
        # By the first guess and not by what was measured: whether there is a reference must not depend on the minute.
        excess = self._excess(opened.cost, 0.0 if opened.cost is None else first_guess(opened.cost.operations))
        if missing := self._lost.get(case) or opened.refusal or excess:
            return ReferenceRecord(solver=name, missing=missing)
        return ReferenceRecord(solver=name, method=opened.method, states=opened.states, uncertified=opened.uncertified)

    def _drawn(self, case: Case) -> dict[str, Any]:
        """Return the parameters that the model has drawn for a case."""
        task, registry = self._plan.task, self._plan.registry
        known = model_of(task.model, registry).model_dump(mode="json")
        drawn = drawn_model(task, registry, case).model_dump(mode="json", exclude_defaults=True)
        return {name: value for name, value in drawn.items() if value != known.get(name)}

    def _blank(self, cell: Cell, fingerprint: str) -> CellRecord:
        traits = self._plan.traits[str(cell.spec)]
        return CellRecord(
            key=cell.key,
            task=self._plan.task.name,
            solver=str(cell.spec),
            size=cell.case.size,
            seed=cell.case.seed,
            track=track(self._plan.task, self._plan.registry, cell.case),
            drawn=self._drawn(cell.case),
            knowledge="" if traits is UNKNOWN else traits.knowledge.value,
            label=traits.label,
            accuracy=list(traits.accuracy),
            protocol=list(traits.protocol),
            fingerprint=fingerprint,
            ledger=Ledger(),
        )


def _ended(record: CellRecord, status: Status, reason: str, details: str = "") -> CellRecord:
    record.status, record.reason, record.details, record.complete = status, reason, details, True
    return record
