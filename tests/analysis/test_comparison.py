from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from qdynbench.analysis.comparison import Accuracy, Contest, Gap, Pace, compare_errors, contests
from qdynbench.record.ledger import BreakEven, Cheaper
from qdynbench.record.results import Run
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
    [found] = contests(make_run(folder / "run", entries, {"new": fits} if fits else None), ("new", "ed"))
    return found


def paces(found: Sequence[Contest]) -> set[Pace | None]:
    return {one.pace for one in found}


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
    ("factor", "jitter", "expected"),
    [(0.5, 0.1, Pace.FASTER), (2.0, 0.1, Pace.SLOWER), (1.1, 0.2, Pace.SAME), (1.0, 0.0, Pace.SAME)],
)
def test_a_ratio_whose_interval_holds_one_decides_nothing(
    tmp_path: Path, factor: float, jitter: float, expected: Pace
) -> None:
    [found] = compared(tmp_path, Entry(seconds=1e-4 * factor, jitter=jitter, batches=[1]), exact(1e-4, batches=[1]))
    assert found.ratio is not None
    assert (found.ratio[1] <= 1 <= found.ratio[2]) == (expected is Pace.SAME)
    assert found.pace is expected


def test_what_would_stand_alone_may_be_luck_among_many(tmp_path: Path) -> None:
    lucky, quick = (Entry(seconds=seconds, jitter=0.05, batches=[1]) for seconds in (1.075e-4, 5e-5))
    [alone] = compared(tmp_path / "alone", lucky, exact(1e-4, batches=[1]))
    assert 0.025 < alone.probability < 0.05
    assert alone.pace is Pace.SLOWER
    batches = range(1, 11)
    made = {"ed": exact(1e-4), "lucky": lucky, "quick": quick}
    entries = {name: {4: dataclasses.replace(entry, batches=batches)} for name, entry in made.items()}
    many, real = contests(make_run(tmp_path / "many", entries), ("lucky", "ed"), ("quick", "ed"))
    assert [(one.first, one.batch_size) for one in (*many, *real)] == [
        (name, batch) for name in ("lucky", "quick") for batch in batches
    ]
    assert [one.probability for one in many] == pytest.approx([alone.probability] * 10)
    assert (paces(many), paces(real)) == ({Pace.SAME}, {Pace.FASTER})


def test_among_many_equals_none_is_called_different_and_a_real_difference_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {name: {4: exact(batches=range(1, 41))} for name in ("ed", "twin", "quick")})
    random = np.random.default_rng(0)
    for cell in run.cells:
        for timing in cell.ledger.solve:
            noise = np.exp(random.normal(0, 0.02, (5, 1)))
            timing.launches = (noise * timing.batch_size * (0.7 if cell.solver == "quick" else 1.0)).tolist()
    equals, real = contests(run, ("twin", "ed"), ("quick", "ed"))
    assert min(one.probability for one in equals) < 0.05  # one by one, some are told apart
    assert (paces(equals), paces(real)) == ({Pace.SAME}, {Pace.FASTER})


def test_a_run_that_knew_one_launch_is_read_and_decides_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {4: exact(1e-4)}, "new": {4: Entry(seconds=2.5e-5)}}, {"new": {}})
    for path in (run.folder / "cells").iterdir():
        record = json.loads(path.read_text())
        for timing in record["ledger"]["solve"]:
            timing["seconds"] = timing.pop("launches")[0]
            for later in ("threads", "compile_time", "busy", "interruptions"):
                del timing[later]
        path.write_text(json.dumps(record))
    old, new = Run(run.folder).cell("ed", 4, 0), run.cell("ed", 4, 0)
    assert old is not None
    assert new is not None
    assert [one.launches for one in old.ledger.solve] == [one.launches[:1] for one in new.ledger.solve]
    [found] = contests(Run(run.folder), ("new", "ed"))
    assert [one.batch_size for one in found] == [1, 64, 256]
    for one in found:
        assert one.ratio == pytest.approx((0.25, math.nan, math.nan), nan_ok=True)
        assert (one.probability, one.pace) == (1.0, Pace.UNKNOWN)
        assert one.break_even is not None
        assert not one.break_even.decided


def test_the_ratio_of_paired_launches_is_free_of_the_drift_that_both_share(tmp_path: Path) -> None:
    found = compared(tmp_path, Entry(error=1e-27, seconds=2.5e-5))
    assert [one.batch_size for one in found] == [1, 64, 256]
    assert paces(found) == {Pace.FASTER}
    assert {one.accuracy for one in found} == {Accuracy.EQUAL}
    assert found[0].ratio == pytest.approx((0.25,) * 3)
    assert found[0].break_even == BreakEven(Cheaper.ALWAYS, (0.0, 0.0, 0.0))


def test_a_fit_is_paid_for_before_the_first_trajectory(tmp_path: Path) -> None:
    quick = Entry(error=1e-27, seconds=5e-5, batches=[64])
    timed = [one for one in compared(tmp_path, quick, fits={"fit_time": 200.0, "data_time": 0.0}) if one.ratio]
    assert [one.batch_size for one in timed] == [64]
    assert timed[0].break_even is not None
    assert timed[0].break_even.cheaper is Cheaper.FROM
    number = timed[0].break_even.number
    assert number == pytest.approx((200 / 5e-5,) * 3, rel=0.03)  # 50 us are saved with each trajectory


def test_launches_are_paired_only_in_one_race(tmp_path: Path) -> None:
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
    new, short = contests(run, ("new", "ed"), ("short", "ed"))
    assert [one.gap for one in new] == [Gap("new", Status.UNSUPPORTED, "no data"), Gap("new")]
    assert paces(new) == {None}
    assert [one.gap for one in short] == [
        None,
        Gap("short", Status.OK, batch_size=64),
        Gap("short", Status.OK, batch_size=256),
        Gap("short", Status.OK),
    ]


def test_extrapolated_times_are_named(tmp_path: Path) -> None:
    found = compared(tmp_path, Entry(timed_states=8))
    assert [one.extrapolated for one in found] == [(), (("new", 8),), (("new", 8),)]
