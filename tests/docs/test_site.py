"""The documentation site builds without a warning, and is read and searched from disk, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.browser import started

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "build" / "docs"
PAGES = ("index", "tour/choose", "metrics", "commands", "api/contract", "gallery/README", "packages/qdynbench-sru")
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def site() -> Path:
    """Return the folder of the site; what has not changed since it was built last is not built again."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(BUILT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return BUILT


def test_the_site_is_read_and_searched_without_a_network(site: Path) -> None:
    with started() as browser:
        page, faults = browser.new_context(offline=True).new_page(), list[str]()
        page.on("console", lambda message: faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request", lambda request: faults.extend([request.url] * (not request.url.startswith(("file:", "data:"))))
        )
        for name in PAGES:
            page.goto((site / f"{name}.html").as_uri())
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} px wide in a window of {width} px"
        page.goto((site / "index.html").as_uri())
        page.fill("input[name=q]", "break-even")
        page.press("input[name=q]", "Enter")
        page.click("#search-results li a:text('How it is measured')")  # results come one after the other
        page.wait_for_selector("article h1")
        assert not faults
