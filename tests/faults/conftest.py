"""One driver and one uninterrupted run of each space for all tests of faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.whole_sweeps import Driver, folder_of, looks, outcome

Whole = Callable[[str], tuple[list[str], float, dict[str, Any]]]


@pytest.fixture(scope="session")
def driver() -> Driver:
    """Runs commands in forked processes."""
    return Driver()


@pytest.fixture(scope="session")
def whole(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Of a sweep that nothing befell: its calls to the disk, its seconds, its outcome."""
    known: dict[str, tuple[list[str], float, dict[str, Any]]] = {}

    def run(space: str) -> tuple[list[str], float, dict[str, Any]]:
        if space not in known:
            folder: Path = tmp_path_factory.mktemp(space)
            ended = driver.run(folder, space)
            assert ended.code == 0, ended.err
            assert ended.calls is not None
            assert looks(folder_of(folder, space)) == 1
            known[space] = (ended.calls, ended.seconds, outcome(folder_of(folder, space)))
        return known[space]

    return run
