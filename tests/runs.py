"""Runs written by hand: what a report, a figure or an analysis is tested with when no solver shall run."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from qdynbench.record.results import Run
from qdynbench.record.schema import (
    CellRecord,
    FitRecord,
    Ledger,
    ReferenceRecord,
    RunRecord,
    Score,
    SolveTiming,
    Status,
)
from qdynbench.record.store import Store
from qdynbench.stats import mean_of
from qdynbench.task.spec import Task

STATES = 200
BATCHES = (1, 64, 256)
DRIFT = np.outer([1.0, 1.02, 0.98, 1.01, 0.99], [0.99, 1.02, 0.97, 1.0, 1.03, 0.98, 1.01])
"""Launches and rounds of every time relative to its mean: a drift that all solvers of a case share."""
JITTER = np.array([[1], [-1], [0], [1], [-1]])
MADE = {
    "date": "2026-11-20T10:00:00+00:00",
    "hardware": {"processor": "AMD EPYC 7763", "cores": 2},
    "threads": 2,
    "device": "cpu",
}


@dataclass(frozen=True)
class Entry:
    """What to write for one solver at one size; the fields that are not explained are those of a `CellRecord`.

    Attributes:
        error: mean infidelity at the last step; None writes no scores and no curves.
        own: error of the reference in every metric, of which four times is taken to be its resolution.
        seconds: of one state in a call; None writes no timings.
        jitter: scatter of the launches, relative to the time, that is the solver's own.
        timed_states: at most so many are timed, the rest is extrapolated.
        disturbed: number of rounds that were slowed, at each batch size.
        predicted: bytes and seconds.
        memory: bytes beyond what the worker held before its first problem.
    """

    error: float | None = 1e-6
    own: float = 5e-30
    seconds: float | None = 1e-5
    jitter: float = 0.0
    timed_states: int = 256
    disturbed: int = 0
    batches: Sequence[int] = BATCHES
    prepare: float = 3e-3
    memory: int = 10_000_000
    rounds_id: str | None = "together"
    predicted: tuple[float, float] | None = None
    status: Status = Status.OK
    reason: str = ""
    details: str = ""
    complete: bool = True
    track: str = ""
    knowledge: str = "trajectories"
    label: str = ""
    accuracy: Sequence[str] = ()
    protocol: Sequence[str] = ()
    precision: str = ""
    notes: Sequence[str] = ()
    reference: ReferenceRecord | None = None


def ended(status: Status, reason: str, details: str = "", **fields: Any) -> Entry:
    """Return the entry of a cell without numbers."""
    return Entry(error=None, seconds=None, status=status, reason=reason, details=details, **fields)


def exact(seconds: float = 1e-4, **fields: Any) -> Entry:
    """Return the entry of a solver that knows the Hamiltonian and makes no error."""
    return Entry(error=1e-31, seconds=seconds, knowledge="hamiltonian", **fields)


def make_run(
    folder: str | Path,
    entries: Mapping[str, Mapping[int, Entry]],
    fits: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    missing: int = 0,
    steps: int = 100,
    **task: Any,
) -> Run:
    """Write a run through the real store and read it back.

    Args:
        folder: of the run.
        entries: by solver and size; every seed has the same.
        fits: fields of a `FitRecord` for each learned solver.
        seeds: of the task.
        missing: cells that the run never reached.
        steps: of the time grid, which ends at 0.2.
        task: further keys of the task.
    """
    sizes = sorted({size for cells in entries.values() for size in cells})
    usual = {
        "name": "chain",
        "title": "Mixed-field Ising chain",
        "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"},
        "times": {"dt": 0.2 / steps, "steps": steps},
        "states": STATES,
        "training": {"sizes": [2, 3, 4]},
        "timing": {"batch_sizes": sorted({b for cells in entries.values() for e in cells.values() for b in e.batches})},
    }
    made = Task.model_validate({**usual, "sizes": sizes, "seeds": list(seeds), "solvers": list(entries), **task})
    known: dict[str, Any] = {"source": "fitted", "data_time": 0.4, "fit_time": 0.2, "made": MADE}
    with Store.create(Path(folder), made, fresh=False) as store:
        found = [
            _cell(store, f"cell-{number}-n{size}-s{seed}", solver, size, seed, entries[solver][size], steps)
            for size in sizes
            for number, solver in enumerate(entries)
            for seed in seeds
            if size in entries[solver]
        ]
        for cell in found:
            store.write_cell(cell)
        record = RunRecord(
            task=made.model_dump(mode="json"),
            cells=[*(cell.key for cell in found), *(f"never-{number}" for number in range(missing))],
            fits={
                name: FitRecord(solver=name, folder=f"/weights/{name}", **(known | dict(fields)))
                for name, fields in (fits or {}).items()
            },
            provenance={**MADE, "started": "2026-11-22T16:21:16+00:00", "commit": "0123456789ab"},
        )
        store.write_run(record)
    return Run(folder)


def printed(show: Callable[[Console], object], width: int = 80, **console: Any) -> str:
    """Return what a function prints on a console, without styles unless the console is said to be a terminal."""
    stream = io.StringIO()
    show(Console(width=width, file=stream, **console))
    return stream.getvalue()


def _cell(store: Store, key: str, solver: str, size: int, seed: int, entry: Entry, steps: int) -> CellRecord:
    taken = {name: value for name, value in vars(entry).items() if name in CellRecord.model_fields}
    predicted = None if entry.predicted is None else {"bytes": entry.predicted[0], "seconds": entry.predicted[1]}
    track = entry.track or ("in-distribution" if size <= 4 else "larger-chain")
    names = {"key": key, "task": "chain", "solver": solver, "size": size, "seed": seed, "fingerprint": "f"}
    made = {"scores": _scores(store, key, size, entry, steps), "ledger": _ledger(entry), "predicted": predicted}
    return CellRecord.model_validate({**taken, **names, **made, "track": track})


def _scores(store: Store, key: str, size: int, entry: Entry, steps: int) -> list[Score]:
    """Write curves of 200 states whose errors scatter, and return the scores at the last step."""
    if entry.error is None:
        return []
    noise = np.exp(0.8 * np.random.default_rng(size).standard_normal((STATES, 1)))
    curve = np.clip(entry.error * noise / noise.mean() * (np.arange(steps + 1) / steps) ** 2, 0, 1)
    curves = {"mean_relative_entropy": curve / 3, "infidelity": curve}
    curves["skill"] = np.repeat(1 - curve[:, -1:] / 0.06, steps + 1, axis=1)
    np.savez_compressed(store.new_curves(key), **{name: array.astype(np.float32) for name, array in curves.items()})
    scores = [Score(metric="valid_time", step=None, value=0.2, low=0.2, high=0.2, unit="1/energy")]
    for name, array in curves.items():
        value, low, high = mean_of(array[:, -1])
        own = {} if name == "skill" else {"reference_error": entry.own, "resolution": 4 * entry.own}
        scores.append(Score(metric=name, step=steps, value=value, low=low, high=high, unit="1", **own))
    return scores


def _ledger(entry: Entry) -> Ledger:
    if entry.seconds is None:
        return Ledger()
    launches = entry.seconds * DRIFT * (1 + entry.jitter * JITTER)
    solve = [
        SolveTiming(
            batch_size=n,
            launches=(n * launches).tolist(),
            calls=2,
            timed_states=min(n, entry.timed_states),
            disturbed=entry.disturbed,
        )
        for n in entry.batches
    ]
    return Ledger(
        prepare_time=entry.prepare,
        first_call_time=2 * entry.seconds,
        rounds_id=entry.rounds_id,
        rest_memory_host=300_000_000,
        peak_memory_host=300_000_000 + entry.memory,
        solve=solve,
    )
