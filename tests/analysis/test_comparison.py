from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from qdynbench.analysis.comparison import Comparison, Cost, Error, compare_errors
from qdynbench.record.results import Run
from qdynbench.record.schema import Score, Status

MakeRun = Callable[..., Run]
ED = {"error": 1e-31, "seconds": 1e-4}


def error(value: float, bound: float | None = None, spread: float = 0.0) -> Score:
    low, high = value * (1 - spread), value * (1 + spread)
    return Score(metric="infidelity", step=1, value=value, low=low, high=high, unit="1", bound=bound)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (error(1e-3), error(1.9e-3), Error.EQUAL),
        (error(1e-3), error(2.1e-3), Error.SMALLER),
        (error(2.1e-3), error(1e-3), Error.LARGER),
        (error(2.1e-3, spread=0.9), error(1e-3, spread=0.9), Error.LARGER),
        (error(1e-25), error(1e-31), Error.EQUAL),
        (error(1e-14), error(0.0, bound=1e-29), Error.LARGER),
        (error(1e-9), error(1e-12, bound=1e-9), Error.EQUAL),
        (error(math.nan), error(1e-3), Error.UNKNOWN),
        (None, error(1e-3), Error.UNKNOWN),
    ],
)
def test_errors(ours: Score | None, theirs: Score | None, expected: Error) -> None:
    assert compare_errors(ours, theirs) is expected


@pytest.mark.parametrize(
    ("interval", "expected"),
    [((0.5, 0.4, 0.9), Cost.FASTER), ((2.0, 1.1, 3.0), Cost.SLOWER), ((1.5, 0.9, 2.0), Cost.SAME)],
)
def test_a_ratio_whose_interval_holds_one_decides_nothing(interval: tuple[float, float, float], expected: Cost) -> None:
    assert Cost.of(interval) is expected


def test_a_speed_up_at_equal_error_is_quoted(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "quick": {4: {"error": 1e-27, "seconds": 2.5e-5}}})
    comparison = Comparison(run, "quick", ["ed"])
    assert {row.cost for row in comparison.rows} == {Cost.FASTER}
    assert "quick is 4.0 times faster than ed in all 3 comparisons, at equal error." in str(comparison)
    assert "quick is cheaper than ed from the first trajectory on." in str(comparison)
    assert "quick is 4.0 times faster than ed in all 3 comparisons" in str(Comparison(run, "ed", ["quick"]))


def test_less_time_at_a_larger_error_is_not_a_speed_up(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "rough": {4: {"error": 1e-3, "seconds": 1e-6}}})
    text = str(Comparison(run, "rough", ["ed"]))
    assert "rough takes less time than ed in all 3 comparisons, but with an infidelity of 1.0e-3 against <2e-29" in text
    assert "no speed-up to quote" in text
    assert "faster" not in text
    assert "100" not in text
    assert "from the first trajectory on, at its larger error" in text
    other_way = str(Comparison(run, "ed", ["rough"]))
    assert "ed takes 100 times as long as rough in all 3 comparisons, and with an infidelity of <2e-29" in other_way
    assert "faster" not in other_way


def test_slower_and_less_accurate_never_breaks_even(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "bad": {4: {"error": 1e-3, "seconds": 1e-3}}}, {"bad": {"fit_time": 100.0}})
    text = str(Comparison(run, "bad", ["ed"]))
    assert "ed is 10 times faster than bad in all 3 comparisons, and more accurate." in text
    assert "bad never breaks even with ed" in text


def test_a_fit_is_paid_for_before_the_first_trajectory(make_run: MakeRun) -> None:
    entries = {"ed": {4: ED}, "quick": {4: {"error": 1e-27, "seconds": 5e-5, "batches": [64]}}}
    run = make_run(entries, {"quick": {"fit_time": 200.0, "data_time": 0.0}})
    timed = [row for row in Comparison(run, "quick", ["ed"]).rows if row.ratio is not None]
    assert [row.batch_size for row in timed] == [64]
    # 200 s for the fit, about 52 us saved with each trajectory
    assert timed[0].break_even == pytest.approx(200 / (5e-5 * 67 / 64), rel=0.1)


def test_the_same_time_cannot_be_told_apart(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "twin": {4: dict(ED)}})
    assert str(Comparison(run, "twin", ["ed"])) == (
        "twin and ed cannot be told apart in time and error in any of 3 comparisons."
    )


def test_errors_that_were_not_measured_allow_no_speed_up(make_run: MakeRun) -> None:
    unmeasured = {"error": None, "seconds": 2e-5}
    run = make_run({"ed": {4: ED}, "new": {4: unmeasured}, "twin": {4: {**unmeasured, "seconds": 1e-4}}})
    text = str(Comparison(run, "new", ["ed"]))
    assert "but at an error that cannot be compared: no speed-up to quote" in text
    assert "at an unknown error" in text
    assert "faster" not in text
    assert str(Comparison(run, "twin", ["ed"])).endswith("their errors are not known.")


def test_rounds_are_paired_only_when_they_alternated(make_run: MakeRun) -> None:
    other = {"error": 1e-27, "seconds": 5e-5}
    for number, (rounds_id, paired) in enumerate([("together", True), ("later", False), (None, False)]):
        run = make_run({"ed": {4: ED}, "x": {4: {**other, "rounds_id": rounds_id}}}, name=f"run{number}")
        assert {row.paired for row in Comparison(run, "x", ["ed"]).rows} == {paired}
    run = make_run({name: {4: {**other, "rounds_id": None}} for name in ("ed", "x")}, name="unknown")
    assert {row.paired for row in Comparison(run, "x", ["ed"]).rows} == {False}


def test_what_cannot_be_compared_says_why(make_run: MakeRun) -> None:
    refused = {"error": None, "seconds": None, "status": Status.UNSUPPORTED}
    run = make_run(
        {
            "ed": dict.fromkeys((4, 5, 6), ED),
            "new": {4: ED, **{n: {**refused, "reason": f"no data of {n} spins"} for n in (5, 6)}},
            "none": {n: {**refused, "reason": "no data at all"} for n in (4, 5, 6)},
            "short": {4: {**ED, "batches": [1]}},
        }
    )
    assert "Not compared: N = 5, 6: new is unsupported (no data of N spins)." in str(Comparison(run, "new", ["ed"]))
    assert str(Comparison(run, "none", ["ed"])) == (
        "none and ed cannot be compared: N = 4..6: none is unsupported (no data at all)."
    )
    text = str(Comparison(run, "short", ["ed"]))
    assert "N = 4: short has not been timed with 64 states" in text
    assert "N = 5, 6: not in this run" in text
