"""A page of several runs: what they come to together, every pair, and the way back to a single comparison."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from qdynbench import Run, Status
from qdynbench.analysis import field as analysis
from qdynbench.analysis.field import Standing, field
from qdynbench.report.page.page import write_page
from tests.report.browser import Opened
from tests.runs import Entry, ended, exact, make_run

Command = Callable[..., subprocess.CompletedProcess[str]]
SIZES = range(2, 7)
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Return two runs of one task and one of another, in which a solver fails in many ways."""
    monkeypatch.chdir(tmp_path)
    entries = {
        "ed": {n: exact(1e-4) for n in SIZES},
        "quick": {n: exact(5e-5) for n in SIZES},
        "rough": {n: Entry(error=1e-4, seconds=1e-6) for n in SIZES},
    }
    troubled = {
        "ed": {n: exact(1e-4) for n in SIZES},
        "quick": {
            2: ended(Status.UNSUPPORTED, f"odd {HOSTILE}"),
            3: ended(Status.INFEASIBLE, "predicted memory 70 GB"),
            4: ended(Status.FAILED, "boom"),
            5: exact(2e-4),
        },
        "extra": {n: exact(3e-4) for n in SIZES},
    }
    return [
        make_run("one", entries, title="The first"),
        make_run("two", entries, title="The first"),
        make_run("other", troubled, name="driven", title=f"Driven {HOSTILE}", seed=7),
    ]


@pytest.fixture
def page(opened: Opened, runs: list[Run], tmp_path: Path) -> Page:
    return opened(write_page(runs, tmp_path / "page.html"))


def listed(page: Page, table: str) -> dict[str, list[str]]:
    found = page.locator(f'[data-table="{table}"] tbody tr').all()
    texts = [row.locator("th, td").all_inner_texts() for row in found]
    return {row[0].strip(): row[1:] for row in texts}


def together(page: Page) -> Locator:
    return page.locator("[data-together]")


def saved(page: Page, table: str) -> pd.DataFrame:
    with page.expect_download() as found:
        together(page).locator(f'[data-parquet="{table}"]').click()
    return pd.read_parquet(found.value.path())


def test_ranks_and_outcomes_are_those_of_the_analysis(page: Page, runs: list[Run]) -> None:
    found = field(runs)
    ranks = found.ranks(range(len(found.cases)))
    table = saved(page, "together").set_index("solver")
    assert set(table.index) == set(ranks) == {"ed", "quick"}
    assert (table["comparisons"] == 45).all()
    for solver, (mean, low, high) in ranks.items():
        assert table.loc[solver, ["mean_rank", "rank_low", "rank_high"]].tolist() == pytest.approx(
            [mean, low, high], rel=1e-3
        )
        shown = listed(page, "together")[solver][0]
        assert shown == f"{mean:.2f} ({low:.2f} to {high:.2f})"
        for kind in Standing:
            column = kind.value.replace(" ", "_")
            assert table.loc[solver, column] == found.standings[solver].count(kind)
    kinds = [kind.value.replace(" ", "_") for kind in Standing]
    assert (table[kinds].sum(axis=1) == 45).all(), "no comparison is left out"
    expect(together(page).locator('[data-said="few"]')).to_contain_text("rough, extra")
    expect(together(page).locator('[data-said="together"]')).to_contain_text("45 comparisons of 3 runs: 10 different")


def test_a_profile_counts_what_failed_as_not_solved(page: Page) -> None:
    profile = saved(page, "profile").groupby("solver")
    # `quick` is fastest in 30, takes twice as long in 3, and is not accurate enough or not there in 12.
    assert profile["part"].max()["quick"] == pytest.approx(33 / 45, rel=1e-3)
    assert profile["times_the_fastest"].max()["quick"] == pytest.approx(2, rel=1e-3)
    assert profile["part"].max()["ed"] == 1
    ed = profile.get_group("ed")
    assert ed[ed["times_the_fastest"] < 1.01]["part"].max() == pytest.approx(15 / 45, rel=1e-3)
    together(page).locator('[data-key="of"]').select_option("chain (2 runs)")
    assert set(saved(page, "profile")["solver"]) == {"ed", "quick", "rough"}
    assert saved(page, "profile").groupby("solver")["part"].max()["rough"] == 0
    expect(together(page).locator('[data-said="few"]')).to_contain_text("fewer than 10 different problems")
    assert "of=1" in page.url


