"""The process of a solver: it holds one solver, times it and checks its output; it knows only what the solver may."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

import numpy as np
import torch

from qdynbench.contract.build import build, declared, outlook
from qdynbench.contract.initial import Given, Initial
from qdynbench.contract.learned import LearnedSolver
from qdynbench.contract.problem import Problem
from qdynbench.contract.solver import Block, Solver
from qdynbench.contract.spec import SolverSpec
from qdynbench.contract.validation import checked_blocks, tensors_in
from qdynbench.errors import InputError, QdynbenchError, Unsupported
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import kept_notes
from qdynbench.workers import memory, pace
from qdynbench.workers import protocol as to
from qdynbench.workers.channel import Channel
from qdynbench.workers.clock import Receiver, Stopwatch, sums_of
from qdynbench.workers.fit_side import Context, RemoteData

PIECE = 64e6
"""Number of bytes of a block that are sent in one message."""


class SolverSide:
    """Answers requests about one solver."""

    requests = to.SolverRequest

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._solver: Solver
        self._device = "cpu"
        self._memory = float("inf")
        self._threads = 1
        self._staged: dict[int, list[Initial]] = {}
        self._inputs: list[Initial] = []
        self._received: list[Receiver] = []
        self._started = False
        self._reads_states = False
        """Whether the solver has asked for state vectors; they are then computed before a clock runs."""
        self._at_rest = 0

    def answer(self, request: to.SolverRequest) -> to.Message:  # noqa: PLR0911, PLR0912 - one for each request
        """Answer one request."""
        match request:
            case to.Load():
                return self._load(request)
            case to.Examine():
                refusal, cost = outlook(self._solver, request.problem.problem())
                return to.Examined(_line(refusal), cost)
            case to.Fit():
                return self._fit(request)
            case to.Restore():
                self._learned().load(Path(request.folder))
                return to.Done()
            case to.Prepare():
                return self._prepare(request.problem.problem(), twice=request.twice)
            case to.Call():
                return to.Called(self._time(Given(self._initial(request.states))))
            case to.Solve():
                return self._solve(self._initial(request.states))
            case to.LeadBack():
                return self._lead_back(self._initial(request.states), request.problem.problem())
            case to.Stage():
                return self._stage(request.states, request.batch)
            case to.Ready():
                return self._ready_for(request)
            case to.TimeRound():
                return self._time_round()
            case to.Inspect():
                return self._inspect(request)
            case to.PeakMemory():
                return to.Peak(memory.peak_host(), memory.peak_device(self._device), self._at_rest)
            case _:
                assert_never(request)

    def _load(self, request: to.Load) -> to.Loaded:
        setting, spec = request.setting, SolverSpec.parse(request.solver)
        torch.set_num_threads(setting.threads)
        self._device, self._memory, self._threads = setting.device, setting.memory, setting.threads
        watch = Stopwatch()
        with watch.running():
            with _own_fault():  # the name is known to exist
                solver_class = Registry.discover(setting.files, setting.plugins).load("solvers", spec.name)
            self._solver = solver = build(solver_class, spec.name, spec.parameters)
        self._at_rest = memory.resident()
        with _own_fault():
            found = dataclasses.asdict(declared(solver))
        return to.Loaded(seconds=watch.seconds, **{**found, "label": to.Line(found["label"])})

    def _learned(self) -> LearnedSolver:
        if not isinstance(self._solver, LearnedSolver):
            raise InputError(f"{type(self._solver).__name__} is no learned solver")
        return self._solver

    def _fit(self, request: to.Fit) -> to.Fitted:
        data = RemoteData(self._fetch, request.sizes, request.times, request.count)
        context = Context(self._channel, Path(request.folder), request.seed, self._device)
        solver, watch = self._learned(), Stopwatch(self._device)
        with watch.running():
            solver.fit(data, context)
        solver.save(Path(request.save_to))
        # Waiting for trajectories is a cost of the reference, which has a clock of its own.
        return to.Fitted(watch.seconds - data.waited)

    def _fetch(self, need: to.Need) -> to.Trajectories:
        self._channel.send(need)
        return self._channel.receive(to.Trajectories)

    def _prepare(self, problem: Problem, *, twice: bool) -> to.Prepared:
        memory.reset_peak(self._device)
        self._staged.clear()
        self._inputs, self._received = [], []
        self._reads_states = False
        first = self._time_prepare(problem) if twice and not self._started else 0.0
        self._started = True
        return to.Prepared(self._time_prepare(problem), first)

    def _time_prepare(self, problem: Problem) -> float:
        watch = Stopwatch(self._device)
        with watch.running():
            self._solver.prepare(problem)
        return watch.seconds

    def _initial(self, states: to.States) -> Initial:
        """Return initial states on the device, with their vectors if the solver has been seen to read them."""
        initial = Initial(**states, memory=self._memory).to(self._device)
        return self._ready(initial)

    def _ready(self, initial: Initial) -> Initial:
        if self._reads_states:
            initial.states  # noqa: B018 - computed now, before a clock runs
        return initial

    def _time(self, given: Given) -> float:
        """Return the seconds until all that a call yields is there; it is dropped.

        State vectors that are computed from spinors meanwhile are given to the solver, so their time does not count.
        """
        initial, watch = given.initial, Stopwatch(self._device)
        before, receiver = initial.making, Receiver(self._solver.problem, len(given))
        with watch.running():
            receiver.receive(self._solver, given)
        self._reads_states = self._reads_states or initial.vectors_exist
        return watch.seconds - (initial.making - before)

    def _solve(self, initial: Initial) -> to.Solved:
        given, precision, sums = Given(initial), "", dict[str, np.ndarray]()
        for block in checked_blocks(self._solver.solve(given), self._solver.problem, initial):
            if block.states is not None:
                precision = "double" if block.states.dtype is torch.complex128 else "single"
            few = {name: tensor[: to.COMPARED] for name, tensor in tensors_in(block).items()}
            for name, found in sums_of(few).items():
                sums[name] = sums.get(name, 0) + found.cpu().numpy()
            for piece in pieces(block):
                self._channel.send(piece)
        return to.Solved([to.Line(note) for note in kept_notes(given.notes)], to.Line(precision), sums)

    def _lead_back(self, initial: Initial, back: Problem) -> to.Returned:
        batch = self._solver.problem.batch
        there = [self._last(initial[start : start + batch]) for start in range(0, len(initial), batch)]
        turned = [_normalised(states) for states in there if states is not None]
        if not turned:
            return to.Returned(None, None)
        refusal, _ = outlook(self._solver, back)
        if refusal is not None:
            return to.Returned(None, _line(refusal))
        try:
            self._solver.prepare(back)
        except Unsupported as error:
            return to.Returned(None, to.Line(str(error)))
        ended = [states.cpu().numpy() for states in map(self._last, turned) if states is not None]
        return to.Returned(np.concatenate(ended) if ended else None, None)

    def _last(self, initial: Initial) -> torch.Tensor | None:
        """Solve and return the last states, complex128, shape `(B, 2**N)`; None for a solver without state vectors."""
        last = None
        for block in checked_blocks(self._solver.solve(Given(initial)), self._solver.problem, initial):
            if block.states is None:
                return None
            if block.start + block.states.shape[1] == self._solver.problem.steps + 1:
                last = block.states[:, -1].to(torch.complex128, copy=True)
        return last

    def _stage(self, states: to.States, batch: int) -> to.Done:
        count = len(next(iter(states.values())))
        cuts = [slice(start, start + batch) for start in range(0, count, batch)]
        self._staged[batch] = [self._initial({name: array[cut] for name, array in states.items()}) for cut in cuts]
        return to.Done()

    def _ready_for(self, request: to.Ready) -> to.Settled:
        random, sets = np.random.default_rng(request.seed), self._staged[request.batch]
        phases = np.exp(2j * np.pi * random.random((request.calls, request.batch)))
        if request.plain >= 0:
            phases[request.plain, request.rows] = 1
        self._inputs = [sets[call % len(sets)].turned(phases[call]) for call in range(request.calls)]
        watch = Stopwatch()
        with watch.running():
            found = pace.settle(self._threads, request.pace, request.patience)
        return to.Settled(found, watch.seconds)

    def _time_round(self) -> to.Settled:
        seconds: list[float] = []
        self._received = [Receiver(self._solver.problem, len(initial)) for initial in self._inputs]
        waited, cpu = pace.waited(), time.process_time()
        for initial, receiver in zip(self._inputs, self._received, strict=True):
            given = Given(self._ready(initial))
            watch = Stopwatch(self._device)
            with watch.running():
                receiver.receive(self._solver, given)
            seconds.append(watch.seconds)
        waited = max(0.0, pace.waited() - waited)  # the account of a thread that has ended is gone
        self._channel.send(to.Timed(seconds, time.process_time() - cpu, waited))
        return to.Settled(pace.yardstick(self._threads), 0.0)

    def _inspect(self, request: to.Inspect) -> to.Done:
        self._received[request.call].compare(request.scored, request.rows)
        if request.seed >= 0:
            initial = self._inputs[request.call]
            turned = initial.turned(np.exp(2j * np.pi * np.random.default_rng(request.seed).random(len(initial))))
            solved = self._solver.solve(Given(self._ready(turned)))
            for _ in checked_blocks(solved, self._solver.problem, turned):
                pass
        return to.Done()


@contextmanager
def _own_fault() -> Iterator[None]:
    """Have what goes wrong be the fault of the solver, which ends its own cells, and not of the task."""
    try:
        yield
    except InputError as error:
        raise QdynbenchError(str(error)) from error


def _line(text: str | None) -> to.Line | None:
    return None if text is None else to.Line(text)


def _normalised(states: torch.Tensor) -> Initial:
    norm = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return Initial(states / norm.clamp_min(torch.finfo(norm.dtype).tiny))


def pieces(block: Block) -> Iterator[to.Piece]:
    """Cut a checked block into messages of bounded size, each with some of its times."""
    tensors = tensors_in(block)
    length = next(iter(tensors.values())).shape[1]
    bytes_per_time = sum(t.numel() * t.element_size() for t in tensors.values()) / length
    step = max(1, int(PIECE // bytes_per_time))
    for begin in range(0, length, step):
        cut = {name: tensor[:, begin : begin + step].cpu().numpy() for name, tensor in tensors.items()}
        yield to.Piece(block.start + begin, cut)
