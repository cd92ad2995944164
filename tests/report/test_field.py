"""The figures of the numerical field: only equal errors are compared, and no cell is left out of sight."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qdynbench.analysis.points import points
from qdynbench.analysis.ranking import ranking
from qdynbench.plugins.registry import Registry
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report.figures.drawing import save
from qdynbench.report.figures.figure import CannotDraw, Figure
from qdynbench.report.figures.prediction import RESOLVED_BYTES, Prediction, memories, times
from qdynbench.report.figures.scaling import Scaling
from qdynbench.report.figures.work_precision import WorkPrecision
from qdynbench.report.parts import Table
from qdynbench.report.terminal.layout import lines_of
from qdynbench.task.load import load_task
from tests.runs import Entry, ended, make_run, printed

RESOLUTION = 1e-14
"""Error of the reference, as a 2-norm."""


def entry(error: float, seconds: float, **fields: Any) -> Entry:
    """Return an entry with a 2-norm error, timed with one state."""
    return Entry(error=error**2, own=RESOLUTION**2 / 4, seconds=seconds, batches=[1], **fields)


BOOM = ended(Status.FAILED, "ValueError: boom", predicted=(1e6, 1.0), batches=[1])


def infeasible(size: int) -> Entry:
    return ended(Status.INFEASIBLE, "predicted memory 70 GB, limit 8 GB", predicted=(16.0 * 4**size, 3e3), batches=[1])


def one_size(folder: Path) -> Run:
    turned = {"accuracy": ["tolerance"]}
    return make_run(
        folder / "run",
        {
            "krylov[tolerance=0.0001]": {7: entry(1e-5, 1.0, **turned)},
            "krylov[tolerance=1e-08]": {7: entry(1e-9, 2.0, **turned)},
            "krylov[tolerance=1e-12]": {7: entry(RESOLUTION / 3, 4.0, **turned)},
            "chebyshev[tolerance=1e-08]": {7: entry(1e-9, 2.01, jitter=0.1, **turned)},
            "trotter[order=2,step=0.01]": {7: entry(0.95e-4, 0.1, accuracy=["step"])},
            "ed": {7: entry(RESOLUTION / 10, 9.0)},
            "persistence": {7: entry(0.5, 1e-5)},
            "ode": {7: BOOM},
        },
    )


def written(table: Table) -> str:
    """Return what a table looks like in a terminal of 80 columns."""
    return printed(lambda console: console.print(*lines_of(table, console, 80), sep="\n"))


def svg(figure: Figure, run: Run, folder: Path) -> ET.Element:
    path = save(figure.draw(run), folder / "drawn", "figure")[1]
    return ET.fromstring(path.read_text())  # noqa: S314 - written by this very test


def texts(root: ET.Element) -> list[str]:
    return [element.text for element in root.iter() if element.text]


def test_only_those_that_reach_the_error_are_ranked_each_solver_with_its_fastest_setting(tmp_path: Path) -> None:
    run = one_size(tmp_path)
    places = ranking(points(run), 1e-6)
    assert [place.point.solver for place in places] == ["krylov[tolerance=1e-08]", "chebyshev[tolerance=1e-08]", "ed"]
    assert places[0].ratio is None
    assert places[1].tied
    assert not places[2].tied
    assert places[2].ratio == pytest.approx((4.5,) * 3)  # the drift that both share cancels
    # 0.95e-4 is below 1e-4, but its interval is not.
    assert "trotter" not in {place.point.spec.name for place in ranking(points(run), 1e-4)}
    assert ranking(points(run), RESOLUTION / 2) == []  # below what the reference is known to nothing can be reached


def test_the_table_of_work_and_precision_says_who_is_first_and_who_ties(tmp_path: Path) -> None:
    lines = written(WorkPrecision().table(one_size(tmp_path))).splitlines()
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


def test_the_diagram_has_every_point_and_marks_those_below_the_resolution(tmp_path: Path) -> None:
    root = svg(WorkPrecision(), one_size(tmp_path), tmp_path)
    drawn = [e for e in root.iter() if e.get("aria-roledescription") == "point"]
    assert len(drawn) == 7
    assert len([e for e in drawn if e.get("fill") == "white"]) == 2
    found = texts(root)
    assert "the reference's resolution, 1e-14" in found
    assert "ode: failed at N = 7: ValueError: boom" in found
    assert {"1e-4", "1e-8", "1e-12"} <= set(found)  # the settings beside their points


def many_sizes(folder: Path) -> Run:
    sizes = (8, 10, 12)
    return make_run(
        folder / "run",
        {
            "ed": {8: entry(1e-13, 1e-3, prepare=1.0), 10: entry(1e-13, 5e-2, prepare=60.0), 12: infeasible(12)},
            "chebyshev": {n: entry(1e-10, 1e-4 * 2**n) for n in sizes},
            "chebyshev[precision=single]": {n: entry(1e-6, 5e-5 * 2**n, precision="single") for n in sizes},
            "trotter": {n: entry(1e-6, 1e-6 * 2**n) for n in sizes},
            "slow": {8: ended(Status.TIMEOUT, "solve: over 120 s", batches=[1])},
        },
    )


def test_the_table_of_scaling_compares_at_equal_error_and_says_why_the_others_dropped_out(tmp_path: Path) -> None:
    text = written(Scaling().table(many_sizes(tmp_path)))
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


def test_scaling_draws_hollow_what_is_too_inaccurate_and_marks_what_was_not_solved(tmp_path: Path) -> None:
    root = svg(Scaling(), many_sizes(tmp_path), tmp_path)
    hollow = [e for e in root.iter() if e.get("aria-roledescription") == "point" and e.get("fill") == "white"]
    assert len(hollow) == 4 * 3  # trotter in each panel, at each size
    found = texts(root)
    assert {"infeasible", "timeout", "dense matrix", "one state vector"} <= set(found)
    assert any(line.startswith("ed: infeasible at N = 12") for line in found)


def test_a_prediction_is_compared_with_prepare_and_solve_and_with_memory(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run",
        {
            "ed": {
                8: entry(1e-13, 2.0, prepare=2.0, predicted=(1e6, 1.0), memory=90_000_000),
                10: entry(1e-13, 2.0, prepare=6.0, predicted=(800e6, 16.0), memory=400_000_000),
                12: infeasible(12),
            },
            "mute": {8: entry(1e-13, 1.0)},
        },
    )
    found = points(run)
    assert [pair.ratio for pair in times(found)] == pytest.approx([0.25, 2.0], rel=1e-3)
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


def test_a_solver_is_held_to_the_target_of_what_it_yields(tmp_path: Path) -> None:
    # The target was looked up by the parameter `precision`: a KeyError for `mixed`, and double for plain sru.
    names = ("sru", "sru[precision=mixed]", "old[precision=single]")
    entries = {name: {8: entry(1e-6, 1e-4, precision="single")} for name in names[:2]}
    run = make_run(tmp_path / "run", {**entries, names[2]: {8: entry(1e-6, 1e-4)}})
    targets = {point.solver: Scaling().target(point) for point in points(run)}
    assert targets == dict(zip(names, (1e-5, 1e-5, 1e-8), strict=True))
    assert "old[precision=single]: N = 8: error 1.0e-6, above 1e-8" in written(Scaling().table(run))
    assert "sru[precision=mixed]" in texts(svg(Scaling(), run, tmp_path))


def test_several_seeds_are_one_point_in_a_figure(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ed": {8: entry(1e-13, 1.0)}}, seeds=[0, 3])
    root = svg(WorkPrecision(), run, tmp_path)
    assert len([one for one in root.iter() if one.get("aria-roledescription") == "point"]) == 1
    assert "mean over 2 seeds" in texts(root)


@pytest.mark.parametrize("figure", [WorkPrecision(), Scaling()])
def test_a_run_without_times_says_what_is_missing(tmp_path: Path, figure: Figure) -> None:
    run = make_run(tmp_path / "run", {"ode": {8: BOOM}})
    for part in (figure.draw, figure.table):
        with pytest.raises(CannotDraw, match="boom"):
            part(run)


def test_the_shipped_task_of_scaling_draws_its_figures(qdynbench: Callable[..., Any], tmp_path: Path) -> None:
    done = qdynbench(
        *("run", "scaling", "--out", "runs/scaling", "--solver", "ed", "--solver", "taylor", "--set", "sizes=[3, 13]"),
        *("--set", "reference=taylor", "--set", "limits.memory=1 GB"),
        *("--set", "timing={batch_sizes: [1], rounds: 3, seconds: 0.5, launches: 1}"),
        "--details",
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
def test_the_shipped_tasks_name_solvers_metrics_and_figures_that_there_are(name: str) -> None:
    registry = Registry.discover()
    setting = {"work_precision": "full", "scaling": "gpu"}[name]
    assert "prediction" in load_task(name, registry, setting=setting).figures
