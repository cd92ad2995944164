"""The wording of findings, asserted here alone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from qdynbench import api
from qdynbench.analysis.comparison import Accuracy, Contest, Errors, Gap, Pace
from qdynbench.analysis.findings import (
    BesideYardstick,
    Claim,
    Finding,
    LargestError,
    NotCompared,
    Outcome,
    PaysOff,
    Protocol,
    Skill,
)
from qdynbench.analysis.points import Point
from qdynbench.analysis.ranking import Unsolved
from qdynbench.record.ledger import BreakEven, Cheaper
from qdynbench.record.schema import CellRecord, Score, Status
from qdynbench.report.terminal.sentences import gap, paragraphs, sentence, text_of
from qdynbench.stats import Interval
from tests.runs import Entry, exact, make_run


def score(value: float, own: float | None = None, metric: str = "infidelity", low: float | None = None) -> Score:
    known = {"reference_error": own, "resolution": None if own is None else 4 * own}
    ends = {"low": value if low is None else low, "high": value}
    return Score(metric=metric, step=1, value=value, unit="1", **known, **ends)


def errors(ours: Score, theirs: Score) -> Errors:
    """Return how two errors that differ by more than a factor of two, or not at all, stand to each other."""
    if math.isnan(ours.value + theirs.value):
        return Errors(Accuracy.UNKNOWN)
    if ours.value == theirs.value:
        return Errors(Accuracy.EQUAL)
    return Errors(Accuracy.BETTER if ours.value < theirs.value else Accuracy.WORSE)


def contest(
    ratio: float | Interval | None = 1.0,
    ours: Score | None = None,
    theirs: Score | None = None,
    *,
    size: int = 4,
    crossing: BreakEven | None = None,
    missing: Gap | None = None,
    extrapolated: int = 0,
    against: str = "ed",
) -> Contest:
    """Return a contest of `sru` with `ed`; errors are equal unless they are given."""
    interval = (ratio,) * 3 if isinstance(ratio, float) else ratio
    pace = None if interval is None else Pace.SAME
    if interval is not None and not interval[1] <= 1 <= interval[2]:
        pace = Pace.FASTER if interval[0] < 1 else Pace.SLOWER
    scores = (ours or score(1e-9), theirs or score(1e-9))
    return Contest(
        *("sru", against, size, 0, 256, *scores),
        errors=errors(*scores),
        ratio=interval,
        pace=pace,
        break_even=crossing,
        gap=missing,
        extrapolated=((against, extrapolated),) if extrapolated else (),
    )


SMALL, LARGE, NO = score(1e-31, own=5e-30), score(1e-3), score(math.nan)
UNCERTAIN = (1.0, 0.9, 1.2)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([contest(0.25)], "sru is 4.0 times faster than ed, at equal error."),
        ([contest(0.25), contest(0.2)], "sru is 4.0 to 5.0 times faster than ed in all 2 comparisons, at equal error."),
        ([contest(0.25, SMALL, LARGE)], "sru is 4.0 times faster than ed, and more accurate."),
        (
            [contest(0.01, LARGE, SMALL)],
            "sru takes less time than ed, but with an infidelity of 1.0e-3 against <2e-29: no speed-up to quote.",
        ),
        (
            [contest(0.01, NO)],
            "sru takes less time than ed, but with an infidelity of – against 1.0e-9: no speed-up to quote.",
        ),
        ([contest(2.0)], "ed is 2.0 times faster than sru, at equal error."),
        ([contest(2.0, LARGE, SMALL)], "ed is 2.0 times faster than sru, and more accurate."),
        (
            [contest(100.0, SMALL, LARGE)],
            "sru takes 100 times as long as ed, and with an infidelity of <2e-29 against 1.0e-3.",
        ),
        ([contest(UNCERTAIN)] * 3, "sru and ed cannot be told apart in time and error in any of 3 comparisons."),
        ([contest(UNCERTAIN, LARGE, SMALL)], "The times of sru and ed cannot be told apart; sru is less accurate."),
        ([contest(UNCERTAIN, NO)], "The times of sru and ed cannot be told apart; their errors are not known."),
    ],
)
def test_an_outcome_is_a_speed_up_at_equal_error_alone(found: list[Contest], text: str) -> None:
    assert sentence(Outcome("sru", tuple(found), len(found))) == text


def test_an_outcome_of_some_says_of_how_many() -> None:
    text = "sru is 4.0 times faster than ed in 1 of 3 comparisons, at equal error."
    assert sentence(Outcome("sru", (contest(0.25),), 3)) == text


def pays(
    *crossings: float, ours: Score | None = None, below: tuple[float, ...] = (), never: int = 0, undecided: int = 0
) -> PaysOff:
    def at(cheaper: Cheaper, value: float) -> Contest:
        return contest(0.5, ours, crossing=BreakEven(cheaper, (value, 0.9 * value, 1.1 * value)))

    found = tuple(at(Cheaper.FROM if value else Cheaper.ALWAYS, value) for value in crossings)
    return PaysOff("sru", found, tuple(at(Cheaper.BELOW, value) for value in below), never, undecided)


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            pays(35_291.0, ours=LARGE, never=16),
            "costs less from 32,000 to 39,000 trajectories on, at a larger error in 1 of 17 cases; "
            "never in 16 of 17 cases.",
        ),
        (pays(35_291.0), "costs less from 32,000 to 39,000 trajectories on."),
        (pays(0.0, 0.0), "costs less from the first trajectory on."),
        (pays(0.0, ours=NO), "costs less from the first trajectory on, at an unknown error."),
        (pays(9898.0, 778_672.0), "costs less from 8,900 to 860,000 trajectories on."),
        (
            pays(100.0, undecided=2),
            "costs less from 90 to 110 trajectories on in 1 of 3 cases; 2 cannot be decided.",
        ),
        (
            pays(100.0, never=3, undecided=2),
            "costs less from 90 to 110 trajectories on in 1 of 6 cases; never in 3 of 6 cases; 2 cannot be decided.",
        ),
        (pays(never=3, undecided=2), "never costs less in 3 of 5 cases; 2 cannot be decided."),
        (pays(never=3), "never costs less."),
        (pays(below=(100.0,)), "costs less below 90 to 110 trajectories."),
        (
            pays(0.0, below=(100.0,), never=1),
            "costs less from the first trajectory on in 1 of 3 cases; below 90 to 110 trajectories in 1 of 3 cases; "
            "never in 1 of 3 cases.",
        ),
    ],
)
def test_where_it_pays_off(finding: PaysOff, text: str) -> None:
    assert sentence(finding) == f"Counting imports, training, preparation and compilation, sru {text}"


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Skill("sru", score(0.99, metric="skill"), 8, ()),
            "Beats persistence at every size it solved (smallest skill 0.990).",
        ),
        (
            Skill("sru", score(-4.3, metric="skill"), 5, (4, 5)),
            "No better than persistence at N = 4, 5 (skill -4.3 at 5 spins).",
        ),
        (
            NotCompared("sru", (contest(None, missing=Gap("sru", Status.FAILED, "no 4 spins")),), wholly=False),
            "Not compared: N = 4: sru is failed (no N spins).",
        ),
        (
            NotCompared("sru", tuple(contest(None, size=n, missing=Gap("sru")) for n in (4, 5)), wholly=True),
            "sru and ed cannot be compared: N = 4, 5: not in this run.",
        ),
        (
            Protocol("sru", contest((10.0, 9.9, 10.1), extrapolated=8)),
            "At 4 spins, 256 states a call, sru takes 10.00±0.10 times as long as ed (ed extrapolated from 8 states): "
            "speed-ups quoted against it are inflated by this factor.",
        ),
        (
            Protocol("sru", contest(UNCERTAIN)),
            "At 4 spins, 256 states a call, sru takes 1.0±0.2 times as long as ed: "
            "too uncertain to say what the choice of baseline adds to a speed-up.",
        ),
        (
            Protocol("sru", contest(0.5)),
            "At 4 spins, 256 states a call, sru takes 0.500 times as long as ed: "
            "the choice of baseline adds nothing to a speed-up.",
        ),
        (
            Claim("sru", contest(0.4, against="slow"), contest(4.0, LARGE, SMALL)),
            "sru takes 2.5 times less than slow, but 4.0 times as long as ed; its error is larger: no speed-up to "
            "quote.",
        ),
        (
            Claim("sru", contest(0.2, against="slow"), contest(0.5)),
            "sru takes 5.0 times less than slow, but 2.0 times less than ed.",
        ),
    ],
)
def test_other_findings(finding: Finding, text: str) -> None:
    assert sentence(finding) == text


def test_findings_of_a_kind_are_drawn_together() -> None:
    errors = (score(1e-9, metric="mean_relative_entropy"), score(2e-9))
    found = [
        LargestError("sru", "in-distribution", (2, 3, 4), errors),
        LargestError("sru", "larger-chain", (5, 6), errors[:1]),
        BesideYardstick("sru", "linear", Accuracy.WORSE, (2, 3, 4)),
        BesideYardstick("sru", "rank", Accuracy.BETTER, (2,)),
        BesideYardstick("sru", "generator", Accuracy.WORSE, (2, 3)),
        BesideYardstick("sru", "twin", Accuracy.EQUAL, (5,)),
    ]
    assert text_of(found) == (
        "Largest error: in-distribution (N = 2..4) MRE 1.00e-9, infidelity 2.00e-9; larger-chain (N = 5, 6) MRE "
        "1.00e-9. Less accurate than linear (N = 2..4) and generator (N = 2, 3). As accurate as twin (N = 5). "
        "More accurate than rank (N = 2)."
    )


def test_a_paragraph_belongs_to_a_solver_and_the_last_to_protocols() -> None:
    found = [
        Outcome("sru", (contest(2.0),), 1),
        Protocol("sru", contest(2.0, against="slow")),
        Claim("sru", contest(0.4), contest(4.0)),
    ]
    assert [heading for heading, _ in paragraphs(found)] == ["sru", "protocol"]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Gap("sru"), "not in this run"),
        (Gap("sru", Status.OK), "sru has not been timed"),
        (Gap("sru", Status.OK, batch_size=64), "sru has not been timed with 64 states"),
        (Gap("sru", Status.TIMEOUT, "fit: over 9 s"), "sru is timeout (fit: over 9 s)"),
    ],
)
def test_why_there_is_no_ratio(found: Gap, text: str) -> None:
    assert gap(found) == text


def test_why_there_is_no_time() -> None:
    cells = [
        CellRecord(
            key=f"{size}",
            task="t",
            solver="ed",
            size=size,
            seed=0,
            track="",
            fingerprint="f",
            status=Status.INFEASIBLE,
            reason="predicted memory 70 GB, limit 8 GB",
            predicted={"bytes": 268e6, "seconds": 3e3},
        )
        for size in (12, 14)
    ]
    assert sentence(Unsolved(tuple(map(Point, cells)))) == (
        "ed: infeasible at N = 12, 14: predicted memory 70 GB, limit 8 GB (268 MB and 50.0 min at 12 spins)"
    )


def test_a_comparison_prints_its_sentences(tmp_path: Path) -> None:
    entries = {"ed": {4: exact(1e-4)}, "rough": {4: Entry(error=1e-3, seconds=1e-6)}, "twin": {4: exact(1e-4)}}
    found = api.compare(make_run(tmp_path / "run", entries), "ed", "rough", "twin")
    first, second = str(found).splitlines()
    assert first.startswith(
        "ed takes 100 times as long as rough in all 3 comparisons, and with an infidelity of <2e-29"
    )
    assert second.startswith("ed and twin cannot be told apart in time and error in any of 3 comparisons.")
