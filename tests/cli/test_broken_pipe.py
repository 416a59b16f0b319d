"""A reader that has seen enough, as `head` has: no fault, nothing said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import PATIENCE


@pytest.mark.parametrize("words", ["leaderboard digits", "data digits"])
def test_an_answer_that_nobody_reads_is_no_fault(finished: Path, words: str) -> None:
    command = f"{sys.executable} -m keras_sweep {words} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=finished, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0
    assert "error" not in ended.stderr
