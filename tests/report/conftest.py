from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from qdynbench.analysis.comparison import Comparison
from qdynbench.contract.spec import SolverSpec
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
from qdynbench.report.terminal.show import show, show_comparison
from qdynbench.stats import bootstrap_mean
from qdynbench.task.spec import Task

STATES, BATCHES = 40, [1, 64, 256]
BOUND = 2e-29
TIMES = np.arange(101) * 0.002
METRICS = ("mean_relative_entropy", "infidelity")
NO_TRAJECTORIES = "no trajectories of {size} spins in the training data"


@dataclass(frozen=True)
class Entry:
    """What to write for one solver at one size.

    Attributes:
        error: infidelity at the last step; None writes no scores.
        seconds: of one state in a call; empty writes no timings.
        timed_states: at most so many are timed, the rest extrapolated.
    """

    error: float | None = 1e-6
    seconds: float | None = 1e-5
    status: Status = Status.OK
    reason: str = ""
    details: str = ""
    label: str = ""
    knowledge: str = "trajectories"
    timed_states: int = 256
    rounds_id: str | None = "together"
    complete: bool = True
    track: str = ""
    batches: list[int] = field(default_factory=lambda: list(BATCHES))
    reference: ReferenceRecord | None = None
    notes: list[str] = field(default_factory=list)


Fields = dict[str, Any]
MakeRun = Callable[..., Run]
Show = Callable[..., str]


def ended(status: Status, reason: str, details: str = "") -> Fields:
    return {"error": None, "seconds": None, "status": status, "reason": reason, "details": details}


def exact(seconds: float, **fields: Any) -> Fields:
    return {"error": 1e-31, "seconds": seconds, "knowledge": "hamiltonian", **fields}


def _fit(solver: str, **fields: Any) -> FitRecord:
    made = {
        "date": "2026-11-20T10:00:00+00:00",
        "hardware": {"processor": "AMD EPYC 7763", "cores": 2},
        "threads": 2,
        "device": "cpu",
    }
    known: dict[str, Any] = {"source": "fitted", "data_time": 0.4, "fit_time": 0.2, "made": made}
    return FitRecord(solver=solver, folder=f"/weights/{solver}", **(known | fields))


