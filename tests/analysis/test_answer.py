"""What a run says first: the fastest solver that is accurate enough, and what each learned one is worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qdynbench import Run, Status
from qdynbench.analysis.answer import Answer, Fastest, answer, as_json
from qdynbench.analysis.comparison import Accuracy, Pace
from tests.runs import Entry, ended, exact, make_run

SIZES = range(2, 7)


def answer_of(folder: Path, entries: dict[str, dict[int, Entry]], **task: object) -> Answer:
    fits = {name: {} for name, cells in entries.items() if any(e.knowledge == "trajectories" for e in cells.values())}
    return answer(make_run(folder / "run", entries, fits, **task))


def test_the_fastest_is_named_with_those_that_tie_for_each_range_of_sizes(tmp_path: Path) -> None:
    found = answer_of(
        tmp_path,
        {
            "ed": {n: exact(1e-4) for n in SIZES},
            "quick": {n: exact(5e-5 if n < 5 else 2e-4) for n in SIZES},
            "twin": {n: exact(1e-4, jitter=0.03) for n in SIZES},
            "wrong": {n: Entry(error=1e-3, seconds=1e-7) for n in SIZES},
        },
    )
    quick, tied = found.fastest
    assert quick == Fastest((2, 3, 4), 256, ("quick",))
    assert (tied.sizes, set(tied.solvers)) == ((5, 6), {"ed", "twin"})


def test_a_tolerance_lets_in_whoever_reaches_it_and_says_who_does_not(tmp_path: Path) -> None:
    entries = {
        "ed": {n: exact(1e-4) for n in SIZES},
        "sru": {n: Entry(error=10.0 ** (n - 12), seconds=1e-5) for n in SIZES},
    }
    strict = answer_of(tmp_path / "strict", entries)
    assert [one.solvers for one in strict.fastest] == [("ed",)]
    assert strict.worth[0].accuracy == {Accuracy.WORSE}
    assert strict.worth[0].beyond == ()
    found = answer_of(tmp_path / "loose", entries, tolerance=1.5e-8)
    assert [(one.sizes, one.solvers) for one in found.fastest] == [((2, 3, 4), ("sru",)), ((5, 6), ("ed",))]
    assert found.worth[0].beyond == (5, 6)
    assert {one.size for one in found.worth[0].of_pace(Pace.FASTER, equal=True)} == {2, 3, 4}
    again = Run(found.run.folder, tolerance=1e-3)
    assert [one.solvers for one in answer(again).fastest] == [("sru",)]


def test_one_launch_ties_with_nobody_and_is_said_to_have_no_interval(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {2: exact(1e-4)}, "once": {2: exact(1e-1)}})
    for timing in next(cell for cell in run.cells if cell.solver == "once").ledger.solve:
        del timing.launches[1:]
    found = answer(run)
    assert found.fastest == (Fastest((2,), 256, ("ed",), certain=False),)
    assert {one.pace for row in found.rows for made in row.contests.values() for one in made} == {Pace.UNKNOWN}


def test_with_a_tolerance_only_who_keeps_it_at_every_seed_is_fast_enough(tmp_path: Path) -> None:
    entries = {"ed": {2: exact(1e-4)}, "near": {2: Entry(error=1.9e-6, seconds=1e-5)}}
    run = make_run(tmp_path / "run", entries, {"near": {}}, seeds=[0, 7], tolerance=1e-6)
    assert [one.solvers for one in answer(run).fastest] == [("ed",)]
    assert [one.solvers for one in answer(Run(run.folder, tolerance=1e-5)).fastest] == [("near",)]
    bad = Run(run.folder, tolerance=1e-5)
    cell = bad.cell("near", 2, 7)
    assert cell is not None
    cell.status = Status.CRASHED
    assert [one.solvers for one in answer(bad).fastest] == [("ed",)]


def test_a_solver_worse_than_persistence_is_wrong_wherever_it_is(tmp_path: Path) -> None:
    entries = {
        "ed": {n: exact() for n in SIZES},
        "poor": {n: Entry(error=0.5 if n > 4 else 1e-4) for n in SIZES},
        "persistence": {n: Entry(error=0.06) for n in SIZES},
    }
    found = answer_of(tmp_path, entries)
    assert [(one.solver, one.wrong) for one in found.worth] == [("poor", (5, 6))]


def test_a_blind_solver_that_was_not_fitted_and_knows_something_is_called_out(tmp_path: Path) -> None:
    entries = {
        "ed": {n: exact() for n in SIZES},
        "told": {n: Entry(error=1e-6) for n in SIZES},
        "learned": {n: Entry(error=1e-6) for n in SIZES},
        "persistence": {n: Entry(error=0.06) for n in SIZES},
    }
    found = answer(make_run(tmp_path / "run", entries, {"learned": {}}))
    assert {one.solver: one.from_elsewhere for one in found.worth} == {"told": True, "learned": False}


def test_sizes_that_turn_out_alike_are_one_row_and_opened_where_they_differ(usual: Run) -> None:
    rows = [(row.solver, row.sizes, row.status) for row in answer(usual).rows]
    assert rows[0] == ("ed", (2, 3, 4, 5, 6, 7, 8), Status.OK)
    assert ("linear", (5, 6, 7, 8), Status.UNSUPPORTED) in rows
    sizes = [size for solver, where, _ in rows for size in where if solver == "sru"]
    assert sizes == list(range(2, 9))


@pytest.mark.parametrize(("load", "busy"), [(0.3, 0.0), (1.7, 1.7)])
def test_what_to_be_careful_about(tmp_path: Path, load: float, busy: float) -> None:
    entries = {
        "ed": {2: exact(), 3: exact()},
        "jumps": {2: exact(jitter=0.5), 3: ended(Status.CRASHED, "the worker process ended by SIGSEGV")},
        "scaled": {2: exact(timed_states=8), 3: exact()},
    }
    run = make_run(tmp_path / "run", entries)
    run.record.provenance["load"] = load
    care = answer(run).care
    assert (care.load, care.wide, care.timed, care.faults) == (busy, 3, 9, 1)
    assert care.extrapolated == ("scaled",)


def test_rounds_that_stayed_disturbed_are_said(tmp_path: Path) -> None:
    rounds = sum(map(len, make_run(tmp_path / "few", {"ed": {2: exact()}}).cells[0].ledger.solve[0].launches))
    often = {"ed": {2: exact(disturbed=rounds // 2)}, "fine": {2: exact()}}
    assert answer_of(tmp_path / "often", often).care.disturbed == pytest.approx(rounds // 2 / rounds / 2)
    assert answer_of(tmp_path / "seldom", {"ed": {2: exact(disturbed=1)}, "fine": {2: exact()}}).care.disturbed == 0


def test_the_answer_is_data_for_programs(usual: Run) -> None:
    found = json.loads(json.dumps(as_json(answer(usual)), allow_nan=False))  # JSON has no infinity
    assert found["fastest"][0]["sizes"][0] == 2
    assert {one["solver"] for one in found["worth"]} == {"sru", "linear", "local-generator"}
    assert {"Skill", "Outcome"} <= {one["finding"] for one in found["findings"]}


def test_a_run_without_its_reference_has_rows_and_nobody_is_fastest(tmp_path: Path) -> None:
    found = answer_of(tmp_path, {"new": {2: Entry(), 3: Entry()}})
    assert found.fastest == ()
    assert [row.sizes for row in found.rows] == [(2, 3)]
    assert found.worth[0].timed == ()
