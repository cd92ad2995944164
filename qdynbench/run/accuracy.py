"""The accuracy of one cell: examine, prepare, first call, then solve while the scorer scores."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np

from qdynbench.contract.solver import Cost
from qdynbench.record.schema import CellRecord, FitRecord, Ledger, ReferenceRecord, Score, Status
from qdynbench.record.store import Store
from qdynbench.run.fleet import Fleet
from qdynbench.run.observer import Observer
from qdynbench.run.plan import Cell, Plan, problem, problem_message
from qdynbench.task.case import Case, Purpose, track
from qdynbench.workers.channel import Message
from qdynbench.workers.process import Worker, WorkerFailure

LONGEST = 900
"""Spins whose number of amplitudes a float still holds, with room for a factor."""

LARGE_UNITS = ((1e15, "PB"), (1e12, "TB"))


class ScorerFailure(Exception):
    """The scorer failed, which is not the fault of the solver under test."""

    def __init__(self, failure: WorkerFailure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class CellRunner:
    """Runs cells up to their timing; every way that a cell can end becomes a record."""

    def __init__(
        self, plan: Plan, fleet: Fleet, store: Store, observer: Observer, fits: dict[str, FitRecord] | None = None
    ) -> None:
        self._plan = plan
        self._fleet = fleet
        self._store = store
        self._observer = observer
        self._fits = fits or {}
        self._references: dict[Case, ReferenceRecord] = {}

    def accuracy(self, cell: Cell) -> CellRecord:
        """Score a cell. The record is complete when nothing is left to time, because the cell has ended otherwise."""
        started = time.perf_counter()
        record = self._blank(cell)
        fit = self._fits.get(str(cell.spec))
        if fit is not None and not fit.status.honest:
            return _ended(record, fit.status, fit.reason, fit.details)
        try:
            if self._examine(cell, record):
                return record
            in_phases = self._measure(cell, record)
        except WorkerFailure as failure:
            return _ended(record, failure.as_status(), failure.reason, failure.details)
        except ScorerFailure as lost:
            # What was on its way between the two workers is lost, so neither can be used again.
            self._fleet.scorer.kill()
            self._fleet.solver(cell.spec).kill()
            return _ended(record, Status.FAILED, f"reference or metric: {lost.failure.reason}", lost.failure.details)
        record.ledger.overhead = time.perf_counter() - started - in_phases
        return record

    def foresee(self, cell: Cell) -> None:
        """Fill in what the cell is predicted to cost, or why it will not be run; a fault shows when it is run."""
        record = self._blank(cell)
        with contextlib.suppress(WorkerFailure, ScorerFailure):
            if self._examine(cell, record):
                cell.refusal = f"{record.status.value}: {record.reason}"

    def _examine(self, cell: Cell, record: CellRecord) -> bool:
        """Ask whether the cell can be run and what it is predicted to cost; return whether that already ends it."""
        fields = self._ask_solver(cell, "examine")
        predicted = fields["cost"]
        cell.vectors = fields["needs_states"]
        if predicted is not None:
            cell.cost = Cost(**predicted)
            record.predicted = predicted
        if fields["unsupported"] is not None:
            _ended(record, Status.UNSUPPORTED, fields["unsupported"])
        elif (excess := self._excess(predicted) or self._excess_of_states(cell.case, cell.vectors)) is not None:
            _ended(record, Status.INFEASIBLE, excess)
        else:
            record.reference = self._reference(cell.case)
        return record.complete

    def _measure(self, cell: Cell, record: CellRecord) -> float:
        """Prepare, warm up and, unless an earlier run has done so, solve and score; return the seconds in phases."""
        ledger = record.ledger
        self._observer.phase(cell, "prepare")
        prepared = self._ask_solver(cell, "prepare")
        ledger.start_up_time, ledger.prepare_time = prepared["start_up_time"], float(prepared["prepare_time"])
        worker = self._fleet.solver(cell.spec)
        limit = self._plan.task.limits.seconds
        wanted = {"purpose": int(Purpose.WARM_UP), "start": 0, "stop": 1, "vectors": cell.vectors}
        warm_up = self._ask_scorer("states", **_case(cell.case), **wanted)
        ledger.first_call_time = worker.ask("call", *warm_up.arrays, seconds=limit, **warm_up.fields).fields["seconds"]
        in_phases = (ledger.start_up_time or 0.0) + ledger.prepare_time + ledger.first_call_time
        if cell.reused is not None:
            earlier = cell.reused
            record.scores, record.left_out, record.notes = earlier.scores, earlier.left_out, earlier.notes
            record.reference = earlier.reference
            return float(in_phases)
        scoring = time.perf_counter()
        total = 1 if self._fleet.single else self._plan.task.states
        for start in range(0, total, self._plan.batch):
            self._observer.phase(cell, "solve", start / total)
            self._solve(cell, record, worker, start, min(total, start + self._plan.batch))
        self._observer.phase(cell, "score", 1.0)
        finished = self._ask_scorer("finish", curves=str(self._store.curves_of(cell.key))).fields
        record.scores = [Score(**row) for row in finished["rows"]]
        record.left_out = finished["left_out"]
        if record.reference is not None and (notes := finished["reference_notes"]):
            record.reference = record.reference.model_copy(update={"notes": notes})
        return float(in_phases + time.perf_counter() - scoring)

    def _solve(self, cell: Cell, record: CellRecord, worker: Worker, start: int, stop: int) -> None:
        referenced = record.reference is not None and not record.reference.missing
        portion: dict[str, Any] = {"start": start, "stop": stop, "fresh": start == 0, "referenced": referenced}
        initial = self._ask_scorer("begin", **_case(cell.case), **portion, vectors=cell.vectors)

        def on_event(message: Message) -> None:
            self._ask_scorer(message.kind, *message.arrays, **message.fields)

        limit = self._plan.task.limits.seconds
        solved = worker.ask("solve", *initial.arrays, seconds=limit, on_event=on_event, **initial.fields).fields
        record.notes += [note for note in solved["notes"] if note not in record.notes]

    def _ask_solver(self, cell: Cell, kind: str) -> dict[str, Any]:
        posed = problem(self._plan, cell.case).blinded(self._plan.traits[str(cell.spec)].knowledge)
        worker = self._fleet.solver(cell.spec)
        limit = self._plan.task.limits.seconds
        return worker.ask(kind, posed.times, seconds=limit, **problem_message(posed)).fields

    def _ask_scorer(self, kind: str, *arrays: Any, **fields: Any) -> Message:
        try:
            return self._fleet.scorer.ask(kind, *arrays, seconds=self._plan.task.limits.seconds, **fields)
        except WorkerFailure as failure:
            raise ScorerFailure(failure) from failure

    def _excess(self, predicted: dict[str, float] | None) -> str | None:
        if predicted is None:
            return None
        limits, memory = self._plan.task.limits, self._plan.environment.memory
        if predicted["bytes"] > memory:
            return f"predicted memory {_bytes(predicted['bytes'])}, limit {_bytes(memory)}"
        if predicted["seconds"] > limits.seconds:
            return f"predicted time {predicted['seconds']:.3g} s, limit {limits.seconds:g} s"
        return None

    def _excess_of_states(self, case: Case, vectors: bool) -> str | None:
        """Say that the initial vectors of one call do not even fit; whatever a solver makes of them comes on top.

        Product states need none where the solver can do without (`vectors` is false).
        """
        if self._fleet.product and not vectors:
            return None
        count = min(self._plan.batch, 1 if self._fleet.single else self._plan.task.states)
        needed = float(np.dtype(np.complex128).itemsize) * count * 2.0 ** min(case.size, LONGEST)
        memory = self._plan.environment.memory
        if needed <= memory:
            return None
        why = "" if vectors else f"the ensemble {self._plan.task.ensemble} holds no product states: "
        return f"{why}state vectors of {case.size} spins take {_bytes(needed)}, limit {_bytes(memory)}"

    def _reference(self, case: Case) -> ReferenceRecord:
        """Return what the accuracy of a case can be measured against; without a reference, why there is none."""
        if case not in self._references:
            answer = self._ask_scorer("open", **_case(case), batch=self._plan.batch).fields
            name = self._plan.task.reference
            if answer["refusal"] is not None:
                found = ReferenceRecord(solver=name, missing=answer["refusal"])
            elif excess := self._excess(answer["cost"]) or self._excess_of_states(case, answer["needs_states"]):
                found = ReferenceRecord(solver=name, missing=excess)
            else:
                found = ReferenceRecord(solver=name, method=answer["method"], uncertified=answer["uncertified"])
            self._references[case] = found
        return self._references[case]

    def _blank(self, cell: Cell) -> CellRecord:
        traits = self._plan.traits[str(cell.spec)]
        return CellRecord(
            key=cell.key,
            task=self._plan.task.name,
            solver=str(cell.spec),
            size=cell.case.size,
            seed=cell.case.seed,
            track=track(self._plan.task, cell.case),
            knowledge=traits.knowledge.value,
            label=traits.label,
            fingerprint=cell.fingerprint,
            ledger=Ledger(),
        )


def _case(case: Case) -> dict[str, int]:
    return {"size": case.size, "seed": case.seed}


def _ended(record: CellRecord, status: Status, reason: str, details: str = "") -> CellRecord:
    record.status, record.reason, record.details, record.complete = status, reason, details, True
    return record


def _bytes(count: float) -> str:
    scale, unit = next((pair for pair in LARGE_UNITS if count >= pair[0]), (1e9, "GB"))
    return f"{count / scale:.3g} {unit}"
