"""The worker's side of a solver: holds it, times it, checks what it yields. Knows the solver's problem and no more."""

from __future__ import annotations

import dataclasses
import os
import time
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

from qdynbench.contract.solver import Block, Initial, Problem, Solver
from qdynbench.contract.validation import checked_blocks, tensors_in
from qdynbench.errors import InputError, suggestion
from qdynbench.physics.drive import Drive
from qdynbench.physics.operators import PauliSum
from qdynbench.plugins.registry import Registry
from qdynbench.record.manifest import foundation_of
from qdynbench.workers import memory
from qdynbench.workers.channel import Channel, Message
from qdynbench.workers.clock import Stopwatch, time_call
from qdynbench.workers.fit_side import Context, RemoteData

PIECE = 64e6
"""Bytes of a block that travel to the scorer in one message."""

MOST_NOTES, LONGEST_NOTE = 20, 200
"""How many different notes of a solve are kept, and how many letters of each."""


class SolverHost:
    """Answers the requests about one solver; `handle` dispatches to the method of the message's kind."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.solver: Solver
        self.device = "cpu"
        self._batches: dict[int, list[Initial]] = {}
        self._started = False
        self._at_rest = 0

    def handle(self, message: Message) -> Message:
        """Answer one request."""
        answer: Message = getattr(self, f"on_{message.kind}")(*message.arrays, **message.fields)
        return answer

    def on_load(self, name: str, parameters: dict[str, Any], files: list[str], threads: int, device: str) -> Message:
        """Import the solver's class and build it with its parameters."""
        torch.set_num_threads(threads)
        self.device = device
        solver_class = Registry.discover(files).load("solvers", name)
        self.solver = build(solver_class, name, parameters)
        self._at_rest = memory.resident()
        return Message(
            "done",
            {
                "knowledge": self.solver.knowledge.value,
                "learned": self.solver.learned,
                "label": self.solver.label,
                "shipped": [os.fspath(folder) for folder in shipped_folders(self.solver)],
                "foundation": None if (start := self.solver.starts_from()) is None else foundation_of(start),
                "libraries": library_versions(),
            },
        )

    def on_examine(self, times: NDArray[np.float64], **problem: Any) -> Message:
        """Say whether the solver takes a problem, what it predicts, and whether it needs the state vectors."""
        posed = read_problem(times, problem)
        refusal = unsupported(self.solver, posed)
        if refusal is not None:
            return Message("done", {"unsupported": refusal, "cost": None, "needs_states": True})
        cost = self.solver.estimate(posed)
        predicted = None if cost is None else {"bytes": float(cost.bytes), "seconds": float(cost.seconds)}
        needs_states = bool(self.solver.needs_states(posed))
        return Message("done", {"unsupported": None, "cost": predicted, "needs_states": needs_states})

    def on_fit(self, times: NDArray[np.float64], **fields: Any) -> Message:
        """Fit the solver on data that is asked for over the channel, and save what it learned."""
        data = RemoteData(self.channel, fields["sizes"], times, fields["count"])
        context = Context(self.channel, Path(fields["folder"]), fields["seed"], self.device)
        watch = Stopwatch(self.device)
        with watch.running():
            self.solver.fit(data, context)
        self.solver.save(Path(fields["save_to"]))
        # Waiting for trajectories is the reference's cost, which has a clock of its own.
        return Message("done", {"fit_time": watch.seconds - data.waited.seconds})

    def on_restore(self, folder: str) -> Message:
        """Load what an earlier fit saved."""
        self.solver.load(Path(folder))
        return Message("done")

    def on_prepare(self, times: NDArray[np.float64], **problem: Any) -> Message:
        """Prepare a problem from scratch; the first one twice, so that imports and compilation have their own clock."""
        memory.reset_peak(self.device)
        self._batches.clear()
        self.solver.problem = posed = read_problem(times, problem)
        start_up = None if self._started else self._prepare(posed)
        self._started = True
        return Message("done", {"start_up_time": start_up, "prepare_time": self._prepare(posed)})

    def _prepare(self, problem: Problem) -> float:
        watch = Stopwatch(self.device)
        with watch.running():
            self.solver.prepare(problem)
        return watch.seconds

    def on_call(self, *arrays: NDArray[np.complex128], given: list[str]) -> Message:
        """Solve once and drop the result: the first call, with states that are neither scored nor timed again."""
        states = initial_of(given, arrays, self.device)
        self.solver.notes = []
        return Message("done", {"seconds": time_call(self.solver.solve(states), self.device)})

    def on_solve(self, *arrays: NDArray[np.complex128], given: list[str]) -> Message:
        """Solve and send every block to be scored."""
        states = initial_of(given, arrays, self.device)
        self.solver.notes = []
        watch = Stopwatch(self.device)
        blocks = checked_blocks(timed(self.solver.solve(states), watch), self.solver.problem, states)
        for block in blocks:
            for piece in pieces(block):
                self.channel.send("block", *piece.arrays, **piece.fields)
        return Message("done", {"seconds": watch.seconds, "notes": kept_notes(self.solver.notes)})

    def on_echo(
        self, times: NDArray[np.float64], *arrays: NDArray[np.complex128], given: list[str], problem: dict[str, Any]
    ) -> Message:
        """Lead states over the grid of the problem that is prepared, and back by another; return where they end.

        No array comes back where the solver yields observables.
        """
        batch = self.solver.problem.batch
        there = [
            self._last(initial_of(given, [array[start : start + batch] for array in arrays], self.device))
            for start in range(0, len(arrays[0]), batch)
        ]
        turned = [_normalised(states) for states in there if states is not None]
        if not turned:
            return Message("done", {"refusal": None})
        self.solver.problem = posed = read_problem(times, problem)
        if (refusal := unsupported(self.solver, posed)) is not None:
            return Message("done", {"refusal": refusal})
        self.solver.prepare(posed)
        back = [states.cpu().numpy() for initial in turned if (states := self._last(initial)) is not None]
        return Message("done", {"refusal": None}, (np.concatenate(back),) if back else ())

    def _last(self, initial: Initial) -> torch.Tensor | None:
        """Solve and return the last states, complex128, shape `(B, 2**N)`, or None for a solver without any."""
        self.solver.notes = []
        last = None
        for block in checked_blocks(self.solver.solve(initial), self.solver.problem, initial):
            if block.states is None:
                return None
            if block.start + block.states.shape[1] == self.solver.problem.steps + 1:
                last = block.states[:, -1].to(torch.complex128, copy=True)
        return last

    def on_stage(self, *arrays: NDArray[np.complex128], given: list[str]) -> Message:
        """Keep timing states on the device: states `(rounds, B, 2**N)`, spinors `(rounds, B, N, 2)`, as given."""
        rounds = [initial_of(given, one, self.device) for one in zip(*arrays, strict=True)]
        self._batches[len(rounds[0])] = rounds
        return Message("done")

    def on_time(self, batch: int, number: int, calls: int, settle: float) -> Message:
        """Let the machine settle, time `calls` solves of one batch size and return the seconds of one."""
        rest = Stopwatch()
        with rest.running():
            time.sleep(settle)
        staged = self._batches[batch]
        watch = Stopwatch(self.device)
        for call in range(calls):
            states = staged[(number * calls + call) % len(staged)]
            self.solver.notes = []
            with watch.running():
                for _ in self.solver.solve(states):
                    pass
        return Message("done", {"seconds": watch.seconds / calls, "settled": rest.seconds})

    def on_peak(self) -> Message:
        """Return the largest memory since `prepare`, and what was held before the first problem, in bytes."""
        peaks = {"host": memory.peak_host(), "device": memory.peak_device(self.device)}
        return Message("done", {**peaks, "rest": self._at_rest})


