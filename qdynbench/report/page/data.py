"""The numbers of a run in the compact form that the script of a page reads: one list for each column.

Lists of columns compress well, so that 10,000 cells stay below 2 MB; what a column means stands beside its name.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdynbench import text as write
from qdynbench.analysis.answer import Answer
from qdynbench.analysis.comparison import Accuracy, Pace
from qdynbench.analysis.evidence import Call, Evidence, curves, evidence, observed
from qdynbench.analysis.points import Point
from qdynbench.analysis.selection import score_of
from qdynbench.contract.spec import SolverSpec
from qdynbench.record.ledger import BreakEven
from qdynbench.record.results import Run
from qdynbench.record.schema import FitRecord, Score, Status
from qdynbench.report.terminal.curves import OBSERVED, STILL
from qdynbench.report.terminal.sentences import ACCURACY, PACE, words
from qdynbench.stats import Interval

DIGITS = 4
FAMILIES = 7
"""Families of solvers with a colour of their own; all others share one."""
MOST_ROUNDS = 400_000
"""Times of single rounds that a page holds; where there are more, it has those of the first cells, and says so."""
MOST_CURVES = 300
CURVES = ("spin_error", "entropy_error")
"""Drawn beside the metric of the run, where there are any."""
STEPS = 20
LONGEST_TRAINING = 200
"""Points of a training curve that are kept."""


def packed(runs: Iterable[dict[str, Any]], overview: dict[str, Any] | None) -> str:
    """Return the data of several runs as compressed JSON in base64, which cannot end the script that it stands in."""
    text = json.dumps({"runs": list(runs), "overview": overview}, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def families(solvers: Iterable[str]) -> dict[str, int]:
    """Return the number of the colour of each solver: solvers of one name share one, and the eighth is for the rest."""
    names = dict.fromkeys(SolverSpec.parse(solver).name for solver in solvers)
    colours = {name: min(number, FAMILIES) for number, name in enumerate(names)}
    return {solver: colours[SolverSpec.parse(solver).name] for solver in solvers}


def data_of(answer: Answer, most_rounds: int = MOST_ROUNDS) -> dict[str, Any]:
    """Return all numbers of a run that a page draws and lists, but at most so many times of single rounds."""
    run, found = answer.run, list(evidence(answer))
    solvers = list(dict.fromkeys(one.cell.solver for one in found))
    first = {one.cell.solver: Point(one.cell) for one in reversed(found)}
    colours, reasons, tracks = families(solvers), _Texts(), _Texts()
    cells = {
        "solver": [solvers.index(one.cell.solver) for one in found],
        "size": [one.cell.size for one in found],
        "seed": [one.cell.seed for one in found],
        "status": [list(Status).index(one.cell.status) for one in found],
        "reason": [reasons.index(write.plain(one.cell.reason)) for one in found],
        "track": [tracks.index(write.plain(one.cell.track)) for one in found],
        "accuracy": [list(Accuracy).index(one.accuracy) for one in found],
        "error": [rounded(math.nan if one.error is None else one.error.value) for one in found],
        "low": [rounded(_low(one.error)) for one in found],
        "high": [rounded(math.nan if one.error is None else one.error.high) for one in found],
        "floor": [rounded(one.floor, 2) for one in found],
        "below": [rounded(one.error.resolution if one.error and one.error.unresolved else None, 2) for one in found],
        "start_less": [rounded(one.start_up[0] - one.start_up[1], 2) for one in found],
        "start_more": [rounded(one.start_up[2] - one.start_up[0], 2) for one in found],
        "prepare": [rounded(one.cell.ledger.prepare_time, 3) for one in found],
        "first": [rounded(one.cell.ledger.first_call_time, 3) for one in found],
        "memory": [rounded(one.cell.ledger.peak_memory_host, 3) for one in found],
    }
    calls = [(number, call) for number, one in enumerate(found) for call in one.calls]
    return {
        "metric": words(run.metric),
        "reference": solvers.index(run.task.reference) if run.task.reference in solvers else None,
        "solvers": solvers,
        "family": [colours[name] for name in solvers],
        "series": [first[name].series for name in solvers],
        "order": [first[name].order for name in solvers],
        "learning": [rounded(_learning(run.record.fits.get(name))) for name in solvers],
        "statuses": [status.value for status in Status],
        "paces": [PACE[pace] for pace in Pace],
        "accuracies": [ACCURACY[accuracy] for accuracy in Accuracy],
        "suffices": [int(accuracy.suffices) for accuracy in Accuracy],
        "reasons": reasons.known,
        "tracks": tracks.known,
        "cells": cells,
        "calls": _calls(calls),
        "rounds": _rounds([call for _, call in calls], most_rounds),
        "curves": _curves(run, found),
        "training": {name: _training(fit) for name, fit in run.record.fits.items() if len(fit.curve) > 2},
    }


def _learning(fit: FitRecord | None) -> float:
    return 0.0 if fit is None else (fit.data_time or 0.0) + (fit.fit_time or 0.0)


def _low(error: Score | None) -> float:
    """Return the lower end of an interval; what cannot be told from zero is not below what is printed."""
    return math.nan if error is None else max(error.low, min(error.resolution or 0.0, error.value))


def _calls(calls: Sequence[tuple[int, Call]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "cell": [cell for cell, _ in calls],
        "batch": [call.timing.batch_size for _, call in calls],
        "timed": [call.timing.timed_states for _, call in calls],
        "threads": [call.timing.threads for _, call in calls],
        "disturbed": [call.timing.disturbed for _, call in calls],
        "pace": [_pace(call) for _, call in calls],
        "crossing": [_kind(call.contest.break_even if call.contest else None) for _, call in calls],
        "fixed": [rounded(call.fixed, 3) for _, call in calls],
    }
    intervals: dict[str, list[Interval | None]] = {
        "seconds": [call.seconds for _, call in calls],
        "ratio": [call.contest.ratio if call.contest else None for _, call in calls],
    }
    for name, found in intervals.items():  # these are intervals of a logarithm, so that one factor tells both ends
        columns[name] = [None if one is None else rounded(one[0]) for one in found]
        columns[f"{name}_by"] = [None if one is None else rounded(one[2] / one[0] - 1, 3) for one in found]
    crossings = [call.contest.break_even if call.contest else None for _, call in calls]
    for place, name in enumerate(("number", "number_low", "number_high")):
        columns[name] = [None if one is None else rounded(one.number[place], 3) for one in crossings]
    return columns


def _pace(call: Call) -> int | None:
    return None if call.contest is None or call.contest.pace is None else list(Pace).index(call.contest.pace)


def _kind(found: BreakEven | None) -> str | None:
    return None if found is None else found.cheaper.value


def _rounds(calls: Sequence[Call], most: int) -> list[list[list[int]] | None]:
    """Return the time of each round of each launch relative to the time of a call, less 1, in parts of 10,000."""
    listed: list[list[list[int]] | None] = []
    left = most
    for call in calls:
        left -= sum(map(len, call.timing.launches))
        typical = call.timing.seconds
        listed.append(
            None
            if left < 0
            else [[round(1e4 * (seconds / typical - 1)) for seconds in rounds] for rounds in call.timing.launches]
        )
    return listed


def _curves(run: Run, found: Sequence[Evidence]) -> dict[str, Any]:
    last = run.task.times.steps
    steps = np.unique(np.linspace(1, last, min(last, STEPS)).round().astype(np.int64))
    numbers = {one.cell.key: number for number, one in enumerate(found)}
    drawn: dict[str, list[dict[str, Any]]] = {}
    for cell, metric, (mean, low, high) in curves(run, dict.fromkeys([run.metric, *CURVES]), steps, MOST_CURVES):
        score = score_of(cell, metric)
        drawn.setdefault(words(metric), []).append(
            {
                "cell": numbers[cell.key],
                "floor": rounded(None if score is None else score.resolution, 2),
                "mean": [rounded(float(value), 3) for value in mean],
                "low": [rounded(float(value), 2) for value in low],
                "high": [rounded(float(value), 2) for value in high],
            }
        )
    times = [rounded(float(step * run.task.times.dt)) for step in steps]
    return {"times": times, "metrics": drawn, "most": MOST_CURVES, "observed": _observed(run, numbers, steps)}


def _observed(run: Run, numbers: Mapping[str, int], steps: NDArray[np.int64]) -> dict[str, list[dict[str, Any]]]:
    """Return the curves of the observables that move, with that of the reference."""
    found = {}
    for name, title in OBSERVED.items():
        listed = list(observed(run, name, steps, MOST_CURVES))
        if any(np.nanmax(mean) - np.nanmin(mean) > STILL for _, _, mean in listed if np.isfinite(mean).any()):
            found[title] = [
                {
                    "cell": numbers[cell.key],
                    "reference": int(reference),
                    "mean": [rounded(float(value), 3) for value in mean],
                }
                for cell, reference, mean in listed
            ]
    return found


def _training(fit: FitRecord) -> list[dict[str, float | None]]:
    every = max(1, len(fit.curve) // LONGEST_TRAINING)
    kept = [*fit.curve[:-1:every], fit.curve[-1]]
    return [{name: rounded(float(value)) for name, value in point.items()} for point in kept]


def rounded(value: float | None, digits: int = DIGITS) -> float | int | None:
    """Return a number with so many digits; nothing where it is unknown or infinite, which JSON has no word for."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits - 1}e}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


class _Texts:
    """Texts that many cells share, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def index(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def known(self) -> list[str]:
        return list(self._numbers)
