"""The page of two sweeps beside each other in a real browser: it asks nobody for anything, and serves everyone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api.compare import write_page
from tests.helpers.browser import Browser

AUDIT = (Path(__file__).parents[2] / "helpers" / "page_audit.js").read_text()


@pytest.fixture(scope="module")
def page(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for name in ("digits", "again"):
        shutil.copytree(reported / "sweeps" / "digits", folder / name)
    write_page(ks.compare("digits", "again", sweeps_dir=folder), folder / "page.html")
    return folder / "page.html"


@pytest.mark.parametrize(
    ("width", "dark", "medium"), [(1240, False, "screen"), (360, True, "screen"), (760, False, "print")]
)
def test_everyone_can_use_it(width: int, dark: bool, medium: str, browser: Browser, page: Path) -> None:
    tab = browser.tab()
    tab.size(width, dark=dark, medium=medium)
    tab.open(page)
    assert tab.complaints == []
    assert tab.requests == [page.as_uri()]
    assert tab.run(AUDIT) == []
