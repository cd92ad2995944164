from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pytest

from qdynbench.analysis.comparison import Accuracy, Pace, contests
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
    findings,
    outcomes,
    protocols,
)
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from tests.runs import Entry, ended, exact, make_run

Kind = TypeVar("Kind", bound=Finding)
STATE_BY_STATE = {"protocol": ["mode"], "label": "paper's protocol", "timed_states": 8}


def of(run: Run, subject: str, kind: type[Kind]) -> list[Kind]:
    return [one for one in findings(run) if one.subject == subject and isinstance(one, kind)]


def alone(folder: Path, new: dict[int, Entry], other: Entry | None = None, **fit: Any) -> list[Finding]:
    """Return the findings of a new solver against another at the sizes of the new one."""
    run = make_run(folder / "run", {"ed": dict.fromkeys(new, other or exact()), "new": new}, {"new": fit})
    [found] = contests(run, ("new", "ed"))
    return list(outcomes(found))


def test_every_learned_solver_is_judged_and_persistence_and_the_reference_are_not(usual: Run) -> None:
    subjects = dict.fromkeys(one.subject for one in findings(usual))
    assert list(subjects) == ["sru", "linear", "local-generator", "ed[mode=per_state]"]


def test_a_learned_solver_stands_beside_persistence_the_yardsticks_and_the_reference(usual: Run) -> None:
    [skill] = of(usual, "sru", Skill)
    assert (skill.size, skill.failing) == (8, ())
    assert [(one.track, one.sizes) for one in of(usual, "sru", LargestError)] == [
        ("in-distribution", (2, 3, 4)),
        ("larger-chain", (5, 6, 7, 8)),
    ]
    assert [score.metric for score in of(usual, "sru", LargestError)[0].scores] == [
        "mean_relative_entropy",
        "infidelity",
    ]
    assert [(one.yardstick, one.accuracy, one.sizes) for one in of(usual, "sru", BesideYardstick)] == [
        ("linear", Accuracy.WORSE, (2, 3, 4)),
        ("local-generator", Accuracy.WORSE, tuple(range(2, 9))),
    ]
    [outcome] = of(usual, "sru", Outcome)
    assert (outcome.contests[0].pace, outcome.contests[0].accuracy) == (Pace.SLOWER, Accuracy.WORSE)
    assert len(outcome.contests) == outcome.count == 21
    [pays] = of(usual, "sru", PaysOff)
    assert (pays.contests, pays.below, pays.never, pays.undecided) == ((), (), 21, 0)


def test_no_better_than_persistence_is_found(tmp_path: Path) -> None:
    # persistence has a mean relative entropy of 0.02 here, so an infidelity of 0.32 is about five times worse
    entries = {"ed": {4: exact(), 5: exact()}, "new": {4: Entry(), 5: Entry(error=0.32)}}
    [skill] = of(make_run(tmp_path / "run", entries, {"new": {}}), "new", Skill)
    assert (skill.size, skill.failing) == (5, (5,))
    assert skill.worst.value == pytest.approx(-4.1, abs=0.2)


def test_yardsticks_that_are_reached_or_passed_are_found(tmp_path: Path) -> None:
    entries = {"ed": exact(), "new": Entry(1e-6), "yard": Entry(1e-3), "twin": Entry(1.5e-6)}
    run = make_run(
        tmp_path / "run", {name: {4: one} for name, one in entries.items()}, {n: {} for n in list(entries)[1:]}
    )
    assert {one.yardstick: one.accuracy for one in of(run, "new", BesideYardstick)} == {
        "yard": Accuracy.BETTER,
        "twin": Accuracy.EQUAL,
    }


def test_a_fit_that_failed_is_no_yardstick_and_no_subject(troubled: Run) -> None:
    assert {one.subject for one in findings(troubled)} == {"slow"}
    assert not of(troubled, "slow", BesideYardstick)


def test_what_a_solver_could_not_do_is_not_repeated(usual: Run) -> None:
    assert not of(usual, "linear", NotCompared)


def test_contests_that_turn_out_alike_are_one_outcome(tmp_path: Path) -> None:
    new = {4: Entry(error=1e-27, seconds=2.5e-5), 5: Entry(error=1e-3, seconds=1e-6), 6: exact()}
    found = [
        (one.contests[0].pace, one.contests[0].accuracy, len(one.contests), one.count)
        for one in alone(tmp_path, new)
        if isinstance(one, Outcome)
    ]
    assert found == [
        (Pace.FASTER, Accuracy.EQUAL, 3, 9),
        (Pace.FASTER, Accuracy.WORSE, 3, 9),
        (Pace.SAME, Accuracy.EQUAL, 3, 9),
    ]


def test_where_it_pays_off_never_does_and_cannot_be_said_are_counted(tmp_path: Path) -> None:
    new = {4: Entry(seconds=5e-5), 5: Entry(seconds=2e-4), 6: Entry(seconds=1e-4, jitter=0.2)}
    [pays] = [one for one in alone(tmp_path, new, fit_time=9.0) if isinstance(one, PaysOff)]
    assert ({one.size for one in pays.contests}, pays.below, pays.never, pays.undecided) == ({4}, (), 3, 3)


