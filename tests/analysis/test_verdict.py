from __future__ import annotations

from collections.abc import Callable

from qdynbench.analysis.verdict import protocols, verdict

from qdynbench.record.results import Run
from qdynbench.record.schema import Status

MakeRun = Callable[..., Run]
ED = {"error": 1e-31, "seconds": 1e-4, "knowledge": "hamiltonian"}


def paragraph(run: Run, subject: str) -> str:
    return next(" ".join(finding.sentences) for finding in verdict(run) if finding.subject == subject)


def test_every_learned_solver_is_judged_and_yardsticks_are_not(usual: Run) -> None:
    assert [finding.subject for finding in verdict(usual)] == ["sru", "linear", "local-generator", "protocol"]


def test_a_learned_solver_stands_beside_persistence_the_gates_and_the_reference(usual: Run) -> None:
    text = paragraph(usual, "sru")
    assert text.startswith("Beats persistence at every size it solved (smallest skill 0.9")
    assert "Largest error: in-distribution (N = 2..4) MRE " in text
    assert "; larger-chain (N = 5..8) MRE " in text
    assert "Less accurate than linear (N = 2..4) and local-generator (N = 2..8)." in text
    assert "ed is 2.0 times faster than sru in all 21 comparisons, and more accurate." in text
    assert "sru never breaks even with ed" in text


def test_no_better_than_persistence_is_said(make_run: MakeRun) -> None:
    # persistence has a mean relative entropy of 0.02 here, so an infidelity of 0.32 is about five times worse
    run = make_run({"ed": {4: ED, 5: ED}, "new": {4: {"error": 1e-6}, 5: {"error": 0.32}}}, {"new": {}})
    assert paragraph(run, "new").startswith("No better than persistence at N = 5 (skill -4.")


def test_a_gate_that_is_passed_is_said_too(make_run: MakeRun) -> None:
    run = make_run(
        {"ed": {4: ED}, "new": {4: {"error": 1e-6}}, "gate": {4: {"error": 1e-3}}, "twin": {4: {"error": 1.5e-6}}},
        {"new": {}, "gate": {}, "twin": {}},
    )
    assert "As accurate as twin (N = 4). More accurate than gate (N = 4)." in paragraph(run, "new")


def test_a_fast_learned_solver_with_a_larger_error_has_no_speed_up(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "new": {4: {"error": 1e-3, "seconds": 1e-6}}}, {"new": {}})
    text = paragraph(run, "new")
    assert "no speed-up to quote" in text
    assert "faster" not in text


def test_a_fit_that_failed_is_no_gate_and_no_subject(troubled: Run) -> None:
    assert [finding.subject for finding in verdict(troubled)] == ["slow"]
    assert "unfit" not in paragraph(troubled, "slow")


def test_both_protocols_stand_side_by_side(make_run: MakeRun) -> None:
    entries = {
        "ed": {4: ED, 5: ED},
        "ed[mode=per_state]": {
            n: {**ED, "seconds": 1e-3, "label": "paper's protocol", "timed_states": 8} for n in (4, 5)
        },
        "new": {n: {"error": 1e-5, "seconds": 4e-4} for n in (4, 5)},
        "snail": {n: {"error": 1e-5, "seconds": 4e-3} for n in (4, 5)},
    }
    run = make_run(entries, {"new": {}, "snail": {}})
    assert protocols(run) == [("ed[mode=per_state]", "ed")]
    text = paragraph(run, "protocol")
    assert "At 5 spins, 256 states a call, ed[mode=per_state] takes 10.0 times as long as ed" in text
    assert "(ed[mode=per_state] extrapolated from 8 states)" in text
    assert "a speed-up over it owes this factor to the baseline." in text
    assert "new takes 2.5 times less than ed[mode=per_state], but 4.0 times as long as ed" in text
    assert "its error is larger: no speed-up to quote" in text
    assert "snail" not in text  # slower than both: nothing could be claimed
    assert verdict(run)[-1].labels == {"ed[mode=per_state]": "paper's protocol"}


def test_a_protocol_that_costs_no_more_is_said_not_to(make_run: MakeRun) -> None:
    for seconds, meaning in ((1e-4, "too uncertain to say"), (5e-5, "the choice of baseline adds nothing")):
        other = {**ED, "label": "another protocol", "seconds": seconds}
        run = make_run({"ed": {4: ED}, "ed[mode=other]": {4: other}, "new": {4: {"seconds": 1e-6}}}, name=f"r{seconds}")
        assert meaning in paragraph(run, "protocol")
        assert "new takes" not in paragraph(run, "protocol")


def test_parameters_without_a_label_are_another_solver_and_no_protocol(make_run: MakeRun) -> None:
    run = make_run({"ed": {4: ED}, "ed[precision=single]": {4: {**ED, "error": 1e-13, "seconds": 5e-5}}})
    assert protocols(run) == []
    assert "ed[precision=single] takes less time than ed" in paragraph(run, "ed[precision=single]")


def test_a_run_of_faults_alone_has_no_verdict(make_run: MakeRun) -> None:
    fault = {"error": None, "seconds": None, "status": Status.CRASHED, "reason": "gone"}
    assert verdict(make_run({"ed": {4: ED}, "new": {4: fault}}, {"new": {}})) == []
