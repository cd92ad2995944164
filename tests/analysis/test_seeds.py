from __future__ import annotations

import pytest
from qdynbench.analysis.seeds import over_seeds

from qdynbench.record.schema import CellRecord, Ledger, Score, SolveTiming


def cell(size: int, seed: int, error: float, bound: float | None = None) -> CellRecord:
    score = Score(metric="infidelity", step=5, value=error, low=error, high=error, unit="1", bound=bound)
    timing = SolveTiming(batch_size=1, seconds=[1.0 + seed, 2.0 + seed], calls=1, timed_states=1)
    ledger = Ledger(prepare_time=float(seed), solve=[timing], peak_memory_host=100 + seed)
    return CellRecord(
        key=f"{size}-{seed}",
        task="t",
        solver="ed",
        size=size,
        seed=seed,
        track="no-training",
        scores=[score],
        ledger=ledger,
        notes=[f"seed {seed}"],
        fingerprint="0",
    )


def test_a_size_is_the_mean_over_its_seeds_with_an_interval() -> None:
    rows = over_seeds([cell(6, 1, 3.0, bound=0.5), cell(4, 0, 7.0), cell(6, 0, 1.0, bound=0.1), cell(6, 2, 2.0)])
    assert [row.size for row in rows] == [4, 6]
    (score,) = rows[1].scores
    assert score.value == pytest.approx(2.0)
    assert 1.0 <= score.low < 2.0 < score.high <= 3.0
    assert score.bound == 0.5
    assert rows[1].ledger.solve[0].seconds == [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]
    assert rows[1].ledger.prepare_time == 1.0
    assert rows[1].ledger.peak_memory_host == 102
    assert rows[1].notes == ["seed 0", "seed 1", "seed 2"]


def test_a_single_seed_stays_as_it_is() -> None:
    only = cell(4, 0, 7.0)
    assert over_seeds([only]) == [only]
