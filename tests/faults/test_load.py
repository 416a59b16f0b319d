"""Thousands of trials: opening, going on and the leaderboard stay quick, and memory stays flat."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.records import ROOT


def measured(program: str, *words: object) -> dict[str, float]:
    command = [sys.executable, "-m", f"tests.helpers.{program}", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def top_twenty(sweeps: Path) -> float:
    """Seconds that a leaderboard's top takes, the start of the process included."""
    started = time.perf_counter()
    words = ["leaderboard", "large", "--top", "20", "--sweeps-dir", str(sweeps)]
    done = subprocess.run([sys.executable, "-m", "keras_sweep", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - started


def test_two_thousand_cheap_trials(tmp_path: Path) -> None:
    found = measured("large_record", tmp_path, 2000)
    assert found["end"] < found["tenth"] + 1800 * 0.02  # MiB: what stays of a trial is its curve, not its weights
    assert found["resumed"] < 5  # on a machine that is busy
    assert found["mb"] < 10


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_thousand_cheap_trials(tmp_path: Path) -> None:
    found = measured("large_record", tmp_path, 20_000)
    found["leaderboard"] = top_twenty(tmp_path)
    print(f"20,000 trials: {found}")  # noqa: T201
    assert found["opened"] < 2
    assert found["resumed"] < 6
    assert found["leaderboard"] < 4
    assert found["end"] < found["tenth"] + 18_000 * 0.01
    assert found["mb"] < 100


SOAK = (pytest.mark.soak, pytest.mark.timeout(1800))


@pytest.mark.parametrize(
    ("trials", "words", "early"),
    [
        (300, [], "tenth"),
        pytest.param(2000, [], "tenth", marks=SOAK),
        # Where gradients are clipped is compiled in, so that each trial has its own program; only so many are kept.
        pytest.param(300, ["clipvalue"], "half", marks=SOAK),
    ],
)
def test_many_trials_in_one_process_leave_memory_flat(
    tmp_path: Path, trials: int, words: list[str], early: str
) -> None:
    found = measured("many_trials", tmp_path, trials, *words)
    print(f"{trials:,} trials {words}: MiB {found}")  # noqa: T201
    assert found["end"] < 1.1 * found[early]
