from __future__ import annotations

import math

import pytest

from qdynbench.record.ledger import bill, break_even
from qdynbench.record.schema import CellRecord, FitRecord, Ledger, SolveTiming


def cell(solver: str, prepare: float, **seconds: float) -> CellRecord:
    solve = [
        SolveTiming(batch_size=int(batch[1:]), seconds=[value] * 3, calls=1, timed_states=int(batch[1:]))
        for batch, value in seconds.items()
    ]
    ledger = Ledger(prepare_time=prepare, solve=solve)
    names = {"key": solver, "task": "t", "solver": solver, "track": "", "fingerprint": ""}
    return CellRecord(**names, size=2, seed=0, ledger=ledger)


FITS = {"sru": FitRecord(solver="sru", source="shipped", folder="", data_time=10.0, fit_time=90.0)}


def test_the_bill_counts_data_and_training_whenever_they_were_paid() -> None:
    found = bill(cell("sru", 1.0, b1=0.5, b10=1.0), FITS)
    assert found is not None
    assert (found.fixed, found.each) == (101.0, 0.1)
    assert found.total(100) == pytest.approx(111.0)
    assert bill(cell("sru", 1.0, b1=0.5), FITS, batch_size=10) is None


def test_break_even_is_where_the_bills_cross() -> None:
    sru, ed = cell("sru", 0.0, b1=1.0), cell("ed", 0.0, b1=3.0)
    assert break_even(sru, ed, FITS) == 50
    assert break_even(ed, sru, FITS) == math.inf
    assert break_even(cell("ed", 0.0, b1=0.5), sru, FITS) == 0  # cheaper at once, and it stays so
    assert math.isnan(break_even(cell("ed", 0.0), sru, FITS))
