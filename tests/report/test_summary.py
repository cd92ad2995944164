"""The report in brief: it fits the screen, the answer stands first, and its numbers are those of the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qdynbench import Run, Status
from qdynbench.record.schema import ReferenceRecord, Score
from qdynbench.report.terminal.show import show, show_answer
from tests.runs import Entry, ended, exact, make_run, printed


def lines(run: Run, width: int) -> list[str]:
    return printed(lambda console: show(run, console), width).splitlines()


@pytest.mark.parametrize(("width", "most"), [(80, 60), (160, 40)])
def test_the_report_of_the_default_run_fits_and_begins_with_the_answer(usual: Run, width: int, most: int) -> None:
    found = lines(usual, width)
    assert len(found) <= most
    assert max(map(len, found)) <= width
    first = next(number for number, line in enumerate(found) if line.startswith("The fastest solver"))
    assert first < 9


def test_each_learned_solver_gets_three_sentences_at_most(usual: Run) -> None:
    text = printed(lambda console: show_answer(usual, console), 400)
    for name in ("sru", "linear", "local-generator"):
        line = next(line for line in text.splitlines() if line.startswith(f"{name}: "))
        assert 2 <= len(re.findall(r"[.](?: |$)", line)) <= 3
    assert "All costs counted" in text


def test_the_table_has_times_of_the_reference_and_ratios_of_the_others(tmp_path: Path) -> None:
    entries = {
        "ed": {2: exact(1e-4), 3: exact(1e-4)},
        "double": {2: exact(2e-4), 3: exact(2.5e-4)},
        "alike": {2: exact(1e-4, jitter=0.02), 3: exact(1e-4, jitter=0.02)},
        "gone": {2: ended(Status.CRASHED, "the worker process ended by SIGSEGV"), 3: exact(1e-5)},
    }
    found = "\n".join(lines(make_run(tmp_path / "run", entries), 110))
    assert re.search(r"^ed +2, 3 .* 100µs +6.4ms +26ms$", found, re.MULTILINE)
    assert re.search(r"^double +2, 3 .* 2.0..2.5 +2.0..2.5 +2.0..2.5$", found, re.MULTILINE)
    assert re.search(r"^alike +2, 3 .* \(1.0\) +\(1.0\) +\(1.0\)$", found, re.MULTILINE)
    assert re.search(r"^gone +N = 2 crashed: the worker process ended by SIGSEGV$", found, re.MULTILINE)
    assert re.search(r"^ +3 .* 0.10 +0.10 +0.10$", found, re.MULTILINE)


def test_a_wrong_solver_is_called_wrong_and_not_slow(tmp_path: Path) -> None:
    entries = {
        "ed": {2: exact()},
        "poor": {2: Entry(error=0.5, seconds=1e-3)},
        "persistence": {2: Entry(error=0.06, seconds=1e-8)},
    }
    text = printed(lambda console: show_answer(make_run(tmp_path / "run", entries, {"poor": {}}), console), 200)
    assert "poor: Wrong at N = 2: no better than standing still." in text
    rows = lines(make_run(tmp_path / "again", entries, {"poor": {}}), 110)
    assert any(re.match(r"poor +2 +0.45 wrong ", row) for row in rows)


def test_a_metric_that_the_task_names_has_a_column_where_there_is_room(tmp_path: Path) -> None:
    entries = {"ed": {2: exact()}, "new": {2: Entry(error=3e-3)}}
    metrics = ["infidelity", "mean_relative_entropy", "skill"]
    run = make_run(tmp_path / "run", entries, {"new": {}}, metrics=metrics)
    wide, narrow = lines(run, 110), lines(run, 60)
    assert any(re.match(r"solver +N +infidelity +MRE +1 state", line) for line in wide)
    assert any(re.match(r"new +2 +3.0e-3 +1.0e-3 ", line) for line in wide)
    assert "MRE: mean relative entropy of the magnitudes, blind to phases" in wide
    assert not any("MRE" in line for line in narrow)
    unnamed = lines(make_run(tmp_path / "all", entries, {"new": {}}), 110)
    assert not any("MRE" in line for line in unnamed)


def test_a_column_that_says_nothing_gives_way_to_one_that_does(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {2: exact()}, "persistence": {2: Entry(error=0.06)}})
    for cell in run.cells:
        still = {"magnetization_error_z": 1e-16, "spin_error": 0.1 if cell.solver == "persistence" else 1e-15}
        for name, value in still.items():
            cell.scores.append(Score(metric=name, step=100, value=value, low=value, high=value, unit="1"))
    found = "\n".join(printed(lambda console: show(run, console, details=True), 110).splitlines())
    assert "spin error" in found
    assert "z error" not in found
    for text in (
        "MRE: mean relative entropy",
        "skill: 1 - MRE",
        "track: how a case differs",
        "<: below the resolution",
    ):
        assert text in found


def test_a_resolution_says_how_many_states_it_rests_on(tmp_path: Path) -> None:
    for name, states, expected in (
        ("one", (1, 1), "on 1 test state"),
        ("several", (200, 12), "on 12 to 200 test states"),
    ):
        made = {
            size: exact(reference=ReferenceRecord(solver="ed", states=n))
            for size, n in zip((2, 3), states, strict=True)
        }
        found = lines(make_run(tmp_path / name, {"ed": made}), 110)
        assert f"<: below the resolution of the reference, estimated {expected}" in found
    resolved = lines(make_run(tmp_path / "resolved", {"ed": {2: Entry(error=1e-3)}}), 110)
    assert not any(line.startswith("<:") for line in resolved)