def test_a_pair_leads_to_each_of_its_comparisons_and_to_the_run(page: Page, runs: list[Run]) -> None:
    pairs = saved(page, "pairs").set_index(["first", "other"])
    counts = pairs.loc[("quick", "ed"), ["won", "lost", "tied", "not_decided"]].tolist()
    assert counts == [30, 12, 0, 3]  # it was not reached with 6 spins
    assert pairs.loc[("ed", "quick"), ["won", "lost"]].tolist() == [12, 30]
    together(page).get_by_role("button", name="quick won 30 of 45").click()
    assert page.evaluate("document.activeElement.textContent") == "quick against ed"
    duel = saved(page, "duel")
    assert duel["verdict"].value_counts().to_dict() == {
        "faster": 30,
        "slower": 3,
        "the other alone accurate enough": 9,
        "not decided": 3,
    }
    timed = duel[duel["ratio"].notna() & (duel["run"] == "1. one")]
    assert timed["ratio"].tolist() == pytest.approx([0.5] * 15, rel=1e-3)
    shown = page.locator('[data-table="duel"] tbody tr')
    assert shown.count() == 45
    assert f"quick: unsupported, odd {HOSTILE}" in page.locator('[data-table="duel"]').inner_text()
    page.get_by_role("button", name="show 3. other at 5 spins, 64 states a call").click()
    assert page.evaluate("document.activeElement.id") == "run-2-cost"
    run = page.locator("[data-run]").nth(2)
    assert run.locator('[data-key="size"]').first.input_value() == "5"
    assert run.locator('[data-key="batch"]').first.input_value() == "64"
    assert "2.size=5" in page.url


def test_where_pairs_are_too_many_nobody_is_called_unbeaten(
    opened: Opened, runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "MOST_MEETINGS", 20)
    page = opened(write_page(runs, tmp_path / "page.html"))
    expect(together(page).locator('[data-said="few"]')).to_contain_text("too many pairs")
    head = page.locator('[data-table="together"] thead').inner_text()
    assert "accurate enough" in head
    assert "beaten" not in head
    assert listed(page, "together")["ed"][0] == "45"
    assert page.locator('[data-table="pairs"]:visible').count() == 0
    assert saved(page, "profile").groupby("solver")["part"].max()["ed"] == 1


def test_the_address_keeps_the_view_of_all_runs(opened: Opened, page: Page, tmp_path: Path) -> None:
    together(page).locator('[data-key="of"]').select_option("3. other")
    together(page).locator('[data-key="with"]').select_option("64")
    together(page).get_by_role("button", name="extra won").first.click()
    again = opened(tmp_path / "page.html", f"#{page.url.partition('#')[2]}")
    for table in ("together", "pairs", "duel"):
        assert listed(again, table) == listed(page, table)
    assert set(listed(again, "together")) == {"ed", "quick", "extra"}
    command = again.locator('figure:has([data-chart="profile"]) pre').text_content() or ""
    assert command.splitlines()[:2] == [
        "qdynbench page one two other --out page.html",
        f"# then open page.html#{page.url.partition('#')[2]}",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1600])
def test_it_is_read_on_every_screen(opened: Opened, page: Page, tmp_path: Path, width: int, scheme: str) -> None:
    shown = opened(
        tmp_path / "page.html", "#first=quick&other=ed", viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(shown, context="[data-together]").response["violations"]
    assert not [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]


def test_several_runs_are_one_page(opened: Opened, qdynbench: Command, tmp_path: Path) -> None:
    one = make_run("one", {"ed": {2: exact(1e-4)}, "mine": {2: Entry(seconds=1e-3)}}, title="The first")
    make_run("two", {"ed": {3: exact(1e-4)}, "other": {3: Entry(seconds=1e-3)}}, title="The second")
    done = qdynbench("page", "one", "two", "--out", "both.html")
    assert (done.returncode, done.stdout) == (0, "both.html\n"), done.stderr
    page = opened(tmp_path / "both.html", "#1.find=other")
    assert page.get_by_role("article").count() == 2
    assert page.get_by_role("link", name="one: The first").count() == 1
    tables = page.locator('[data-table="cells"]').all_inner_texts()
    assert "mine" in tables[0]
    assert "other" not in tables[0]
    assert "ed" not in tables[1].split("\n", 1)[1].split()
    assert qdynbench("page", "one").stdout == "one/page.html\n"
    assert (one.folder / "page.html").is_file()
