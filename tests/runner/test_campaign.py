"""A part of the fault campaign (`benchmarks/faults.py`): faulty solvers side by side, and one kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaign import faulty_plugins, kills

SOLVERS = (
    *("init-exits", "supports-true", "supports-wild", "label-list", "knowledge-text", "shipped-number"),
    *("error-long", "error-wild", "solve-unnamed-signal", "output-much", "long-parameter"),
    *("stray-low", "stray-random", "message-deep", "message-odd-status", "child-holds-wire"),
    *("import-exits", "target-leaves", "load-raises", "save-removes", "save-link", "fit-forges-need"),
    *("notes-wild", "fit-note-wild", "shipped-deep", "shipped-costless", "shipped-damaged"),
)
"""One of each kind that ended the run, its report or the report of others."""


def test_faulty_solvers_end_their_own_cells_and_no_others(tmp_path: Path) -> None:
    outcomes = list(faulty_plugins.side_by_side(SOLVERS, tmp_path / "run"))
    assert len(outcomes) == len(SOLVERS)
    assert not [outcome for outcome in outcomes if outcome.fault]


@pytest.mark.parametrize("seed", [11])
def test_a_run_goes_on_after_a_kill_with_the_same_accuracy(tmp_path: Path, seed: int) -> None:
    (outcome,) = kills.run(seed, 1, tmp_path)
    assert not outcome.fault
