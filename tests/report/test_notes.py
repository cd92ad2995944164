from __future__ import annotations

from pathlib import Path
from typing import Any

from qdynbench.record.results import Run
from qdynbench.record.schema import ReferenceRecord, Score
from qdynbench.report.terminal.notes import beside_columns
from qdynbench.report.terminal.show import show
from tests.runs import Entry, make_run, printed

LIMIT = "bond dimension reached its limit 64 at step 37"


def entry(error: float | None, **fields: Any) -> Entry:
    return Entry(error=error, knowledge="hamiltonian", **fields)


def shown(run: Run) -> str:
    return printed(lambda console: show(run, console, details=True), 120)


def test_what_a_row_rests_on_is_marked_and_said_once(tmp_path: Path) -> None:
    certified = ReferenceRecord(solver="ed", method="scipy expm_multiply, every step")
    uncertified = ReferenceRecord(solver="ed", uncertified="more than 20 spins are too large")
    run = make_run(
        tmp_path / "run",
        {
            "tebd": {
                8: entry(1e-9, reference=certified),
                21: entry(1e-9, reference=uncertified, notes=[LIMIT]),
                22: entry(1e-9, reference=uncertified, notes=[LIMIT]),
            }
        },
    )
    text = shown(run)
    assert "21°" in text
    assert "22°" in text
    assert "8°" not in text
    words = " ".join(text.split())
    assert "° reference ed not certified at N = 21, 22 (more than 20 spins are too large)" in words
    assert words.count(f"tebd at N = 21, 22: {LIMIT}") == 1


def test_a_row_without_a_reference_shows_what_it_has(tmp_path: Path) -> None:
    missing = ReferenceRecord(solver="ed", missing="predicted memory 70 GB, limit 2 GB")
    run = make_run(tmp_path / "run", {"tebd": {8: entry(1e-9), 40: entry(None, reference=missing)}})
    [cell] = [cell for cell in run.cells if cell.size == 40]
    cell.scores.append(Score(metric="norm_drift", step=100, value=2e-12, low=2e-12, high=2e-12, unit="1"))
    words = " ".join(shown(run).split())
    assert "40§ norm drift 2.00e-12" in words
    assert "§ no reference at N = 40 (ed: predicted memory 70 GB, limit 2 GB)" in words


def test_a_row_whose_columns_are_empty_says_what_was_scored(tmp_path: Path) -> None:
    observed = [
        Score(metric=name, step=1, value=1e-3, low=1e-3, high=1e-3, unit="1") for name in ("spin_error", "skill")
    ]
    reference = ReferenceRecord(solver="tdvp", uncertified="too large", notes=["bond was full"])
    cell = make_run(tmp_path / "run", {"tebd": {40: entry(None, reference=reference)}}).cells[0]
    cell = cell.model_copy(update={"scores": observed[:1]})
    assert beside_columns(cell, ["infidelity"]) == " 40° spin error 1.00e-3"
    assert beside_columns(cell, ["spin_error", "truncation"]) == ""
    assert beside_columns(cell.model_copy(update={"scores": observed}), ["infidelity", "skill"]) == ""
    missing = ReferenceRecord(solver="none", missing="the task names none")
    assert beside_columns(cell.model_copy(update={"scores": [], "reference": missing}), []).endswith("could be scored")
