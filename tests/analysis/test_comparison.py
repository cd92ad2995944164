from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from qdynbench.analysis.comparison import Accuracy, Contest, Errors, Gap, Pace, compare_errors, contests
from qdynbench.record.ledger import BreakEven, Cheaper
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.stats import mean_of
from tests.runs import STATES, Entry, ended, exact, make_run


def errors_of(folder: Path, tolerance: float = 0.0, own: float = 0.0, **values: NDArray[np.float64]) -> Errors:
    """Return how two solvers stand to each other whose infidelities at the last step are given state by state."""
    run = make_run(folder / "run", {name: {4: Entry(own=own)} for name in values})
    for name, found in values.items():
        cell = run.cell(name, 4, 0)
        assert cell is not None
        np.savez(run.folder / "curves" / f"{cell.key}.npz", infidelity=np.repeat(found[:, None], 101, axis=1))
        score = next(score for score in cell.scores if score.metric == "infidelity")
        score.value = float(found.mean())
        (run.folder / "cells" / f"{cell.key}.json").write_text(cell.model_dump_json())
    again = Run(run.folder, tolerance)
    return compare_errors(again, [(again.cell("new", 4, 0), again.cell("old", 4, 0))])


def compared(
    folder: Path, first: Entry, other: Entry | None = None, fits: dict[str, float] | None = None
) -> list[Contest]:
    """Return the contests of two entries at 4 spins."""
    entries = {"ed": {4: other or exact()}, "new": {4: first}}
    [found] = contests(make_run(folder / "run", entries, {"new": fits} if fits else None), ("new", "ed"))
    return found


def paces(found: Sequence[Contest]) -> set[Pace | None]:
    return {one.pace for one in found}


HARD = 1e-6 * np.exp(1.5 * np.random.default_rng(0).standard_normal(40))
"""Errors on 40 states, some of which are a thousand times harder than others."""


def scattered(factor: float, scatter: float, states: int = 40) -> NDArray[np.float64]:
    """Return errors that are `factor` times `HARD`, but for a scatter of their own."""
    return HARD[:states] * factor * np.exp(scatter * np.random.default_rng(1).standard_normal(states))


@pytest.mark.parametrize(
    ("factor", "scatter", "expected"),
    [
        (1.0, 0.0, Accuracy.EQUAL),
        (1.3, 0.5, Accuracy.EQUAL),
        (4.0, 0.5, Accuracy.WORSE),
        (1.9, 0.1, Accuracy.EQUAL),
        (2.1, 0.1, Accuracy.WORSE),
        (0.45, 0.3, Accuracy.BETTER),
        (1.3, 3.0, Accuracy.UNDECIDED),
    ],
)
def test_errors_are_compared_state_by_state(tmp_path: Path, factor: float, scatter: float, expected: Accuracy) -> None:
    found = errors_of(tmp_path, new=scattered(factor, scatter), old=HARD)
    assert found.accuracy is expected
    assert found.ratio is not None
    assert found.ratio[1] <= factor <= found.ratio[2] or scatter == 0.0
    # Solver by solver the same errors have intervals that overlap.
    if expected is Accuracy.BETTER:
        assert mean_of(scattered(factor, scatter))[2] > mean_of(HARD)[1]


def test_where_a_few_states_decide_the_mean_against_the_rest_nothing_is_decided(tmp_path: Path) -> None:
    mostly_better = scattered(0.1, 0.1)
    mostly_better[0] *= 1e5
    found = errors_of(tmp_path, new=mostly_better, old=HARD)
    assert found.ratio is not None
    assert found.ratio[2] < 0.5
    assert found.accuracy is Accuracy.UNDECIDED


def test_errors_below_the_resolution_the_tolerance_or_rounding_are_equal(tmp_path: Path) -> None:
    tiny, small = np.full(40, 1e-30), np.full(40, 1e-26)
    assert errors_of(tmp_path / "rounding", new=tiny, old=small).accuracy is Accuracy.EQUAL
    assert errors_of(tmp_path / "apart", new=1e10 * small, old=small).accuracy is Accuracy.WORSE
    for place, known in (("resolution", {"own": 1e-15}), ("tolerance", {"tolerance": 1e-15})):
        found = errors_of(tmp_path / place, new=1e10 * small, old=small, **known)
        assert found == Errors(Accuracy.EQUAL)


def test_one_state_has_no_interval_and_two_decide_nothing(tmp_path: Path) -> None:
    for states, expected in ((1, Accuracy.WORSE), (2, Accuracy.UNDECIDED), (4, Accuracy.WORSE)):
        found = errors_of(tmp_path / str(states), new=scattered(100, 0.1, states), old=HARD[:states])
        assert found.accuracy is expected
        assert found.ratio is not None
        assert math.isnan(found.ratio[1]) == (states < 3)


def test_an_error_that_is_not_known_is_compared_with_nothing(tmp_path: Path) -> None:
    assert errors_of(tmp_path, new=np.full(40, np.nan), old=HARD) == Errors(Accuracy.UNKNOWN)


def test_a_difference_of_errors_that_would_stand_alone_may_be_luck_among_many(tmp_path: Path) -> None:
    """Forty solvers that are as good as the reference, but for a scatter so large that no equality is seen."""
    names = [f"twin{number}" for number in range(40)]
    run = make_run(tmp_path / "run", {name: {4: Entry()} for name in ("old", *names)})
    random = np.random.default_rng(3)
    for name in names:
        cell = run.cell(name, 4, 0)
        assert cell is not None
        curve = run.curves_of(cell)["infidelity"]
        np.savez(
            run.folder / "curves" / f"{cell.key}.npz",
            infidelity=curve * np.exp(6 * random.standard_normal((STATES, 1))),
        )
    alone = [contests(run, (name, "old"))[0][0].errors.probability for name in names]
    assert min(alone) < 0.05
    together = contests(run, *((name, "old") for name in names))
    assert {one.accuracy for found in together for one in found} == {Accuracy.UNDECIDED}


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
