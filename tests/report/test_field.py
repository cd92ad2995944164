"""The figures of the numerical field: only equal errors are compared, and no cell is left out of sight."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from qdynbench.analysis.ranking import points, ranking
from qdynbench.plugins.registry import Registry
from qdynbench.record.schema import Status
from qdynbench.report.figures.drawing import write
from qdynbench.report.figures.figure import CannotDraw
from qdynbench.report.figures.prediction import RESOLVED_BYTES, Prediction, memories, times
from qdynbench.report.figures.scaling import Scaling
from qdynbench.report.figures.work_precision import WorkPrecision
from qdynbench.task.load import load_task

BOUND = 1e-14
"""Error of the reference in the runs that `make_run` writes."""


def entry(error=None, seconds=None, **fields):
    return {"error": error, "seconds": seconds, **fields}


BOOM = entry(status=Status.FAILED, reason="ValueError: boom", predicted=(1e6, 1.0))


def infeasible(size):
    return entry(status=Status.INFEASIBLE, reason="predicted memory 70 GB, limit 8 GB", predicted=(16.0 * 4**size, 3e3))


def one_size(make_run):
    return make_run(
        {
            "krylov[tolerance=0.0001]": {7: entry(1e-5, 1.0)},
            "krylov[tolerance=1e-08]": {7: entry(1e-9, 2.0)},
            "krylov[tolerance=1e-12]": {7: entry(BOUND / 3, 4.0)},
            "chebyshev[tolerance=1e-08]": {7: entry(1e-9, 2.01, jitter=0.1)},
            "trotter[order=2,step=0.01]": {7: entry(0.95e-4, 0.1)},
            "ed": {7: entry(BOUND / 10, 9.0)},
            "persistence": {7: entry(0.5, 1e-5)},
            "ode": {7: BOOM},
        }
    )


def svg(figure, run, folder):
    path = write(figure.draw(run), folder / "drawn", "figure")[1]
    return ET.fromstring(path.read_text())  # noqa: S314 - written by this very test


def texts(root):
    return [element.text for element in root.iter() if element.text]


def test_only_those_that_reach_the_error_are_ranked_each_solver_with_its_fastest_setting(make_run):
    run = one_size(make_run)
    places = ranking(run, points(run), 1e-6)
    assert [place.point.solver for place in places] == ["krylov[tolerance=1e-08]", "chebyshev[tolerance=1e-08]", "ed"]
    assert places[0].ratio is None
    assert places[1].tied
    assert not places[2].tied
    assert places[2].ratio == pytest.approx((4.5,) * 3)  # the drift that both share cancels
    # 0.95e-4 is below 1e-4, but its interval is not.
    assert "trotter" not in {place.point.spec.name for place in ranking(run, points(run), 1e-4)}
    assert ranking(run, points(run), BOUND / 2) == []  # below what the reference is known to nothing can be reached


def test_the_table_of_work_and_precision_says_who_is_first_and_who_ties(make_run, written):
    lines = written(WorkPrecision().table(one_size(make_run))).splitlines()
    assert max(map(len, lines)) <= 80
    start = next(number for number, line in enumerate(lines) if line.strip().startswith("1e-6 to 1e-8"))
    first, tie, later = lines[start : start + 3]
    assert "krylov[tolerance=1e-08]" in first
    assert "chebyshev[tolerance=1e-08]" in tie
    assert "tie" in tie
    assert "ed" in later.split()
    assert later.split()[-1] == "4.50"
    assert "trotter[order=2,step=0.01]" in next(line for line in lines if line.strip().startswith("1e-2"))
    assert any("ode: failed at N = 7: ValueError: boom" in line for line in lines)


def test_the_diagram_has_every_point_and_marks_those_below_the_bound(make_run, tmp_path):
    root = svg(WorkPrecision(), one_size(make_run), tmp_path)
    drawn = [e for e in root.iter() if e.get("aria-roledescription") == "point"]
    assert len(drawn) == 7
    assert len([e for e in drawn if e.get("fill") == "white"]) == 2
    found = texts(root)
    assert "the reference's own bound, 1e-14" in found
    assert "ode: failed at N = 7: ValueError: boom" in found
    assert {"1e-4", "1e-8", "1e-12"} <= set(found)  # the settings beside their points


def test_the_settings_of_one_solver_are_joined_and_those_of_another_order_are_not(make_run):
    run = make_run(
        {
            "trotter[order=2,step=0.01]": {7: entry(1e-4, 1.0)},
            "trotter[order=2,step=0.001]": {7: entry(1e-6, 0.9)},
            "trotter[order=4,step=0.01]": {7: entry(1e-7, 3.0)},
        }
    )
    coarse, fine, other = points(run)
    assert coarse.series == fine.series == "trotter[order=2]"
    assert other.series == "trotter[order=4]"
    assert coarse.order < fine.order
    assert fine.setting == "0.001"


def many_sizes(make_run):
    sizes = (8, 10, 12)
    return make_run(
        {
            "ed": {8: entry(1e-13, 1e-3, prepare=1.0), 10: entry(1e-13, 5e-2, prepare=60.0), 12: infeasible(12)},
            "chebyshev": {n: entry(1e-10, 1e-4 * 2**n) for n in sizes},
            "chebyshev[precision=single]": {n: entry(1e-6, 5e-5 * 2**n) for n in sizes},
            "trotter": {n: entry(1e-6, 1e-6 * 2**n) for n in sizes},
            "slow": {8: entry(status=Status.TIMEOUT, reason="solve: over 120 s")},
        }
    )


def test_the_table_of_scaling_compares_at_equal_error_and_says_why_the_others_dropped_out(make_run, written):
    text = written(Scaling().table(many_sizes(make_run)))
    double, single = text.split("at an error of at most 1e-5")
    assert max(map(len, text.splitlines())) <= 80
    assert "precision=single" not in double.split("Dropped")[0]
    assert "trotter" not in double
    rows = [line.split() for line in double.splitlines()]
    assert next(row for row in rows if row[:1] == ["8"])[:4] == ["8", "ed", "1.00", "s"]
    assert next(row for row in rows if row[:1] == ["12"])[1] == "chebyshev"
    assert [line.split()[1] for line in single.splitlines() if line.split()[:1] == ["12"]] == ["trotter"]
    folded = " ".join(text.split())
    assert "Least for prepare and one call together, error at most 1e-8: chebyshev at N = 8, 10, 12." in folded
    assert "trotter: N = 8, 10, 12: error 1.0e-6, above 1e-8" in folded
    assert "ed: infeasible at N = 12: predicted memory 70 GB, limit 8 GB (268 MB and 50.0 min at 12 spins)" in folded
    assert "slow: timeout at N = 8: solve: over 120 s" in folded


def test_scaling_draws_hollow_what_is_too_inaccurate_and_marks_what_was_not_solved(make_run, tmp_path):
    root = svg(Scaling(), many_sizes(make_run), tmp_path)
    hollow = [e for e in root.iter() if e.get("aria-roledescription") == "point" and e.get("fill") == "white"]
    assert len(hollow) == 4 * 3  # trotter in each panel, at each size
    found = texts(root)
    assert {"infeasible", "timeout", "dense matrix", "one state vector"} <= set(found)
    assert any(line.startswith("ed: infeasible at N = 12") for line in found)


def test_a_prediction_is_compared_with_prepare_and_solve_and_with_memory(make_run, written, tmp_path):
    run = make_run(
        {
            "ed": {
                8: entry(1e-13, 2.0, prepare=2.0, predicted=(1e6, 1.0), memory=90_000_000),
                10: entry(1e-13, 2.0, prepare=6.0, predicted=(800e6, 16.0), memory=400_000_000),
                12: infeasible(12),
            },
            "mute": {8: entry(1e-13, 1.0)},
        }
    )
    found = points(run)
    assert [pair.ratio for pair in times(found)] == pytest.approx([0.25, 2.0])
    assert [pair.counted for pair in memories(found)] == [False, True]
    assert memories(found)[1].ratio == pytest.approx(2.0)
    assert RESOLVED_BYTES > 90_000_000
    text = written(Prediction().table(run))
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["ed"])
    assert row == ["ed", "2", "1.1", "0.25", "(N=8)", "1", "2.0", "2.0", "(N=10)"]
    assert max(map(len, text.splitlines())) <= 80
    assert "ed at 12 spins: infeasible, 268 MB and 50.0 min predicted" in text
    assert "without a prediction: mute" in text
    drawn = texts(svg(Prediction(), run, tmp_path))
    assert "ed at 12 spins: infeasible, 268 MB and 50.0 min predicted" in drawn


def test_the_table_of_a_run_has_the_prediction_of_every_cell_and_still_the_row_of_one_that_failed(make_run):
    run = make_run({"ed": {8: entry(1e-13, 2.0, predicted=(1e6, 1.0)), 12: infeasible(12)}, "ode": {8: BOOM}})
    rows = run.table[run.table.metric.isin(["predicted_time", "predicted_memory"])]
    assert len(rows) == 6
    one = rows[(rows.solver == "ed") & (rows["size"] == 12)].set_index("metric")
    assert one.value["predicted_memory"] == 16.0 * 4**12
    assert one.value["predicted_time"] == 3e3
    assert set(one.status) == {"infeasible"}
    failed = run.table[(run.table.solver == "ode") & run.table.metric.isna()]
    assert list(failed.status) == ["failed"]
    assert math.isnan(failed.value.iloc[0])


@pytest.mark.parametrize("figure", [WorkPrecision(), Scaling()])
def test_a_run_without_times_says_what_is_missing(make_run, figure):
    run = make_run({"ode": {8: BOOM}})
    for part in (figure.draw, figure.table):
        with pytest.raises(CannotDraw, match="boom"):
            part(run)


def test_the_shipped_task_of_scaling_draws_its_figures(qdynbench, tmp_path):
    done = qdynbench(
        *("run", "scaling", "--solver", "ed", "--solver", "taylor", "--set", "sizes=[3, 13]"),
        *("--set", "reference=taylor", "--set", "limits.memory=1 GB"),
        *("--set", "timing={batch_sizes: [1], rounds: 3, seconds: 0.5}"),
        COLUMNS="80",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ed: infeasible at N = 13: predicted memory" in " ".join(done.stdout.split())
    assert {path.name for path in (tmp_path / "runs" / "scaling" / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("scaling", "prediction") for kind in ("png", "svg")
    }
    figures = done.stdout.split("\nFigures\n")[1].split("\nVerdict\n")[0]
    assert max(map(len, figures.splitlines())) <= 80


@pytest.mark.parametrize("name", ["work_precision", "scaling"])
def test_the_shipped_tasks_name_solvers_metrics_and_figures_that_there_are(name):
    registry = Registry.discover()
    setting = {"work_precision": "full", "scaling": "gpu"}[name]
    assert "prediction" in load_task(name, registry, setting=setting).figures
