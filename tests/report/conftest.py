"""The browser that all tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.report.browser import Opened, started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Return a function that opens a page; at the end nothing may have gone wrong and no network been asked."""
    pages = Opened(browser)
    yield pages
    assert not pages.faults
    for context in browser.contexts:
        context.close()
