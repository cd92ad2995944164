"""The race of a case: all its solvers are timed in several launches, in rounds of random order.

A launch is a process of every solver. What lasts as long as a process, such as where its memory lies, differs between
launches, so that intervals come from these; what disturbs the machine for a while meets all solvers of a round.

The first launch is a trial: calls and rounds are chosen by it, and memory is taken down. Since they are chosen by its
times, these do not count, unless it is the only one.

Where calls are long, a solver is timed with one thread and with all of them, and the faster time counts. Which of the
two it is may look otherwise while the machine is disturbed, so that the slower one of the trial stays in reserve unless
it is plainly slower; the choice is made at the end, by all launches.

One solver runs at a time: the process groups of all others are paused, so that they cannot spin on a core meanwhile.
"""

from __future__ import annotations

import functools
import math
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pydantic

from qdynbench.contract.initial import vector_bytes
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.schema import CellRecord, SolveTiming, Status
from qdynbench.runner.accuracy import Answer
from qdynbench.runner.fleet import Fleet, Launched
from qdynbench.runner.observer import Observer
from qdynbench.runner.plan import Cell, Plan
from qdynbench.stats import typical
from qdynbench.task.case import Case, Purpose
from qdynbench.text import count
from qdynbench.workers import protocol as to
from qdynbench.workers.process import Worker, WorkerFailure

SHORTEST_ROUND = 0.015
"""Seconds. Shorter calls are repeated within a round, which takes their median."""
MOST_CALLS = 200
"""Number of calls of a round."""
FEWEST_LAUNCHES = 3
"""An interval from fewer would say nothing."""
LAUNCH_SHARE = 10
"""A solver is launched more than once if a launch takes at most so many times the seconds of its rounds."""
SETS = 4
"""Number of sets of states that the inputs of timed calls are made from."""
STAGED_BYTES = 64e6
"""Bytes of the inputs of a round."""
ATTEMPTS = 3
"""Number of times that a round is run while the cores are slow."""
TRIAL_ROUNDS = 2
"""Number of rounds in the trial, each time that it looks at a solver."""
PLAINLY, CLEARLY = 4.0, 1.05
"""How many times the seconds of the other a number of threads takes that is plainly slower, and at least one that is
clearly slower."""
LONG_ROUND = 1.0
"""Seconds of a round from which on it is not run again."""
CLOCK_DOUBT = (1.25, 3e-4, 0.02)
"""The main process sees a round take longer than the clock of the worker says: by a factor, by seconds for each call
and by seconds, beyond which the clock of the worker is not believed."""

LONG_CALL = 1e-3
"""Seconds of a call from which on more than one thread is tried. Shorter ones gain at most a factor of two where every
thread has a core, and lose one of thirty where the scheduler puts two that wait for each other on the same."""

_Running = dict[tuple[str, int], Launched]
"""The workers of a launch by solver and number of threads."""
Draw = Callable[[Purpose, int, int], to.States]
"""Draws the states `start` to `stop` for a purpose."""


@dataclass
class _Lane:
    """A solver at one batch size, with one number of threads.

    Attributes:
        batch, states: number of states of a call, and of those that are solved; times are extrapolated to all.
        calls: number of calls of a round.
        rounds: number of rounds of a launch.
        most_calls: largest number of calls of a round.
        expected: seconds of a call by the trial.
        launches: seconds of a call for each launch and round.
        compiling: by how much the first call of each launch was longer than a later one.
        lags: seconds of each round by the clock of the main process, less those that the worker's clock allows for.
        cpu, waited, seconds: sums over all rounds.
        disturbed: number of rounds in which the cores were slow, also when they were repeated.
        compared: the call of the last round that is compared with what was scored; the rows in its batch of states that
            were scored, and which they are.
    """

    threads: int
    batch: int
    states: int
    calls: int = 1
    rounds: int = 1
    most_calls: int = 1
    expected: float = math.nan
    launches: list[list[float]] = field(default_factory=list)
    compiling: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    cpu: float = 0.0
    waited: float = 0.0
    seconds: float = 0.0
    disturbed: int = 0
    compared: tuple[int, list[int], list[int]] = (0, [], [])

    @property
    def typical(self) -> float:
        """Seconds of a call with the states that are solved."""
        return typical(self.launches) * self.states / self.batch

    def tried(self) -> None:
        """End the trial: nothing of it counts but what was chosen by it.

        The number of calls is chosen anew. The single calls it was chosen by were cold, and where equals have other
        numbers of calls, the colder first ones weigh otherwise in their medians.
        """
        self.expected = self.typical
        self.calls = calls_of(self.expected, self.most_calls)
        self.launches, self.cpu, self.waited, self.seconds, self.disturbed = [], 0.0, 0.0, 0.0, 0

    def timing(self) -> SolveTiming:
        """Return what is recorded."""
        return SolveTiming(
            batch_size=self.batch,
            launches=self.launches,
            calls=self.calls,
            timed_states=self.states,
            threads=self.threads,
            compile_time=max(0.0, float(np.median(self.compiling))),
            busy=self.cpu / self.seconds,
            waiting=self.waited / self.seconds,
            disturbed=self.disturbed,
        )


