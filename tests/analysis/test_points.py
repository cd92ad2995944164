from __future__ import annotations

from pathlib import Path

import pytest

from qdynbench.analysis.points import over_seeds, points
from qdynbench.analysis.ranking import over
from qdynbench.record.ledger import Cheaper
from qdynbench.record.schema import CellRecord, Ledger, Score, SolveTiming, Status
from tests.runs import Entry, exact, make_run


def cell(size: int, seed: int, error: float, own: float | None = None, *, launches: int = 2) -> CellRecord:
    score = Score(metric="infidelity", step=5, value=error, low=error, high=error, unit="1", resolution=own)
    seconds = [[float(number + seed)] for number in range(1, launches + 1)]
    timing = SolveTiming(batch_size=1, launches=seconds, calls=1, timed_states=1)
    ledger = Ledger(
        start_up_time=2.0 * seed,
        starts=[1.5 * seed, 2.5 * seed],
        prepare_time=float(seed),
        solve=[timing],
        peak_memory_host=100 + seed,
        rounds_id=f"case {seed}",
    )
    return CellRecord(
        key=f"{size}-{seed}",
        task="t",
        solver="ed",
        size=size,
        seed=seed,
        track="no-training",
        scores=[score],
        ledger=ledger,
        notes=[f"seed {seed}"],
        fingerprint="0",
    )


def test_a_size_is_the_mean_over_its_seeds_with_an_interval() -> None:
    rows = list(over_seeds([cell(6, 1, 3.0, own=0.5), cell(4, 0, 7.0), cell(6, 0, 1.0, own=0.1), cell(6, 2, 2.0)]))
    assert [(row.size, seeds) for row, seeds in rows] == [(4, 1), (6, 3)]
    merged = rows[1][0]
    (score,) = merged.scores
    assert score.value == pytest.approx(2.0)
    assert 0.5 < score.low < 1.0
    assert 3.0 < score.high < 8.0
    assert score.resolution == 0.5
    assert merged.ledger.solve[0].launches == [[1.0], [2.0], [2.0], [3.0], [3.0], [4.0]]
    assert merged.ledger.starts == [0.0, 0.0, 1.5, 2.5, 3.0, 5.0]
    assert merged.ledger.start_up_time == 2.0
    assert merged.ledger.prepare_time == 1.0
    assert merged.ledger.peak_memory_host == 102
    assert merged.notes == ["seed 0", "seed 1", "seed 2"]


def test_a_single_seed_stays_as_it_is() -> None:
    only = cell(4, 0, 7.0)
    assert list(over_seeds([only])) == [(only, 1)]


def test_seeds_that_ended_otherwise_are_no_part_of_the_mean() -> None:
    cells = [cell(4, seed, 1.0 + seed) for seed in range(3)]
    cells[1].status, cells[1].reason = Status.TIMEOUT, "solve: over 1 s"
    found = [(one.status, seeds, one.scores[0].value) for one, seeds in over_seeds(cells)]
    assert found == [(Status.OK, 2, pytest.approx(2.0)), (Status.TIMEOUT, 1, 2.0)]


def test_the_launches_of_all_seeds_are_paired_where_each_has_as_many() -> None:
    even, odd = ([cell(4, seed, 1.0, launches=launches) for seed in (0, 1)] for launches in (3, 2))
    (one, _), (same, _), (fewer, _) = (next(over_seeds(cells)) for cells in (even, even, odd))
    assert one.ledger.rounds_id == same.ledger.rounds_id
    assert one.ledger.rounds_id != fewer.ledger.rounds_id


def test_tables_and_figures_show_the_mean_over_all_seeds(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {4: exact(1e-4)}, "new": {4: Entry(seconds=2e-4)}}, seeds=[0, 7])
    ed, new = points(run)
    assert (new.seeds, len(new.timing.launches if new.timing else [])) == (2, 10)
    assert over(new, ed) == pytest.approx((2.0,) * 3)


@pytest.mark.parametrize(
    ("names", "accuracy", "series", "settings"),
    [
        (["tebd[chi=32]", "tebd[chi=64]"], ["chi"], {"tebd"}, ["32", "64"]),  # integers made a series each
        (["sru[effort=0.5]", "sru[effort=1.0]"], [], {"sru[effort=0.5]", "sru[effort=1]"}, ["", ""]),  # floats made one
        (
            ["trotter[order=2,step=1]", "trotter[order=2,step=0.01]", "trotter[order=2,step=0.0001]"],
            ["step"],
            {"trotter[order=2]"},
            ["1", "0.01", "1e-4"],
        ),
        (["krylov", "krylov[tolerance=1e-8]"], ["tolerance"], {"krylov"}, ["", "1e-8"]),
    ],
)
def test_settings_of_one_series_differ_in_what_the_solver_declares(
    tmp_path: Path, names: list[str], accuracy: list[str], series: set[str], settings: list[str]
) -> None:
    run = make_run(tmp_path / "run", {name: {4: Entry(accuracy=accuracy)} for name in names})
    found = points(run)
    assert {point.series for point in found} == series
    assert [point.setting for point in found] == settings


def test_a_smaller_step_comes_later_on_the_line(tmp_path: Path) -> None:
    names = ("trotter[step=1]", "trotter[step=0.001]")
    coarse, fine = points(make_run(tmp_path / "run", {name: {4: Entry(accuracy=["step"])} for name in names}))
    assert coarse.order < fine.order


def test_a_point_knows_how_it_stands_to_the_reference(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {4: exact(1e-4)}, "new": {4: Entry(error=1e-3, seconds=1e-5)}}, {"new": {}})
    ed, new = points(run)
    assert ed.break_even is None
    assert new.break_even is not None
    assert new.break_even.cheaper is Cheaper.FROM
    assert new.break_even.number[0] == pytest.approx(0.6 / 9e-5, rel=0.02)
    assert not new.accuracy.suffices
