"""The page of that report, as a user opens it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.browser import Browser, Tab


@pytest.fixture
def tab(browser: Browser, reported: Path) -> Tab:
    """The page of that report, just opened in a window of a usual size."""
    tab = browser.tab()
    tab.size(1240)
    tab.open(reported / "reports" / "digits" / "index.html")
    return tab
