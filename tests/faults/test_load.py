"""Thousands of trials: opening, going on and the leaderboard stay quick, and memory stays flat."""

import json
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.command import process, sweep


def measured(kind: str, folder: Path, trials: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.helpers.load", kind, folder, str(trials)]
    found: dict[str, float] = json.loads(process(command).ok().out.splitlines()[-1])
    print(f"{trials:,} {kind} trials: {found}")  # noqa: T201
    return found


def test_two_thousand_cheap_trials(tmp_path: Path) -> None:
    found = measured("cheap", tmp_path, 2000)
    assert found["end"] < found["tenth"] + 1800 * 0.02  # MiB: what stays of a trial is its curve, not its weights
    assert found["resumed"] < 5
    assert found["mb"] < 10


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_thousand_cheap_trials(tmp_path: Path) -> None:
    found = measured("cheap", tmp_path, 20_000)
    started = time.perf_counter()
    sweep("leaderboard", "large", "--top", "20", "--sweeps-dir", tmp_path, cwd=tmp_path, new=True).ok()
    assert time.perf_counter() - started < 4  # the start of the process included
    assert found["opened"] < 2
    assert found["resumed"] < 6
    assert found["end"] < found["tenth"] + 18_000 * 0.01
    assert found["mb"] < 100


SOAK = (pytest.mark.soak, pytest.mark.timeout(1800))


@pytest.mark.parametrize(
    ("trials", "kind", "early"),
    [
        (300, "real", "tenth"),
        pytest.param(2000, "real", "tenth", marks=SOAK),
        # Where gradients are clipped is compiled in, so that each trial has its own program; only so many are kept.
        pytest.param(300, "clipped", "half", marks=SOAK),
    ],
)
def test_many_trials_in_one_process_leave_memory_flat(tmp_path: Path, trials: int, kind: str, early: str) -> None:
    found = measured(kind, tmp_path, trials)
    assert found["end"] < 1.1 * found[early]
