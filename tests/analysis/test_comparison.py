from __future__ import annotations

import math
from pathlib import Path

import pytest

from qdynbench.analysis.comparison import Accuracy, Contest, Gap, Pace, compare_errors, contests
from qdynbench.record.schema import Score, Status
from tests.runs import Entry, ended, exact, make_run


def error(value: float, bound: float | None = None, spread: float = 0.0) -> Score:
    low, high = value * (1 - spread), value * (1 + spread)
    return Score(metric="infidelity", step=1, value=value, low=low, high=high, unit="1", bound=bound)


def compared(
    folder: Path, first: Entry, other: Entry | None = None, fits: dict[str, float] | None = None
) -> list[Contest]:
    """Return the contests of two entries at 4 spins."""
    entries = {"ed": {4: other or exact()}, "new": {4: first}}
    return contests(make_run(folder / "run", entries, {"new": fits} if fits else None), "new", "ed")


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (error(1e-3), error(1.9e-3), Accuracy.EQUAL),
        (error(1e-3), error(2.1e-3), Accuracy.BETTER),
        (error(2.1e-3), error(1e-3), Accuracy.WORSE),
        (error(2.1e-3, spread=0.9), error(1e-3, spread=0.9), Accuracy.WORSE),
        (error(1e-25), error(1e-31), Accuracy.EQUAL),
        (error(1e-14), error(0.0, bound=1e-29), Accuracy.WORSE),
        (error(1e-9), error(1e-12, bound=1e-9), Accuracy.EQUAL),
        (error(math.nan), error(1e-3), Accuracy.UNKNOWN),
        (None, error(1e-3), Accuracy.UNKNOWN),
    ],
)
def test_errors(ours: Score | None, theirs: Score | None, expected: Accuracy) -> None:
    assert compare_errors(ours, theirs) is expected


@pytest.mark.parametrize(
    ("interval", "expected"),
    [((0.5, 0.4, 0.9), Pace.FASTER), ((2.0, 1.1, 3.0), Pace.SLOWER), ((1.5, 0.9, 2.0), Pace.SAME)],
)
def test_a_ratio_whose_interval_holds_one_decides_nothing(interval: tuple[float, float, float], expected: Pace) -> None:
    assert Pace.of(interval) is expected


def test_the_ratio_of_paired_rounds_is_free_of_the_drift_that_both_share(tmp_path: Path) -> None:
    found = compared(tmp_path, Entry(error=1e-27, seconds=2.5e-5))
    assert [one.batch_size for one in found] == [1, 64, 256]
    assert {one.pace for one in found} == {Pace.FASTER}
    assert {one.accuracy for one in found} == {Accuracy.EQUAL}
    assert found[0].ratio == pytest.approx((0.25,) * 3)
    assert found[0].break_even == (0.0, 0.0, 0.0)


def test_a_fit_is_paid_for_before_the_first_trajectory(tmp_path: Path) -> None:
    quick = Entry(error=1e-27, seconds=5e-5, batches=[64])
    timed = [one for one in compared(tmp_path, quick, fits={"fit_time": 200.0, "data_time": 0.0}) if one.ratio]
    assert [one.batch_size for one in timed] == [64]
    assert timed[0].break_even is not None
    assert timed[0].break_even[0] == pytest.approx(200 / 5e-5, rel=0.01)  # 50 us are saved with each trajectory


def test_rounds_are_paired_only_when_they_alternated(tmp_path: Path) -> None:
    for number, (rounds_id, paired) in enumerate([("together", True), ("later", False), (None, False)]):
        found = compared(tmp_path / str(number), Entry(rounds_id=rounds_id))
        assert {one.paired for one in found} == {paired}
    unknown = compared(tmp_path / "unknown", Entry(rounds_id=None), exact(rounds_id=None))
    assert {one.paired for one in unknown} == {False}


def test_what_cannot_be_compared_has_a_gap(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        {
            "ed": dict.fromkeys((4, 5), exact()),
            "new": {4: ended(Status.UNSUPPORTED, "no data")},
            "short": {4: exact(batches=[1]), 5: Entry(seconds=None)},
        },
    )
    assert [one.gap for one in contests(run, "new", "ed")] == [Gap("new", Status.UNSUPPORTED, "no data"), Gap("new")]
    assert [one.gap for one in contests(run, "short", "ed")] == [
        None,
        Gap("short", Status.OK, batch_size=64),
        Gap("short", Status.OK, batch_size=256),
        Gap("short", Status.OK),
    ]


def test_extrapolated_times_are_named(tmp_path: Path) -> None:
    found = compared(tmp_path, Entry(timed_states=8))
    assert [one.extrapolated for one in found] == [(), (("new", 8),), (("new", 8),)]
