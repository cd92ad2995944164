"""The bill of a solver and the break-even of two."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from qdynbench.record.ledger import BreakEven, Cheaper, bill, break_even
from qdynbench.record.schema import CellRecord, FitRecord, Ledger, SolveTiming
from qdynbench.report.terminal.numbers import break_even as written

SPREAD = tuple(np.exp([-0.04, -0.02, 0.0, 0.02, 0.04]))
"""Of the launches; an interval of some 4 % in a time, and none in the ratio of two that share it."""


def cell(
    solver: str,
    start: float,
    each: float,
    *,
    batch: int = 1,
    spread: Sequence[float] = SPREAD,
    starts: Sequence[float] = (),
    race: str | None = "one",
) -> CellRecord:
    """Return a cell that takes `each` seconds a trajectory, with a spread over launches."""
    timing = SolveTiming(
        batch_size=batch, launches=[[batch * each * s] * 3 for s in spread], calls=1, timed_states=batch
    )
    ledger = Ledger(start_up_time=start, starts=list(starts), prepare_time=0.0, solve=[timing], rounds_id=race)
    return CellRecord(key=solver, task="t", solver=solver, size=2, seed=0, track="", fingerprint="", ledger=ledger)


FITS = {"sru": FitRecord(solver="sru", source="shipped", folder="", data_time=10.0, fit_time=90.0)}
REVERSED = SPREAD[::-1]


def crossing(ours: CellRecord, theirs: CellRecord) -> BreakEven:
    found = break_even(ours, theirs, FITS)
    assert found is not None
    return found


def test_the_bill_counts_whatever_was_paid() -> None:
    one = cell("sru", 1.0, 0.1, batch=10, spread=[1.0])
    one.ledger.solve[0].compile_time = 2.0
    found = bill(one, FITS)
    assert found is not None
    assert (found.fixed, found.each, found.timing.batch_size) == (pytest.approx(103.0), pytest.approx(0.1), 10)
    assert bill(one, FITS, batch_size=1) is None


def test_what_an_earlier_batch_size_has_compiled_is_paid_for_by_a_later_one() -> None:
    one = cell("jit", 1.0, 0.1)
    more = cell("jit", 1.0, 0.05, batch=64).ledger.solve[0]
    one.ledger.solve[0].compile_time, more.compile_time = 3.0, 0.5
    one.ledger.solve.append(more)
    found = [bill(one, {}, batch) for batch in (1, 64, None)]
    assert [round(each.fixed, 6) for each in found if each] == [4.0, 4.5, 4.5]


def test_break_even_is_where_the_bills_cross() -> None:
    found = crossing(cell("sru", 0.0, 1.0), cell("ed", 0.0, 3.0))
    assert found.cheaper is Cheaper.FROM
    assert found.number == pytest.approx((50, 48, 52), rel=5e-3)  # the common spread leaves the ratio as it is
    assert written(found) == "50"


def test_who_costs_less_at_once_and_each_time_always_does() -> None:
    assert crossing(cell("ed", 0.0, 0.5), cell("sru", 0.0, 1.0)).cheaper is Cheaper.ALWAYS
    never = crossing(cell("sru", 0.0, 1.0), cell("ed", 0.0, 0.5))
    assert (never.cheaper, written(never)) == (Cheaper.NEVER, "never")


def test_who_begins_cheaper_and_is_slower_pays_off_below_a_number() -> None:
    found = crossing(cell("ed", 0.0, 3.0), cell("sru", 0.0, 1.0))
    assert (found.cheaper, written(found)) == (Cheaper.BELOW, "below 50")


def test_break_even_is_known_as_well_as_the_times() -> None:
    found = crossing(cell("sru", 0.0, 1.0, spread=REVERSED), cell("ed", 0.0, 3.0))
    value, low, high = found.number
    assert value == pytest.approx(50)
    assert 45 < low < 50 < high < 60


def test_break_even_is_known_as_well_as_the_start_ups() -> None:
    exact = crossing(cell("a", 11.0, 1.0), cell("b", 1.0, 2.0))
    assert exact.number == pytest.approx((10, 9.62, 10.4), rel=5e-3)
    vague = crossing(cell("a", 11.0, 1.0, starts=[9, 10, 11, 12, 13]), cell("b", 1.0, 2.0, starts=[1.0] * 5))
    assert vague.number[1] < 9 < vague.number[0] < 11.5 < vague.number[2]
    # Equal start-ups, of which nobody knows which is shorter: from the first trajectory on, or from a few.
    equal = crossing(cell("a", 1.0, 1.0, starts=[0.5, 1.5]), cell("b", 1.0, 2.0, starts=[0.6, 1.4]))
    assert (equal.cheaper, equal.number[0], equal.number[1]) == (Cheaper.FROM, 0, 0)
    assert equal.number[2] > 1


@pytest.mark.parametrize("faster", [0.99, 1.01])
def test_where_the_times_cannot_be_told_apart_it_is_not_decided(faster: float) -> None:
    # The same two solvers, a moment later: 4,753,884 became `never`.
    found = crossing(cell("sru", 0.0, faster, spread=REVERSED), cell("ed", 0.0, 1.0))
    assert found.number[1] < math.inf == found.number[2]
    assert written(found) == "undecided"


def test_one_launch_decides_nothing() -> None:
    found = crossing(cell("sru", 0.0, 1.0, spread=[1.0]), cell("ed", 0.0, 3.0, spread=[1.0]))
    assert found.number[0] == pytest.approx(50)
    assert written(found) == "undecided"


def test_a_drift_that_both_share_is_no_doubt() -> None:
    drift = [1.0, 3.0, 0.4, 7.0, 2.0]
    together = crossing(cell("sru", 0.0, 1.0, spread=drift), cell("ed", 0.0, 1.1, spread=drift))
    apart = crossing(cell("sru", 0.0, 1.0, spread=drift), cell("ed", 0.0, 1.1, spread=drift, race="another"))
    assert together.decided
    assert not apart.decided


def test_a_batch_that_suits_each_is_compared() -> None:
    assert crossing(cell("sru", 0.0, 1.0, batch=4), cell("ed", 0.0, 3.0)).number[0] == pytest.approx(50)
    assert break_even(cell("sru", 0.0, 1.0), cell("ed", 0.0, 3.0), FITS, batch_size=7) is None


def test_the_interval_of_a_break_even_covers_it() -> None:
    """95 of 100 intervals hold the number that the true times and start-ups give, or nearly so."""
    random, covered, repeats = np.random.default_rng(0), 0, 500
    for _ in range(repeats):
        spreads = np.exp(random.normal(0, 0.02, (2, 5)))
        starts = random.normal([[11.0], [1.0]], 0.1, (2, 5))
        ours = cell("a", float(starts[0].mean()), 1.0, spread=spreads[0], starts=starts[0])
        theirs = cell("b", float(starts[1].mean()), 2.0, spread=spreads[1], starts=starts[1])
        found = crossing(ours, theirs)
        covered += found.number[1] <= 10 <= found.number[2]
    assert covered / repeats >= 0.94