def test_what_begins_cheaper_and_is_slower_pays_off_below_a_number(tmp_path: Path) -> None:
    found = alone(tmp_path, {4: Entry(seconds=2e-4), 5: Entry(seconds=5e-5)}, exact(1e-4, prepare=60.0))
    [pays] = [one for one in found if isinstance(one, PaysOff)]
    assert ([one.size for one in pays.contests], [one.size for one in pays.below]) == ([5] * 3, [4] * 3)
    assert (pays.never, pays.undecided) == (0, 0)
    assert pays.below[0].break_even is not None
    assert pays.below[0].break_even.number[0] == pytest.approx(59.4 / 1e-4, rel=0.01)


def test_where_times_cannot_be_told_apart_nothing_is_said_to_pay_off_or_never_to(tmp_path: Path) -> None:
    # The times differ by 3 %, which gave a break-even of seven digits, or `never`, from one run to the next.
    for number, seconds in enumerate((0.97e-4, 1.03e-4)):
        found = alone(tmp_path / str(number), {4: Entry(seconds=seconds, jitter=0.2)}, fit_time=9.0)
        assert not [one for one in found if isinstance(one, PaysOff)]


def test_all_that_a_run_compares_is_judged_together(tmp_path: Path) -> None:
    lucky = Entry(error=1e-27, seconds=1.075e-4, jitter=0.05, batches=[1])
    entries = {"ed": {4: exact(1e-4, batches=[1])}, "lucky": {4: lucky}}
    [outcome] = of(make_run(tmp_path / "alone", entries), "lucky", Outcome)
    assert outcome.contests[0].pace is Pace.SLOWER
    for other in ("twin", "ed[mode=other]"):
        more = {**entries, other: {4: exact(1e-4, batches=[1], protocol=["mode"])}}
        [outcome] = of(make_run(tmp_path / other, more), "lucky", Outcome)
        assert outcome.contests[0].pace is Pace.SAME


def test_what_is_missing_from_a_comparison_is_found(tmp_path: Path) -> None:
    refused = ended(Status.UNSUPPORTED, "no data")
    *_, missing = alone(tmp_path / "some", {4: exact(), 5: refused})
    assert isinstance(missing, NotCompared)
    assert ([one.size for one in missing.contests], missing.wholly) == ([5], False)
    [nothing] = alone(tmp_path / "all", {4: refused})
    assert isinstance(nothing, NotCompared)
    assert nothing.wholly


def test_both_protocols_stand_side_by_side(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        {
            "ed": {n: exact(1e-4) for n in (4, 5)},
            "ed[mode=per_state]": {n: exact(1e-3, **STATE_BY_STATE) for n in (4, 5)},
            "new": {n: Entry(error=1e-5, seconds=4e-4) for n in (4, 5)},
            "snail": {n: Entry(error=1e-5, seconds=4e-3) for n in (4, 5)},
        },
        {"new": {}, "snail": {}},
    )
    assert protocols(run) == [("ed[mode=per_state]", "ed")]
    [protocol] = of(run, "ed[mode=per_state]", Protocol)
    case = protocol.contest
    assert (case.size, case.batch_size, case.extrapolated) == (5, 256, (("ed[mode=per_state]", 8),))
    assert case.ratio == pytest.approx((10.0,) * 3)
    [claim] = of(run, "new", Claim)
    assert claim.slow.ratio is not None
    assert claim.usual.ratio is not None
    assert (claim.slow.ratio[0], claim.usual.ratio[0]) == pytest.approx((0.4, 4.0))
    assert not of(run, "snail", Claim)  # slower than both: nothing could be claimed


def test_a_protocol_that_costs_no_more_leaves_every_claim_as_it_is(tmp_path: Path) -> None:
    for seconds in (1e-4, 5e-5):
        other = exact(seconds, protocol=["mode"])
        entries = {"ed": {4: exact(1e-4)}, "ed[mode=other]": {4: other}, "new": {4: Entry(seconds=1e-6)}}
        run = make_run(tmp_path / f"{seconds}", entries)
        assert len(of(run, "ed[mode=other]", Protocol)) == 1
        assert not of(run, "new", Claim)


def test_a_label_is_displayed_and_decides_nothing(tmp_path: Path) -> None:
    # ed[sector=auto] has a label, and dropped out of the verdict as a protocol of ed.
    labelled = exact(5e-5, label="in the sector of the initial state")
    run = make_run(tmp_path / "run", {"ed": {4: exact(1e-4)}, "ed[sector=auto]": {4: labelled}})
    assert protocols(run) == []
    [outcome] = of(run, "ed[sector=auto]", Outcome)
    assert outcome.contests[0].pace is Pace.FASTER


def test_a_protocol_beside_other_parameters_belongs_to_the_solver_that_has_these_too(tmp_path: Path) -> None:
    names = ("ed", "ed[precision=single]", "ed[mode=per_state,precision=single]")
    run = make_run(tmp_path / "run", {name: {4: exact(protocol=["mode"])} for name in names})
    assert protocols(run) == [("ed[mode=per_state,precision=single]", "ed[precision=single]")]


def test_a_run_of_faults_alone_has_no_findings(tmp_path: Path) -> None:
    entries = {"ed": {4: exact()}, "new": {4: ended(Status.CRASHED, "gone")}}
    assert findings(make_run(tmp_path / "run", entries, {"new": {}})) == []
