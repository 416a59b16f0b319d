"""Thousands of trials: opening and going on take no longer a trial than with few, and memory stays flat."""

import json
import sys
from pathlib import Path

import pytest

from tests.helpers.command import process, sweep

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def measured(kind: str, folder: Path, trials: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.helpers.load", kind, folder, str(trials)]
    found: dict[str, float] = json.loads(process(command).ok().out.splitlines()[-1])
    print(f"{trials:,} {kind} trials: {found}")  # noqa: T201
    return found


def test_twenty_thousand_cheap_trials(tmp_path: Path) -> None:
    few = measured("cheap", tmp_path / "few", 2000)
    found = measured("cheap", tmp_path / "many", 20_000)
    words = ("--top", "20", "--sweeps-dir", tmp_path / "many")
    assert len(sweep("leaderboard", "large", *words, cwd=tmp_path).ok().out.splitlines()) > 20
    for what in ("opened", "resumed"):  # each takes ten times as long at most: nothing is done once a pair of trials
        assert found[what] < 20 * few[what]
    assert found["end"] < found["tenth"] + 18_000 * 0.01  # MiB: what stays of a trial is its curve, not its weights
    assert found["mb"] < 100


def test_programs_of_trials_that_have_ended_are_let_go(tmp_path: Path) -> None:
    # Where gradients are clipped is compiled in, so that each trial has its own program; only so many are kept.
    found = measured("clipped", tmp_path, 300)
    assert found["end"] < found["half"] + 150 * 2  # MiB: a program that is kept takes four and more


def test_many_trials_in_one_process_leave_memory_flat(tmp_path: Path) -> None:
    found = measured("real", tmp_path, 2000)
    assert found["end"] < 1.1 * found["tenth"]
