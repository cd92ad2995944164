"""Several runs together: what became of each solver in each case, who beats whom, and mean ranks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from qdynbench import Run, Status
from qdynbench.analysis import field as analysis
from qdynbench.analysis.field import Standing, Verdict, field
from tests.runs import Entry, ended, exact, make_run

SIZES = range(2, 7)


def two_runs(folder: Path) -> list[Run]:
    """Return runs of two tasks: `quick` is twice as fast in one, and in the other everything goes wrong that can."""
    first = make_run(
        folder / "first",
        {
            "ed": {n: exact(1e-4) for n in SIZES},
            "quick": {n: exact(5e-5) for n in SIZES},
            "rough": {n: Entry(error=1e-4, seconds=1e-6) for n in SIZES},
            "alone": {n: exact(1e-4) for n in SIZES},
        },
    )
    second = make_run(
        folder / "second",
        {
            "ed": {n: exact(1e-4) for n in SIZES},
            "quick": {
                2: ended(Status.UNSUPPORTED, "odd"),
                3: ended(Status.INFEASIBLE, "large"),
                4: ended(Status.FAILED, "boom"),
                5: Entry(error=1e-31, seconds=None),
            },
            "rough": {n: exact(1e-4, jitter=0.03) for n in SIZES},
        },
        seed=7,
    )
    return [first, second]


def test_every_case_counts_as_what_it_is(tmp_path: Path) -> None:
    found = field(two_runs(tmp_path))
    assert len(found.cases) == 2 * 5 * 3
    assert Counter(found.standings["quick"]) == {
        Standing.ENOUGH: 15,
        **dict.fromkeys(
            (Standing.UNSUPPORTED, Standing.INFEASIBLE, Standing.FAULT, Standing.UNTIMED, Standing.ABSENT), 3
        ),
    }
    assert Counter(found.standings["rough"]) == {Standing.LARGER: 15, Standing.ENOUGH: 15}
    assert Counter(found.standings["alone"]) == {Standing.ENOUGH: 15, None: 15}
    # What the solver is asked for but does not do is lost to who does; what was not reached or timed says nothing.
    met = [one.verdict for one in found.meetings["ed", "quick"] if one is not None]
    assert Counter(met) == {Verdict.SLOWER: 15, Verdict.ALONE: 9, Verdict.OPEN: 6}
    met = [one.verdict for one in found.meetings["ed", "rough"] if one is not None]
    assert Counter(met) == {Verdict.ALONE: 15, Verdict.SAME: 15}
    assert found.meetings["ed", "alone"].count(None) == 15


def test_ranks_follow_from_the_pairs(tmp_path: Path) -> None:
    found = field(two_runs(tmp_path))
    every = range(len(found.cases))
    assert found.solvers(every) == ["ed", "quick", "rough"], "only who was asked everywhere is ranked"
    ranks = found.ranks(every)
    assert sum(rank[0] for rank in ranks.values()) == pytest.approx(1 + 2 + 3)
    # `ed` lost 15 to `quick`, 6 are open there, and 15 tied with `rough`, of 30.
    assert ranks["ed"][0] == pytest.approx(1 + (15 + 6 / 2 + 15 / 2) / 30)
    low, high = ranks["ed"][1:]
    assert low < ranks["ed"][0] < high
    first = [number for number in every if found.cases[number].run == 0]
    assert found.ranks(first)["quick"][0] == 1
    assert str(found.ranks(first)["quick"][1]) == "nan", "five problems are too few for an interval"


def test_a_repeated_run_is_no_new_problem(tmp_path: Path) -> None:
    entries = {"ed": {n: exact(1e-4) for n in SIZES}, "quick": {n: exact(5e-5) for n in SIZES}}
    runs = [make_run(tmp_path / name, entries) for name in ("one", "two")]
    other = make_run(tmp_path / "other", entries, times={"dt": 0.1, "steps": 2}, steps=2)
    assert len({case.problem for case in field(runs).cases}) == 5
    assert len({case.problem for case in field([*runs, other]).cases}) == 10


def test_a_tolerance_tells_not_shown_to_be_small_from_shown_to_be_large(tmp_path: Path) -> None:
    entries = {
        "ed": {2: exact(1e-4)},
        "inside": {2: Entry(error=1e-9)},
        "beside": {2: Entry(error=1e-6)},
        "outside": {2: Entry(error=1e-3)},
    }
    found = field([make_run(tmp_path / "run", entries, tolerance=1e-6)])
    kinds = {name: set(standings) for name, standings in found.standings.items()}
    assert kinds["inside"] == {Standing.ENOUGH}
    assert kinds["beside"] == {Standing.DOUBTFUL}
    assert kinds["outside"] == {Standing.LARGER}
    assert {one.verdict for one in found.meetings["ed", "beside"] if one} == {Verdict.OPEN}


def test_too_many_pairs_are_not_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "MOST_MEETINGS", 20)
    found = field(two_runs(tmp_path))
    assert not found.meetings
    assert Counter(found.standings["alone"])[Standing.ENOUGH] == 15
