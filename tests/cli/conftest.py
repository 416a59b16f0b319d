"""One finished sweep on digits, shared by the tests that read it."""

from pathlib import Path

import pytest

from tests.helpers.command import sweep
from tests.helpers.space_texts import DIGITS


@pytest.fixture(scope="session")
def finished(made_once) -> Path:
    """A folder with digits.yaml and its finished sweep; what the run printed is in out.txt and err.txt."""

    def run(folder: Path) -> None:
        (folder / "digits.yaml").write_text(DIGITS)
        ended = sweep("run", "digits.yaml", cwd=folder).ok()
        (folder / "out.txt").write_text(ended.out)
        (folder / "err.txt").write_text(ended.err)

    return made_once("digits", run)