@dataclass
class _Entrant:
    """A solver in the race of a case.

    Attributes:
        most: number of launches that it takes part in.
        lanes: by batch size, one for each number of threads that is still tried, the faster of the trial first.
        starts: seconds from its import to the end of `prepare` for each launch, by number of threads.
    """

    record: CellRecord
    cell: Cell
    spec: SolverSpec
    answer: Answer
    most: int
    lanes: dict[int, list[_Lane]] = field(default_factory=dict)
    starts: dict[int, list[float]] = field(default_factory=dict)

    @property
    def racing(self) -> bool:
        return self.record.status is Status.OK

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End the cell with its status when a step of its timing fails; its accuracy stays."""
        try:
            yield
        except WorkerFailure as failure:
            self.end(failure.as_status(), failure.reason, failure.details)
        except pydantic.ValidationError as error:  # what its process has said is of the right type, and cannot be
            self.end(Status.INVALID, f"its figures are none: {error}")

    def end(self, status: Status, reason: str, details: str = "") -> None:
        self.record.status, self.record.reason, self.record.details = status, reason, details


def time_case(
    plan: Plan,
    case: Case,
    records: list[CellRecord],
    answers: dict[str, Answer],
    fleet: Fleet,
    observer: Observer,
) -> None:
    """Time every cell of a case and complete its record; a worker that fails here ends only its own cell.

    Args:
        plan: what is run.
        case: the case of the records.
        records: of the cells, with their accuracy.
        answers: by the key of a cell, what was scored; used up.
        fleet: the workers.
        observer: receives the progress.
    """
    cells, most = {cell.key: cell for cell in plan.of_case(case)}, plan.task.timing.launches
    entrants = [
        _Entrant(record, cells[record.key], cells[record.key].spec, answers.pop(record.key), most)
        for record in records
        if not record.complete
    ]
    identity, started = uuid.uuid4().hex[:12], time.perf_counter()
    race = _Race(plan, case, fleet, observer)
    with fleet.resting():
        for launch in range(most + 1 if most > 1 else 1):
            race.launch(launch, [one for one in entrants if one.racing and (not launch or launch <= one.most > 1)])
    for one in entrants:
        if one.racing:
            with one.ending():
                _write_down(one)
        one.record.ledger.rounds_id = identity
        one.record.complete = True
    overhead = max(0.0, time.perf_counter() - started - race.spent)
    for one in entrants:
        one.record.ledger.overhead = (one.record.ledger.overhead or 0.0) + overhead / len(entrants)


class _Race:
    """The launches of a case."""

    def __init__(self, plan: Plan, case: Case, fleet: Fleet, observer: Observer) -> None:
        self._plan, self._case, self._fleet, self._observer = plan, case, fleet, observer
        self._limit = plan.task.limits.seconds
        self._calm = fleet.calm
        self._random = random.Random(f"{plan.task.seed} {case.key}")  # noqa: S311 - no secret
        self.spent = 0.0
        """Seconds that solvers took, for loading, preparing and solving."""

        @functools.cache
        def draw(purpose: Purpose, start: int, stop: int) -> to.States:  # once for all solvers and launches
            return fleet.ask_scorer(to.DrawStates(case, purpose, start, stop), seconds=self._limit).states

        self._draw: Draw = draw

    def launch(self, number: int, entrants: list[_Entrant]) -> None:
        """Have a process of every solver, and run its rounds at every batch size."""
        running: _Running = {}
        try:
            for one in self._random.sample(entrants, len(entrants)):  # one by one, since start-up is timed as well
                with one.ending():
                    for threads in self._threads(one):
                        running[one.record.solver, threads] = self._started(one, threads, number)
            for batch in self._plan.task.timing.batch_sizes:
                self._rounds(number, batch, [one for one in entrants if one.racing], running)
            for one in entrants:
                if number == 0 and one.racing:
                    with one.ending():
                        self._look_again(one, running)
                        self._remember(one, running)
                    if self._plan.task.timing.launches > 1 and one.most > 1:
                        one.lanes = {batch: _kept(lanes) for batch, lanes in one.lanes.items()}
        finally:
            sound = {one.record.solver for one in entrants if one.racing}
            for launched in running.values():
                self._fleet.put_back(launched, sound=launched.solver in sound)

    def _threads(self, one: _Entrant) -> list[int]:
        """Return the numbers of threads of the workers of a solver at the start of a launch.

        In the first launch it is one; `_rounds` adds a worker with all of them where calls are long. What could pass a
        limit with one thread has all from the start.
        """
        if one.lanes:
            return sorted({lane.threads for lanes in one.lanes.values() for lane in lanes})
        ledger, every = one.record.ledger, self._plan.environment.threads
        longest = max(ledger.prepare_time or 0.0, self._plan.batch * (ledger.first_call_time or 0.0))
        return [every if longest * every > self._limit / 2 else 1]

    def _started(self, one: _Entrant, threads: int, number: int) -> Launched:
        """Start a worker and prepare the case."""
        launched = self._fleet.launched(one.spec, threads, number)
        try:
            with _turn(launched.worker):
                self._prepare(one, launched)
        except BaseException:
            launched.worker.kill()
            raise
        return launched

    def _prepare(self, one: _Entrant, launched: Launched) -> None:
        knowledge = self._plan.traits[one.record.solver].knowledge
        problem = self._plan.problem(self._case, launched.threads).blinded(knowledge)
        prepared = launched.worker.ask(to.Prepare(to.Posed.of(problem), twice=False), seconds=self._limit)
        if prepared.seconds < 0:
            reason = "the clock of its process runs behind: by it, `prepare` ends before it has begun"
            raise WorkerFailure(Status.INVALID, reason, alive=True)
        start = launched.once + prepared.seconds
        launched.fresh = not launched.used
        self.spent += start if launched.fresh else prepared.seconds
        if launched.fresh:  # what `prepare` compiles is done once, and part of what it costs to start at any size
            launched.once, launched.used = max(0.0, start - (one.record.ledger.prepare_time or 0.0)), True
        one.starts.setdefault(launched.threads, []).append(start)
        if launched.number == 0 and start > LAUNCH_SHARE * self._plan.task.timing.seconds:
            one.most = 1

    def _rounds(self, launch: int, batch: int, entrants: list[_Entrant], running: _Running) -> None:
        """Run the rounds of one batch size, in each of which all solvers have a turn."""
        lanes: list[tuple[_Entrant, _Lane, Worker]] = []
        for one in entrants:
            with one.ending():
                if launch == 0:
                    one.lanes[batch] = self._tried(one, batch, running)
                else:
                    for lane in one.lanes[batch]:
                        self._warm_up(launch, one, lane, running[one.record.solver, lane.threads])
                lanes += [(one, lane, running[one.record.solver, lane.threads].worker) for lane in one.lanes[batch]]
        timing = self._plan.task.timing
        most = min(timing.rounds, TRIAL_ROUNDS) if launch == 0 and timing.launches > 1 else timing.rounds
        for number in range(most):
            for one, lane, worker in self._random.sample(lanes, len(lanes)):
                rounds = min(lane.rounds, most)
                if one.racing and number < rounds:
                    self._observer.phase(one.cell, f"time {batch}")
                    with one.ending():
                        self._visit(lane, worker, last=number == rounds - 1)
        for one, lane, worker in lanes:
            if one.racing:
                with one.ending():
                    self._inspect(one, lane, worker, again=launch == 0)

    def _look_again(self, one: _Entrant, running: _Running) -> None:
        """Take a second look at the numbers of threads, some time later: at one moment, one may be disturbed."""
        for lanes in one.lanes.values():
            for lane in lanes if len(lanes) > 1 else []:
                worker = running[one.record.solver, lane.threads].worker
                with _turn(worker):
                    worker.ask(to.Stage(self._sets(one, lane), lane.states), seconds=self._limit)
                for _ in range(min(lane.rounds, TRIAL_ROUNDS)):
                    self._visit(lane, worker, last=False)

    def _tried(self, one: _Entrant, batch: int, running: _Running) -> list[_Lane]:
        """Return the lanes of a first launch, warmed up: one thread, and all of them where calls are long enough."""
        states = min(batch, self._plan.task.timing.subset.get(one.record.solver, batch))
        fewest = min(threads for name, threads in running if name == one.record.solver)
        lanes, every = [_Lane(fewest, batch, states)], self._plan.environment.threads
        second = self._warm_up(0, one, lanes[0], running[one.record.solver, fewest])
        if fewest < every and second > LONG_CALL:
            if (one.record.solver, every) not in running:
                running[one.record.solver, every] = self._started(one, every, 0)
            lanes.append(_Lane(every, batch, states))
            self._warm_up(0, one, lanes[1], running[one.record.solver, every])
        return lanes

    def _warm_up(self, launch: int, one: _Entrant, lane: _Lane, launched: Launched) -> float:
        """Call once, so that all is compiled, and in the first launch once more to choose the calls and rounds.

        Return the seconds of the last call.
        """
        with _turn(launched.worker):
            return self._warmed_up(launch, one, lane, launched.worker, fresh=launched.fresh)

    def _warmed_up(self, launch: int, one: _Entrant, lane: _Lane, worker: Worker, *, fresh: bool) -> float:
        timing, states = self._plan.task.timing, lane.states
        first = worker.ask(to.Call(self._draw(Purpose.WARM_UP, 1, 1 + states)), seconds=self._limit).seconds
        self.spent += first
        last = first
        if launch == 0:
            states_bytes = states * vector_bytes(self._case.size)
            again = to.Call(self._draw(Purpose.WARM_UP, 1 + states, 1 + 2 * states))
            last = worker.ask(again, seconds=self._limit).seconds
            self.spent += last
            lane.compiling.append(first - last)
            lane.most_calls = int(max(1, min(MOST_CALLS, STAGED_BYTES / states_bytes)))
            lane.calls = calls_of(last, lane.most_calls)
            affordable = timing.seconds / max(last * lane.calls, 1e-9)
            lane.rounds = int(max(1, min(timing.rounds, affordable / timing.launches)))
            one.most = min(one.most, max(FEWEST_LAUNCHES, int(affordable)))
        elif fresh:  # in a process that stays, what is compiled once has been
            lane.compiling.append(first - lane.expected)
        worker.ask(to.Stage(self._sets(one, lane), states), seconds=self._limit)
        lane.launches.append([])
        return last

    def _sets(self, one: _Entrant, lane: _Lane) -> to.States:
        """Return the states from which timed calls are made, some that were scored among those of one call."""
        size = lane.states * vector_bytes(self._case.size)
        count = int(max(1, min(SETS, STAGED_BYTES / size)))
        drawn = {name: array.copy() for name, array in self._draw(Purpose.TIMING, 0, count * lane.states).items()}
        scored = len(next(iter(one.answer.sums.values())))
        call, few = self._random.randrange(lane.calls), min(scored, lane.states)
        rows, which = self._random.sample(range(lane.states), few), self._random.sample(range(scored), few)
        for name, array in drawn.items():
            array[[call % count * lane.states + row for row in rows]] = one.answer.states[name][which]
        lane.compared = call, rows, which
        return drawn

    def _visit(self, lane: _Lane, worker: Worker, *, last: bool) -> None:
        """Time the calls of one round, again while the machine slows it down and there is hope."""
        for _ in range(ATTEMPTS):
            with _turn(worker):
                timed, slowed = self._round(lane, worker, last=last)
            if not slowed or not self._calm.hope or sum(timed.seconds) > LONG_ROUND:
                break
        lane.launches[-1].append(float(np.median(timed.seconds)) * lane.batch / lane.states)
        lane.disturbed += slowed

    def _round(self, lane: _Lane, worker: Worker, *, last: bool) -> tuple[to.Timed, bool]:
        calm, threads = self._calm, lane.threads
        call, rows, _ = lane.compared
        seed = self._random.getrandbits(32)
        plain, limit = call if last else -1, calm.limit(threads)
        ready = to.Ready(lane.states, lane.calls, seed, plain, rows, limit, calm.patience)
        settled = worker.ask(ready, seconds=self._limit + calm.patience)
        self.spent += min(settled.waited, calm.patience)
        calm.waited_for(threads, settled.pace)
        came: list[tuple[float, to.Event]] = []

        def on_event(event: to.Event) -> None:
            if came:
                raise WorkerFailure(Status.INVALID, "the times of one round expected, those of more came", alive=True)
            came.append((time.perf_counter(), event))

        began = time.perf_counter()
        after = worker.ask(to.TimeRound(), seconds=self._limit, on_event=on_event)
        slowed = calm.slowed(threads, after.pace)
        if not came or not isinstance(timed := came[0][1], to.Timed):
            raise WorkerFailure(Status.INVALID, "the times of one round expected, none came", alive=True)
        seconds, claimed = came[0][0] - began, sum(timed.seconds)
        if len(timed.seconds) != lane.calls:
            reason = f"the seconds of {count(lane.calls, 'call')} expected, {len(timed.seconds)} came"
            raise WorkerFailure(Status.INVALID, reason, alive=True)
        factor, each, once = CLOCK_DOUBT
        lane.lags.append(seconds - factor * claimed - each * lane.calls - once)
        lane.cpu, lane.waited = lane.cpu + timed.cpu, lane.waited + timed.waited
        lane.seconds += seconds
        self.spent += claimed
        return timed, slowed

    def _inspect(self, one: _Entrant, lane: _Lane, worker: Worker, *, again: bool) -> None:
        """Compare what a call of the last round gave with what was scored."""
        call, rows, which = lane.compared
        scored = {name: sums[which] for name, sums in one.answer.sums.items()}
        seed = self._random.getrandbits(32) if again else -1
        began = time.perf_counter()
        with _turn(worker):
            worker.ask(to.Inspect(call, rows, scored, seed), seconds=self._limit)
        self.spent += time.perf_counter() - began

    def _remember(self, one: _Entrant, running: _Running) -> None:
        """Take down the memory of the first launch, with as many threads as there are."""
        most = max(threads for name, threads in running if name == one.record.solver)
        worker, ledger = running[one.record.solver, most].worker, one.record.ledger
        with _turn(worker):
            peak = worker.ask(to.PeakMemory(), seconds=self._limit)
        ledger.peak_memory_host, ledger.peak_memory_device = peak.host, peak.device
        ledger.rest_memory_host = peak.rest


@contextmanager
def _turn(worker: Worker) -> Iterator[None]:
    """Let a worker have the cores; all others of the race are paused, so that none of them can be at work."""
    worker.resume()
    try:
        yield
    finally:
        worker.pause()


def calls_of(seconds: float, most: int) -> int:
    """Return how many calls of so many seconds make a round."""
    return max(1, min(math.ceil(SHORTEST_ROUND / max(seconds, 1e-9)), most))


def _kept(lanes: list[_Lane]) -> list[_Lane]:
    """End the trial of a batch size: return the faster lane by its best round, and one in reserve with one round."""
    first, *others = sorted(lanes, key=lambda lane: min(lane.launches[0]))
    for lane in lanes:
        lane.tried()
    kept = [lane for lane in others if lane.expected <= PLAINLY * first.expected]
    for lane in kept:
        lane.rounds = 1
    return [first, *kept]


def _faster(lanes: list[_Lane]) -> _Lane:
    """Return the first lane unless another is clearly faster.

    Equals would else be told apart by chance, in favour of solvers that have two lanes.
    """
    first, *others = lanes
    best = min(others, key=lambda lane: lane.typical, default=first)
    return best if CLEARLY * best.typical < first.typical else first


def _write_down(one: _Entrant) -> None:
    """Complete the ledger of a solver, unless its clock contradicts that of the main process."""
    faster = [_faster(lanes) for lanes in one.lanes.values()]
    for lane in faster:
        excess = float(np.median(lane.lags))
        if excess > 0:
            states = count(lane.batch, "state")
            reason = f"the clock of its process runs behind: rounds with {states} take {excess:.2g} s more than it says"
            one.end(Status.INVALID, reason)
            return
    ledger = one.record.ledger
    ledger.solve = [lane.timing() for lane in faster]
    ledger.starts = one.starts[faster[-1].threads]
    ledger.start_up_time = float(np.mean(ledger.starts))