def _normalised(states: torch.Tensor) -> Initial:
    norm = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return Initial(states / norm.clamp_min(torch.finfo(norm.dtype).tiny))


def kept_notes(notes: Sequence[object]) -> list[str]:
    """Return what is kept of a solver's notes: each once, cut, and not too many."""
    return list(dict.fromkeys(str(note)[:LONGEST_NOTE] for note in notes))[:MOST_NOTES]


def initial_of(given: Sequence[str], arrays: Sequence[NDArray[np.complex128]], device: str) -> Initial:
    """Rebuild initial states from arrays that `given` names "vectors" or "spinors"."""
    named = zip(given, arrays, strict=True)
    return Initial(**{name: torch.from_numpy(np.ascontiguousarray(array)).to(device) for name, array in named})


def build(solver_class: type[Solver], name: str, parameters: Mapping[str, Any]) -> Solver:
    """Check parameters against the annotations of a solver's fields and build it.

    Raises:
        InputError: not a solver class, an unknown parameter, or a value of the wrong type.
    """
    if not (isinstance(solver_class, type) and issubclass(solver_class, Solver)):
        raise InputError(
            f"{name!r} is registered as a solver but {solver_class!r} is not a subclass of qdynbench.Solver"
        )
    if not hasattr(solver_class, "knowledge"):
        raise InputError(f"solver {name!r} does not declare its knowledge, such as Knowledge.HAMILTONIAN")
    fields = {field.name for field in dataclasses.fields(solver_class) if field.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(solver_class)
    values = {}
    for key, value in parameters.items():
        if key not in fields:
            hint = suggestion(key, fields) if fields else "; it has none"
            raise InputError(f"solver {name!r} has no parameter {key!r}{hint}")
        try:
            values[key] = pydantic.TypeAdapter(hints[key]).validate_python(value, strict=False)
        except pydantic.ValidationError as error:
            message = error.errors()[0]["msg"]
            raise InputError(f"solver {name!r}: {key}={value}: {message[:1].lower()}{message[1:]}") from error
    try:
        solver: Solver = solver_class(**values)
    except (TypeError, ValueError) as error:
        raise InputError(f"solver {name!r}: {error}") from error
    return solver


def unsupported(solver: Solver, problem: Problem) -> str | None:
    """Return why a solver does not take a problem, or None."""
    if problem.drive is not None and not solver.driven:
        return "the model is driven, and this solver evolves under one Hamiltonian"
    return solver.supports(problem)


def read_problem(times: NDArray[np.float64], fields: dict[str, Any]) -> Problem:
    """Rebuild the problem that `qdynbench.run.plan.problem_message` wrote."""
    hamiltonian, drive = fields.pop("hamiltonian"), fields.pop("drive")
    return Problem(
        times=times,
        hamiltonian=PauliSum.from_json(hamiltonian) if hamiltonian else None,
        drive=Drive.from_json(drive) if drive else None,
        **fields,
    )


def timed(blocks: Iterator[Block], watch: Stopwatch) -> Iterator[Block]:
    """Pass blocks on, timing only the solver's own work."""
    while True:
        with watch.running():
            block = next(blocks, None)
        if block is None:
            return
        yield block


def pieces(block: Block) -> Iterator[Message]:
    """Cut a checked block along time into messages of bounded size."""
    tensors = tensors_in(block)
    length = next(iter(tensors.values())).shape[1]
    bytes_per_time = sum(t.numel() * t.element_size() for t in tensors.values()) / length
    step = max(1, int(PIECE // bytes_per_time))
    for begin in range(0, length, step):
        cut = [tensor[:, begin : begin + step].cpu().numpy() for tensor in tensors.values()]
        yield Message("block", {"start": block.start + begin, "names": list(tensors)}, tuple(cut))


def library_versions() -> dict[str, str]:
    """Return the versions of the numerical libraries that this process has loaded."""
    import sys

    numerics = ("numpy", "scipy", "torch", "quspin", "numba", "triton", "safetensors")
    names = (*numerics, "qutip", "jax", "diffrax", "dynamiqs", "netket", "tenpy", "quimb")
    loaded = ((name, sys.modules.get(name)) for name in names)
    return {name: str(getattr(module, "__version__", "?")) for name, module in loaded if module is not None}


def shipped_folders(solver: Solver) -> list[Path]:
    """Return the folders of weights that came with a solver's package; none where it learns nothing."""
    shipped = solver.shipped() if solver.learned else None
    return [] if shipped is None else [shipped] if isinstance(shipped, Path) else list(shipped)
