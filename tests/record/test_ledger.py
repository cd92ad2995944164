from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from qdynbench.record.ledger import bill, break_even
from qdynbench.record.schema import CellRecord, FitRecord, Ledger, SolveTiming
from qdynbench.text import break_even as written


def cell(
    solver: str, prepare: float, seconds: dict[int, float | Sequence[float]], rounds_id: str | None = None
) -> CellRecord:
    """Return a cell with the times of one call, or of each of its rounds, by batch size."""
    solve = [
        SolveTiming(
            batch_size=batch,
            seconds=list(value) if isinstance(value, Sequence) else [value] * 3,
            calls=1,
            timed_states=batch,
        )
        for batch, value in seconds.items()
    ]
    ledger = Ledger(prepare_time=prepare, solve=solve, rounds_id=rounds_id)
    return CellRecord(key=solver, task="t", solver=solver, size=2, seed=0, track="", fingerprint="", ledger=ledger)


FITS = {"sru": FitRecord(solver="sru", source="shipped", folder="", data_time=10.0, fit_time=90.0)}
SRU = cell("sru", 0.0, {1: 1.0})


def test_the_bill_counts_data_and_training_whenever_they_were_paid() -> None:
    found = bill(cell("sru", 1.0, {1: 0.5, 10: 1.0}), FITS)
    assert found is not None
    assert (found.fixed, found.each, found.batch_size) == (101.0, 0.1, 10)
    assert bill(cell("sru", 1.0, {1: 0.5}), FITS, batch_size=10) is None


def test_break_even_is_where_the_bills_cross() -> None:
    ed = cell("ed", 0.0, {1: 3.0})
    assert break_even(SRU, ed, FITS) == (50, 50, 50)
    assert break_even(ed, SRU, FITS) == (math.inf,) * 3
    assert break_even(cell("ed", 0.0, {1: 0.5}), SRU, FITS) == (0, 0, 0)  # cheaper at once, and it stays so
    assert break_even(cell("ed", 0.0, {}), SRU, FITS) is None


def test_break_even_is_known_as_well_as_the_times() -> None:
    # It was written with seven digits, whatever the rounds of the two had to say of them.
    ed = cell("ed", 0.0, {1: [2.6, 2.9, 3.0, 3.1, 3.4]})
    found = break_even(cell("sru", 0.0, {1: [0.8, 0.9, 1.0, 1.1, 1.2]}), ed, FITS)
    assert found is not None
    value, low, high = found
    assert 35 < low < value == 50 < high < 75
    assert written(found) == "50"
    assert written((4_753_884.0, 3.9e6, 5.6e6)) == "4,800,000"


@pytest.mark.parametrize("faster", [0.99, 1.01])
def test_where_the_times_cannot_be_told_apart_it_is_not_decided(faster: float) -> None:
    # The same two solvers, a moment later: 4,753,884 became `never`.
    rounds = [0.8, 0.9, 1.0, 1.1, 1.2]
    found = break_even(cell("sru", 0.0, {1: [faster * s for s in rounds[::-1]]}), cell("ed", 0.0, {1: rounds}), FITS)
    assert found is not None
    assert found[1] < math.inf == found[2]
    assert written(found) == "undecided"


def test_a_drift_that_both_share_is_no_doubt() -> None:
    drift = [1.0, 3.0, 0.4, 7.0, 2.0, 0.2, 1.5]
    sru, ed = (
        cell(name, 0.0, {1: [s * each for s in drift]}, "together") for name, each in (("sru", 1.0), ("ed", 1.1))
    )
    together = break_even(sru, ed, FITS)
    apart = break_even(sru, ed.model_copy(update={"ledger": ed.ledger.model_copy(update={"rounds_id": None})}), FITS)
    assert together is not None
    assert apart is not None
    assert together[2] < math.inf == apart[2]
