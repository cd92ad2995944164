"""The page of a run: complete, escaped, without a network, and usable by keyboard and screen reader."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from qdynbench import load_task
from qdynbench.analysis.selection import cells_by_solver, score_of, timing_of
from qdynbench.record.results import Run
from qdynbench.record.schema import Status
from qdynbench.report.page.page import write_page
from qdynbench.report.terminal import numbers
from tests.report.browser import Opened
from tests.runs import Entry, ended, exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]
MOST_BYTES, MOST_BYTES_OF_MANY = 1_500_000, 2_000_000
READY = 1000
"""Milliseconds until a page is drawn."""
HOSTILE = "<script>alert(1)</script>"


def page_of(run: Run) -> Path:
    return write_page([run], run.folder / "page.html", {"sru": "a recurrent network"})


def learner() -> Run:
    """Return a run in which a learned solver pays off, and one is cheaper at a larger error."""
    return make_run(
        "run",
        {
            "ed": {n: exact(1e-4) for n in (2, 3)},
            "quick": {n: Entry(error=1e-31, seconds=2e-5) for n in (2, 3)},
            "rough": {2: Entry(error=1e-4, seconds=1e-5), 3: ended(Status.UNSUPPORTED, "no more than 2 spins")},
        },
        {"quick": {"data_time": 0.4, "fit_time": 7.6}},
    )


def rows(page: Page, table: str) -> list[list[str]]:
    found = page.locator(f'[data-table="{table}"] tbody tr')
    return [row.locator("td").all_inner_texts() for row in found.all()]


def table_of(page: Page, table: str) -> pd.DataFrame:
    """Return what the button saves as Parquet."""
    with page.expect_download() as saved:
        page.locator(f'[data-parquet="{table}"]').click()
    return pd.read_parquet(saved.value.path())


def standings(page: Page) -> dict[str, str]:
    """Return how each solver stands beside the reference, or its reason."""
    return {row[0].strip(): row[min(2, len(row) - 1)] for row in rows(page, "cost")}


def test_the_slider_shows_a_break_even_happen(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = opened(page_of(learner()))
    assert standings(page)["ed"] == "reference"
    # 8 s of learning against 80 microseconds saved by each trajectory: 100,000 of them.
    number = page.get_by_label("exactly")
    number.fill("1000")
    assert standings(page)["quick"] == "costs more"
    assert standings(page)["rough"] == "unsupported: no more than 2 spins"
    expect(page.locator('[data-said="cost"]')).to_contain_text("no solver costs less than ed at an error")
    number.fill("10000000")
    assert standings(page)["quick"] == "costs less"
    assert page.url.endswith("#queries=10000000")
    expect(page.locator('[data-said="cost"]')).to_contain_text("quick costs less than ed")
    page.get_by_role("button", name=re.compile("^from 100,000")).click()
    assert 95_000 < float(number.input_value()) < 105_000
    assert standings(page)["quick"] == "undecided"  # within the interval of the break-even
    slider = page.locator("[data-slider]")
    before = page.locator('[data-chart="pareto"] svg').inner_html()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert float(number.input_value()) > 100_000
    assert page.locator('[data-chart="pareto"] svg').inner_html() != before
    assert slider.get_attribute("aria-valuetext").endswith(" trajectories")


def test_a_cheap_error_is_no_saving(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = opened(page_of(learner()), "#size=2&queries=1000000")
    assert standings(page)["rough"] == "costs less, less accurate"
    expect(page.locator('[data-said="cost"]')).to_contain_text("rough costs less at a larger error")


def test_every_cell_is_listed_with_its_reason(opened: Opened, troubled: Run) -> None:
    page = opened(page_of(troubled))
    assert len(rows(page, "cells")) == len(troubled.cells)
    text = page.locator('[data-table="cells"]').inner_text()
    for cell in troubled.cells:
        if cell.status is not Status.OK:
            assert cell.status.value in text
            assert cell.reason in text
    assert "2 cells are missing" in page.inner_text("body")
    reasons = page.locator('[data-table="cells"] tr.reason')
    assert reasons.count() == sum(cell.status is not Status.OK for cell in troubled.cells)
    page.get_by_label("status").select_option("infeasible")
    assert [row[0].strip() for row in rows(page, "cells")] == ["large"]
    # What could not be drawn is named below the charts as well.
    assert "large" in page.locator('[data-table="cost"]').inner_text()


def test_the_address_keeps_the_view(opened: Opened, usual: Run) -> None:
    page = opened(page_of(usual))
    cells = page.locator("section", has=page.get_by_role("heading", name="Cells"))
    cells.get_by_label("solver holds").fill("ed")
    cells.get_by_label("spins N").select_option("4")
    for _ in range(2):  # first the shortest times on top, then the longest
        cells.get_by_role("button", name="256 states").click()
    again = opened(Path(page.url.removeprefix("file://").partition("#")[0]), f"#{page.url.partition('#')[2]}")
    assert rows(again, "cells") == rows(page, "cells")
    assert len(rows(page, "cells")) == 2
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert again.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert again.get_by_label("solver holds").input_value() == "ed"
    page.get_by_role("link", name="Solvers").click()
    assert "find=ed" in page.url, "a link within the page leaves the view in the address"


def test_what_is_shown_can_be_saved(opened: Opened, usual: Run) -> None:
    page = opened(page_of(usual))
    page.get_by_label("status").select_option("unsupported")
    with page.expect_download() as saved:
        page.locator('[data-csv="cells"]').click()
    found = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert {(row["solver"], row["status"]) for row in found} == {("linear", "unsupported")}
    assert len(found) == 4
    with page.expect_download() as saved:
        page.locator('[data-csv="rounds"]').click()
    times = [float(row["seconds"]) for row in csv.DictReader(io.StringIO(Path(saved.value.path()).read_text()))]
    recorded = [
        seconds
        for cell in usual.cells
        for timing in cell.ledger.solve
        for rounds in timing.launches
        for seconds in rounds
        if (cell.size, timing.batch_size) == (8, 256)
    ]
    assert np.allclose(sorted(times), sorted(recorded), rtol=1e-3)
    with page.expect_download() as saved:
        page.locator('[data-csv="curves"]').click()
    ends = [row for row in csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())) if row["solver"] == "sru"]
    means = [np.mean(usual.errors_of(cell)) for cell in usual.cells if cell.solver == "sru"]
    assert np.allclose([float(row["mean"]) for row in ends if row["time"] == "0.2"], means[::-1], rtol=1e-2)
    with page.expect_download() as saved:
        page.locator('[data-svg="pareto"]').click()
    assert Path(saved.value.path()).read_text().startswith("<svg")


def test_a_filter_holds_in_every_part_and_in_what_is_saved(opened: Opened, usual: Run) -> None:
    page = opened(page_of(usual))
    cells = page.locator("section", has=page.get_by_role("heading", name="Cells"))
    cells.get_by_label("family").select_option("sru")
    cells.get_by_label("track").select_option("larger-chain")
    assert [(row[0].strip(), row[1]) for row in rows(page, "cells")] == [("sru", str(n)) for n in range(5, 9)]
    assert set(standings(page)) == {"ed", "sru"}, "with the reference"
    saved = table_of(page, "cells")
    assert saved[["solver", "spins", "track"]].drop_duplicates().to_numpy().tolist() == [
        ["sru", n, "larger-chain"] for n in range(5, 9)
    ]
    assert set(table_of(page, "rounds")["solver"]) == {"ed", "sru"}
    assert set(table_of(page, "curves")["solver"]) == {"ed", "sru"}
    assert "family=sru" in page.url
    assert "track=larger-chain" in page.url


def test_parquet_holds_what_csv_holds(opened: Opened, troubled: Run) -> None:
    page = opened(page_of(troubled))
    for table in ("cells", "cost", "rounds", "curves"):
        parquet = table_of(page, table)
        with page.expect_download() as saved:
            page.locator(f'[data-csv="{table}"]').click()
        text = pd.read_csv(saved.value.path(), keep_default_na=False, dtype=str)
        assert list(parquet.columns) == list(text.columns)
        assert len(parquet) == len(text) > 0
        for name, column in parquet.items():
            if pd.api.types.is_numeric_dtype(column):
                assert np.allclose(column.astype(float), pd.to_numeric(text[name]), rtol=1e-12, equal_nan=True)
            else:
                assert ["" if pd.isna(value) else value for value in column] == text[name].str.removeprefix(
                    "'"
                ).tolist()
    cells = table_of(page, "cells")
    assert cells["spins"].dtype == np.int64
    assert {cell.reason for cell in troubled.cells} == set(cells["reason"])
    page.get_by_label("solver holds").fill("absent")
    assert table_of(page, "cells").empty


def test_the_command_beside_a_figure_makes_it_again(
    opened: Opened, qdynbench: Command, tmp_path: Path, usual: Run
) -> None:
    path = write_page([Run(usual.folder, 1e-3, "mean_relative_entropy")], tmp_path / "first.html")
    page = opened(path)
    page.get_by_label("exactly").fill("500")
    page.locator("section", has=page.get_by_role("heading", name="Curves")).get_by_label("spins N").select_option("6")
    figures = page.locator("figure", has=page.locator("svg[role=img]")).all()
    assert len(figures) >= 5
    assert all(figure.locator(".how").count() == 1 for figure in figures)
    command, view, python = (figures[0].locator("pre").text_content() or "").strip().split("\n")
    assert command == "qdynbench page run --metric mean_relative_entropy --tolerance 0.001 --out page.html"
    assert view == "# then open page.html#queries=500&size=6"
    done = qdynbench(*shlex.split(command)[1:])
    assert done.returncode == 0, done.stderr
    again = opened(tmp_path / "page.html", view.partition("page.html")[2])
    for chart in ("pareto", "curve"):
        assert (
            again.locator(f'[data-chart="{chart}"]').inner_html()
            == page.locator(f'[data-chart="{chart}"]').inner_html()
        )
    _, option, code = shlex.split(python)
    assert option == "-c"
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(code, {})  # noqa: S102  # as a reader would
    assert "local-generator" in told.getvalue()
    for line in page.locator(".how pre").all_text_contents():
        for wanted in line.strip().split("\n")[2:]:
            compile(shlex.split(wanted)[2], "page", "exec")


def test_paper_shows_every_part_in_dark_ink(opened: Opened, usual: Run) -> None:
    page = opened(page_of(usual), color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".save:visible, [data-slider]:visible, nav:visible, th button:visible").count() == 0
    assert page.locator(".how pre:visible").count() >= 5, "the commands are on paper"
    for chart in page.locator(".charts svg[role=img]").all():
        assert (chart.get_attribute("viewBox") or "").startswith("0 0 450 "), (
            "two beside each other, whatever the window"
        )
    before = page.locator('[data-chart="curve"] path.line').count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator('[data-chart="curve"] path.line').count() == before > 1
    assert page.locator("th button").count() > 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_task_on_the_page_runs_again(opened: Opened, qdynbench: Command, small_task: Path, tmp_path: Path) -> None:
    done = qdynbench("run", small_task, "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert "page  runs/small/page.html" in done.stdout
    page = opened(tmp_path / "runs/small/page.html")
    entropy = page.get_by_label("observable")
    entropy.select_option("Half-chain entropy")
    assert page.locator('[data-chart="observed"] path.now').count() == 1, "the reference beside the solver"
    with page.expect_download() as saved:
        page.get_by_role("button", name="save").click()
    again = tmp_path / saved.value.suggested_filename
    saved.value.save_as(again)
    assert again.name == "small.yaml"
    assert f"qdynbench run {again.name} --threads 1" in page.inner_text("body")
    assert load_task(again).model_dump() == Run(tmp_path / "runs/small").task.model_dump()


def test_names_from_outside_do_nothing(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    solver = f"evil[x={HOSTILE}]"
    run = make_run(
        "run",
        {
            "ed": {2: exact(1e-4), 3: exact(1e-4)},
            solver: {
                2: Entry(error=1e-4, label=HOSTILE, notes=[HOSTILE], track=f'"{HOSTILE}'),
                3: ended(Status.FAILED, f"=1+1{HOSTILE}</td>", f"Traceback {HOSTILE}</pre>"),
            },
        },
        {solver: {"notes": [HOSTILE]}},
        title=f"</title></script>{HOSTILE}",
    )
    path = write_page([run], tmp_path / "page.html", {"evil": HOSTILE})
    content = path.read_text()
    assert len(re.findall("<script", content)) == 2, "the data and the page's own"
    page = opened(path)
    assert page.evaluate("document.scripts.length") == 2
    assert HOSTILE in page.locator("h1").inner_text()
    assert HOSTILE in page.locator('[data-table="cells"]').inner_text()
    with page.expect_download() as saved:
        page.locator('[data-csv="cells"]').click()
    found = [row["reason"] for row in csv.DictReader(io.StringIO(Path(saved.value.path()).read_text()))]
    assert f"'=1+1{HOSTILE}</td>" in found, "no formula in a spreadsheet"


def test_the_page_trusts_its_own_script_alone(opened: Opened, usual: Run) -> None:
    path = page_of(usual)
    content = path.read_text()
    assert "default-src &#39;none&#39;" in content
    assert "unsafe" not in content.partition("</head>")[0]
    assert not re.findall(r'(?:src|href)="(?!#)', content)
    path.write_text(content.replace("</main>", "<script>document.title = 'changed'</script></main>"))
    page = opened.browser.new_page()
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("html[data-ready]")
    assert page.title() != "changed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("made", ["usual", "troubled"])
def test_a_screen_reader_finds_nothing_wrong(
    opened: Opened, made: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    page = opened(page_of(request.getfixturevalue(made)), color_scheme=scheme)
    found = Axe().run(page).response["violations"]
    assert not [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_nothing_is_wider_than_the_window(opened: Opened, usual: Run, width: int) -> None:
    page = opened(page_of(usual), viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in page.locator("[data-chart] svg").all():
        assert chart.bounding_box()["width"] <= width


def test_bad_input_is_said(qdynbench: Command, usual: Run) -> None:
    for arguments, said in {
        ("absent",): "no run at 'absent'",
        ("run", "--out", "no/where.html"): "its folder does not exist",
        ("run", "--out", "run"): "a folder",
        ("run", "--metric", "absent"): "absent",
    }.items():
        done = qdynbench("page", *arguments)
        assert done.returncode == 2
        assert said in done.stderr


def test_the_page_says_what_the_terminal_says(opened: Opened, qdynbench: Command, usual: Run) -> None:
    told = qdynbench("report", "run", "--quiet", COLUMNS="1000").stdout
    page = opened(page_of(usual))
    answer = page.locator("section").first.inner_text()
    assert " ".join(told.split()) in " ".join(answer.split())
    assert len(page_of(usual).read_bytes()) < MOST_BYTES
    solver = page.locator("details.solver", has_text="recurrent network").inner_text()
    for part in (
        "trajectories alone",
        "Beats persistence",
        "Largest error",
        "takes",
        "faster than sru",
        "N = 2..8 with",
    ):
        assert part in solver


def test_numbers_are_written_as_in_the_terminal(opened: Opened, usual: Run) -> None:
    page = opened(page_of(usual))
    listed = [row for row in rows(page, "cells") if row[3] == "ok"]
    cells = [cell for cells in cells_by_solver(usual).values() for cell in cells if cell.status is Status.OK]
    assert [[row[0].strip(), row[1]] for row in listed] == [[cell.solver, str(cell.size)] for cell in cells]
    for row, cell in zip(listed, cells, strict=True):
        assert row[4] == numbers.score(score_of(cell, "infidelity"))
        assert row[5] == numbers.call(timing_of(cell, 256))


def test_a_run_without_errors_or_times_has_a_page(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lost = {2: ended(Status.CRASHED, "the process died with signal 11")}
    page = opened(page_of(make_run("run", {"ed": lost, "mine": lost}, timing={"batch_sizes": [1]})))
    assert "signal 11" in page.locator('[data-table="cells"]').inner_text()
    assert "No solver has both an error and a time here" in page.inner_text("body")


def many(run: Run, seeds: int) -> Run:
    """Return the run with so many seeds, each with numbers of its own, which do not compress."""
    random, cells = np.random.default_rng(1), []
    for cell in run.cells:
        for seed in range(seeds):
            factor = float(np.exp(0.3 * random.standard_normal()))
            scores = [
                one.model_copy(update={"value": one.value * factor, "high": one.high * factor * (1 + random.random())})
                for one in cell.scores
            ]
            solve = [
                one.model_copy(
                    update={"launches": (factor * np.exp(0.05 * random.standard_normal((5, 3))) * one.seconds).tolist()}
                )
                for one in cell.ledger.solve
            ]
            starts = (0.4 * np.exp(0.05 * random.standard_normal(5))).tolist() if solve else []
            ledger = cell.ledger.model_copy(update={"solve": solve, "starts": starts, "prepare_time": 0.003 * factor})
            own = {"seed": seed, "key": f"{cell.key}-{seed}", "scores": scores, "ledger": ledger}
            cells.append(cell.model_copy(update=own))
    run.cells, run.task = cells, run.task.model_copy(update={"seeds": list(range(seeds))})
    return run


def test_a_page_of_ten_thousand_cells_is_small_and_quick(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = range(2, 12)
    entries = {"ed": {n: exact(1e-6 * 2**n) for n in sizes}}
    for number in range(18):
        name = f"solver{number // 3}[tolerance=1e-{number % 3 + 2}]"
        error, seconds = 1e-4 * 10.0 ** -(number % 6), 1e-6 * (number + 1)
        entries[name] = {n: Entry(error=error, seconds=seconds * 2**n, accuracy=("tolerance",)) for n in sizes}
    entries["large"] = {n: ended(Status.INFEASIBLE, f"predicted memory {n} GB, limit 8 GB") for n in sizes}
    run = many(make_run("run", entries, {"solver1[tolerance=1e-2]": {}}), seeds=50)
    assert len(run.cells) == 10_000
    path = page_of(run)
    assert path.stat().st_size < MOST_BYTES_OF_MANY
    page = opened(path)
    # The quickest of three: other work on the machine is not the page's.
    assert min(float(one.get_attribute("html", "data-ready")) for one in (page, opened(path), opened(path))) < READY
    expect(page.locator('[data-said="cells"]')).to_contain_text("10000 of 10000 cells")
    page.get_by_label("status").select_option("infeasible")
    expect(page.locator('[data-said="cells"]')).to_contain_text("500 of 10000 cells")
