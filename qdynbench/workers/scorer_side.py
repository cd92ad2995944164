"""The process of the scorer: it draws states, runs the reference, computes training data and scores predictions.

It is a process of its own, so that a solver under test never shares memory with the Hamiltonian that it must not see,
and so that the memory of the reference does not count as memory of the solver.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

import numpy as np
import torch
from numpy.typing import NDArray

from qdynbench.errors import InputError
from qdynbench.files import written_whole
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import ECHO
from qdynbench.record.store import guarded
from qdynbench.scoring import certify
from qdynbench.scoring.cell import CellScoring, ReferenceErrors
from qdynbench.scoring.echo import Echo
from qdynbench.scoring.source import CaseSource
from qdynbench.task.case import Case, Purpose
from qdynbench.task.spec import Task
from qdynbench.workers import protocol as to
from qdynbench.workers.clock import Stopwatch


class ScorerSide:
    """Answers requests about one task."""

    requests = to.ScorerRequest

    def __init__(self) -> None:
        self._source: CaseSource
        self._device = "cpu"
        self._cell: CellScoring | None = None
        self._errors: dict[Case, ReferenceErrors] = {}

    def answer(self, request: to.ScorerRequest) -> to.Message:  # noqa: PLR0911 - one for each request
        """Answer one request."""
        match request:
            case to.LoadTask():
                return self._load(request)
            case to.OpenCase():
                return self._open(request)
            case to.DrawStates():
                drawn = self._source.draw(request.case, request.purpose, request.start, request.stop)
                return to.Drawn(drawn.arrays())
            case to.MakeTrajectories():
                return self._trajectories(request.need)
            case to.BeginPortion():
                return self._begin(request)
            case to.ScorePiece():
                arrays = request.piece.arrays
                self._scoring().take(request.piece.start, {name: torch.from_numpy(a) for name, a in arrays.items()})
                return to.Done()
            case to.FinishCell():
                return self._finish(Path(request.curves))
            case to.ScoreEcho():
                return self._echo(request)
            case _:
                assert_never(request)

    def _load(self, request: to.LoadTask) -> to.EnsembleTraits:
        setting = request.setting
        torch.set_num_threads(setting.threads)
        self._device = setting.device
        task, registry = Task.model_validate_json(request.task), Registry.discover(setting.files, setting.plugins)
        self._source = CaseSource(task, registry, device=setting.device, threads=setting.threads, memory=setting.memory)
        if task.reference_spec is not None:
            self._source.reference_solver()  # imports and checks the reference now, not inside the first case
        return to.EnsembleTraits(self._source.ensemble.single)

    def _open(self, request: to.OpenCase) -> to.Opened:
        case = request.case
        refusal, cost = self._source.reference_outlook(case, request.batch)
        problem = self._source.problem(case, request.batch)
        excess = self._source.excess(case, request.batch)
        states = certify.states_for(problem, self._source.states)
        return to.Opened(
            None if refusal is None else to.Line(refusal),
            cost,
            certify.method(problem),
            states,
            certify.why_not(problem),
            excess,
        )

    def _trajectories(self, need: to.Need) -> to.Trajectories:
        watch = Stopwatch(self._device)
        with watch.running():
            exact = self._source.training_trajectories(need.size, need.start, need.stop)
        return to.Trajectories(watch.seconds, self._source.noisy(exact, need.size, need.start))

    def _begin(self, request: to.BeginPortion) -> to.Drawn:
        case = request.case
        if request.start == 0:
            self._cell = CellScoring(
                self._source, case, referenced=request.referenced, errors=self._errors_of(case, request.referenced)
            )
        return to.Drawn(self._scoring().begin(request.start, request.stop).arrays())

    def _errors_of(self, case: Case, referenced: bool) -> ReferenceErrors:
        if not referenced:
            return {}
        if case not in self._errors:
            self._errors[case] = certify.reference_errors(self._source, case)
        return self._errors[case]

    def _scoring(self) -> CellScoring:
        if self._cell is None:
            raise InputError("no cell is being scored")
        return self._cell

    def _finish(self, curves: Path) -> to.Scored:
        cell, self._cell = self._scoring(), None
        scores, arrays = cell.scores()
        _write(curves, arrays)
        notes = [to.Line(note) for note in cell.reference_notes()]
        return to.Scored(scores, cell.left_out(), notes)

    def _echo(self, request: to.ScoreEcho) -> to.EchoScored:
        initial = self._source.draw(request.case, Purpose.TEST, 0, len(request.returned))
        echo = Echo(initial.states, request.returned)
        with np.load(request.curves, allow_pickle=False) as arrays:
            kept = dict(arrays)
        _write(Path(request.curves), {**kept, ECHO: echo.curve(self._source.states)})
        return to.EchoScored(echo.score())


def _write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    with guarded(path), written_whole(path, sync=True) as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
