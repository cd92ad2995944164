"""A real browser for the tests of the page, without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser of this machine; where there is none, skip."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no browser is installed: the page is not tested in one (apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found)
        yield browser
        browser.close()


class Opened:
    """Pages that were opened, and all that went wrong in them."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.faults: list[str] = []

    def __call__(self, path: Path, view: str = "", **context: Any) -> Page:
        """Open a page from disk and wait until it is drawn."""
        page = self.browser.new_context(offline=True, **context).new_page()
        page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self._asked(request.url, path))
        page.goto(f"{path.resolve().as_uri()}{view}")
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        return page

    def _asked(self, url: str, path: Path) -> None:
        if not url.startswith((path.resolve().as_uri(), "blob:")):
            self.faults.append(f"request: {url}")


Open = Callable[..., Page]
