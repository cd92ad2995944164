from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from qdynbench.record.results import Run
from qdynbench.record.schema import CellRecord, Ledger, RunRecord, Score, SolveTiming, Status
from qdynbench.record.store import Store
from qdynbench.task.spec import Task

BOUND = 1e-14
"""Error of the reference, as a 2-norm."""
SPREAD = np.array([0.98, 0.99, 1.0, 1.01, 1.02])
"""Rounds of a time, relative to its median; a drift that all solvers share."""


@dataclass(frozen=True)
class Entry:
    """What to write for a solver at a size: 2-norm error, seconds, how it ended, and (bytes, seconds) predicted."""

    error: float | None = None
    seconds: float | None = None
    status: Status = Status.OK
    reason: str = ""
    predicted: tuple[float, float] | None = None
    prepare: float = 1e-3
    memory: int = 10_000_000
    jitter: float = 0.0


MakeRun = Callable[[dict[str, dict[int, dict[str, Any]]]], Run]


def _cell(number: int, solver: str, size: int, entry: Entry) -> CellRecord:
    fields: dict[str, Any] = {}
    if entry.predicted is not None:
        fields["predicted"] = dict(zip(("bytes", "seconds"), entry.predicted, strict=True))
    if entry.error is not None:
        value = entry.error**2
        figures = {"value": value, "low": 0.9**2 * value, "high": 1.1**2 * value, "bound": BOUND**2}
        fields["scores"] = [Score(metric="infidelity", step=2, unit="1", **figures)]
    ledger = Ledger()
    if entry.seconds is not None:
        rounds = entry.seconds * SPREAD * (1 + entry.jitter * np.array([1, -1, 0, 1, -1]))
        ledger = Ledger(
            prepare_time=entry.prepare,
            first_call_time=2 * entry.seconds,
            solve=[SolveTiming(batch_size=1, seconds=rounds.tolist(), calls=1, timed_states=1)],
            rounds_id="together",
            rest_memory_host=300_000_000,
            peak_memory_host=300_000_000 + entry.memory,
        )
    return CellRecord(
        key=f"cell-{number}",
        task="chain",
        solver=solver,
        size=size,
        seed=0,
        track="no-training",
        status=entry.status,
        reason=entry.reason,
        ledger=ledger,
        fingerprint="f",
        complete=True,
        **fields,
    )


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRun:
    """Write a run through the real store, by solver and size, and read it back."""
    monkeypatch.chdir(tmp_path)

    def make(entries: dict[str, dict[int, dict[str, Any]]]) -> Run:
        sizes = sorted({size for cells in entries.values() for size in cells})
        task = Task.model_validate(
            {
                "name": "chain",
                "model": {"family": "ising", "J": 1.0, "g": -1.05, "h": 0.5},
                "sizes": sizes,
                "times": {"dt": 0.1, "steps": 2},
                "solvers": list(entries),
            }
        )
        cells = [(solver, size, Entry(**fields)) for solver, found in entries.items() for size, fields in found.items()]
        with Store.create(Path("run"), task, fresh=False) as store:
            records = [_cell(number, *cell) for number, cell in enumerate(cells)]
            for record in records:
                store.write_cell(record)
            store.write_run(RunRecord(task=task.model_dump(mode="json"), cells=[record.key for record in records]))
        return Run("run")

    return make


@pytest.fixture
def written() -> Callable[[Any], str]:
    """Return what a table looks like in a terminal of 80 columns."""

    def written(table: Any) -> str:
        console = Console(width=80, record=True, force_terminal=False)
        with console.capture() as captured:
            console.print(table)
        return captured.get()

    return written
