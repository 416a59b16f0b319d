"""One browser and one report of a real sweep, shared by the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.browser import Browser, running_browser
from tests.helpers.command import sweep
from tests.helpers.once import Made
from tests.helpers.space_texts import DIGITS, changed

SPACE = changed(
    DIGITS,
    epochs="  momentum: {min: 0.0, max: 0.9, when: {optimizer: sgd}}\n  epochs: {min: 1, max: 3}",
    search="search: {engine: optuna, sampler: random, trials: 12, seed: 1}\nfinalists: {top: 3, seeds: 2}",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="session")
def reported(made_once: Made) -> Path:
    """A folder with a finished sweep of 12 trials and its report."""

    def run(folder: Path) -> None:
        (folder / "digits.yaml").write_text(SPACE)
        for call in (("run", "digits.yaml"), ("report",)):
            ended = sweep(*call, cwd=folder)
            assert ended.code == 0, ended.err

    return made_once("reported", run)