def _cell(store: Store, solver: str, size: int, seed: int, entry: Entry, steps: int) -> CellRecord:
    key = f"{SolverSpec.parse(solver).name}-{len(str(solver))}-n{size}-s{seed}"
    random = np.random.default_rng(size)
    scores, ledger = [], Ledger()
    if entry.error is not None:
        noise = np.exp(0.8 * random.standard_normal((STATES, 1)))
        growth = (np.arange(steps + 1) / steps) ** 2
        curve = np.clip(entry.error * noise / noise.mean() * growth, 0, 1)
        curves = {"infidelity": curve, "mean_relative_entropy": curve / 3}
        curves["skill"] = 1 - curves["mean_relative_entropy"][:, -1:] / 0.02 * np.ones(steps + 1)
        for name in METRICS:
            mean, low, high = bootstrap_mean(curves[name][:, -1])
            scores.append(Score(metric=name, step=steps, value=mean, low=low, high=high, unit="1", bound=BOUND))
        mean, low, high = bootstrap_mean(curves["skill"][:, -1])
        scores.append(Score(metric="skill", step=steps, value=mean, low=low, high=high, unit="1"))
        scores.append(Score(metric="valid_time", step=None, value=0.2, low=0.2, high=0.2, unit="1/energy"))
        np.savez_compressed(store.curves_of(key), **{name: array.astype(np.float32) for name, array in curves.items()})
    if entry.seconds is not None:
        ledger = Ledger(
            prepare_time=3e-3 * size,
            first_call_time=2e-4,
            rounds_id=entry.rounds_id,
            peak_memory_host=300_000_000 + size,
            solve=[
                SolveTiming(
                    batch_size=batch,
                    seconds=(entry.seconds * (batch + 3) * random.uniform(0.95, 1.05, 7)).tolist(),
                    calls=2,
                    timed_states=min(batch, entry.timed_states),
                )
                for batch in entry.batches
            ],
        )
    return CellRecord(
        key=key,
        task="chain",
        solver=solver,
        size=size,
        seed=seed,
        track=entry.track or ("in-distribution" if size <= 4 else "larger-chain"),
        knowledge=entry.knowledge,
        label=entry.label,
        status=entry.status,
        reason=entry.reason,
        details=entry.details,
        scores=scores,
        ledger=ledger,
        reference=entry.reference,
        notes=entry.notes,
        fingerprint="f",
        complete=entry.complete,
    )


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Write a run through the real store, below the working directory, and read it back.

    Takes the fields of an `Entry` by solver and size, and those of a `FitRecord` by solver.
    """
    monkeypatch.chdir(tmp_path)

    def make(
        entries: dict[str, dict[int, Fields]],
        fits: dict[str, Fields] | None = None,
        *,
        title: str = "Mixed-field Ising chain",
        name: str = "run",
        missing: int = 0,
        reference: str = "ed",
        steps: int = 100,
        seeds: Sequence[int] = (0,),
        model: dict[str, Any] | None = None,
    ) -> Run:
        sizes = sorted({size for cells in entries.values() for size in cells})
        task = Task.model_validate(
            {
                "name": "chain",
                "title": title,
                "model": model or {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5, "boundary": "open"},
                "sizes": sizes,
                "times": {"dt": 0.2 / steps, "steps": steps},
                "states": STATES,
                "seeds": list(seeds),
                "training": {"sizes": [2, 3, 4]},
                "solvers": list(entries),
                "reference": reference,
                "timing": {"batch_sizes": BATCHES},
            }
        )
        with Store.create(Path(name), task, fresh=False) as store:
            order = [(solver, size) for size in sizes for solver in entries if size in entries[solver]]
            cells = [
                _cell(store, solver, size, seed, Entry(**entries[solver][size]), steps)
                for solver, size in order
                for seed in seeds
            ]
            for cell in cells:
                store.write_cell(cell)
            store.write_run(
                RunRecord(
                    task=task.model_dump(mode="json"),
                    cells=[*(cell.key for cell in cells), *(f"never-{number}" for number in range(missing))],
                    fits={solver: _fit(solver, **fields) for solver, fields in (fits or {}).items()},
                    provenance={
                        "started": "2026-11-22T16:21:16+00:00",
                        "hardware": {"processor": "AMD EPYC 7763", "cores": 2, "memory": 8_000_000_000},
                        "commit": "0123456789ab",
                        "threads": 2,
                        "device": "cpu",
                    },
                )
            )
        return Run(name)

    return make


PROTOCOL = "paper's protocol: state by state"
ASSUMPTION = "assumes that amplitudes couple by single spin flips"


@pytest.fixture
def usual(make_run: MakeRun) -> Run:
    """A run like that of the shipped task: every solver that it has, all of them healthy."""
    sizes = range(2, 9)
    return make_run(
        {
            "ed": {n: exact(1e-6 * 2**n) for n in sizes},
            "ed[mode=per_state]": {n: exact(8e-6 * 2**n, label=PROTOCOL, timed_states=8) for n in sizes},
            "sru": {n: {"error": 1e-9 * 7.0**n, "seconds": 2e-6 * 2**n, "label": ASSUMPTION} for n in sizes},
            "persistence": {n: {"error": 0.06, "seconds": 1e-8} for n in sizes},
            "linear": {
                n: {"error": 1e-12, "seconds": 1e-6 * 2**n}
                if n <= 4
                else ended(Status.UNSUPPORTED, NO_TRAJECTORIES.format(size=n))
                for n in sizes
            },
            "local-generator": {n: {"error": 1e-25, "seconds": 1.5e-6 * 2**n} for n in sizes},
        },
        {"sru": {"source": "shipped", "fit_time": 229.0, "data_time": 3.2}, "linear": {}, "local-generator": {}},
    )


@pytest.fixture
def troubled(make_run: MakeRun) -> Run:
    """An interrupted run in which everything went wrong that can."""
    boom = 'Traceback (most recent call last):\n  File "mine.py", line 3\n\tValueError: [red]boom[/red]'
    return make_run(
        {
            "ed": {2: exact(1e-6), 3: exact(2e-6), 4: exact(4e-6)},
            "mine[width=32]": {
                2: ended(Status.INVALID, "states have shape (2, 4), (40, 101, 4) is needed"),
                3: ended(Status.FAILED, "ValueError: [red]boom[/red]", boom),
                4: ended(Status.FAILED, "ValueError: [red]boom[/red]", boom),
            },
            "slow": {
                2: {"error": 1e-9, "seconds": 1e-3},
                3: {"error": 1e-9, "seconds": None, "complete": False},
                4: {
                    "error": 1e-9,
                    "seconds": 1e-2,
                    "batches": [1],
                    "status": Status.TIMEOUT,
                    "reason": "solve: over 120 s",
                },
            },
            "large": {
                2: ended(Status.CRASHED, "the process died with signal 11"),
                3: ended(Status.OUT_OF_MEMORY, "over 8 GB of memory"),
                4: ended(Status.INFEASIBLE, "predicted memory 70 GB, limit 8 GB"),
            },
            "unfit": {n: ended(Status.TIMEOUT, "fit: over 900 s") for n in (2, 3, 4)},
        },
        {"unfit": {"status": Status.TIMEOUT, "reason": "fit: over 900 s", "details": "last lines of the log"}},
        missing=2,
    )


@pytest.fixture
def shown() -> Show:
    """Return what `show` prints on a console of a width, without styles unless the console is said to be a terminal."""

    def shown(run: Run, width: int, *, details: bool = False, **console: Any) -> str:
        stream = io.StringIO()
        show(run, Console(width=width, file=stream, **console), details=details)
        return stream.getvalue()

    return shown


@pytest.fixture
def compared() -> Show:
    """Return what `show_comparison` prints on a console of a width."""

    def compared(run: Run, width: int, first: str, *others: str) -> str:
        stream = io.StringIO()
        show_comparison(Comparison(run, first, list(others)), Console(width=width, file=stream))
        return stream.getvalue()

    return compared
