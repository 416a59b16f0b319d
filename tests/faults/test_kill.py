"""Killed at any moment and run again, a sweep ends as one that was never stopped: trials, values, winner, weights."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Whole
from tests.helpers.whole_spaces import SPACES
from tests.helpers.whole_sweeps import Driver, check_sound, folder_of, looks, looks_to_come, outcome


def survives(driver: Driver, whole: Whole, folder: Path, space: str, faults: list[dict[str, object]]) -> int:
    """Kill a sweep by each fault in turn, going on each time, then let it end. Returns how many kills there were."""
    sweep = folder_of(folder, space)
    kills = 0
    for fault in faults:
        ended = driver.run(folder, space, **fault)
        assert ended.code in (0, -signal.SIGKILL), ended.err
        kills += ended.code != 0
        check_sound(sweep)
    expected = looks_to_come(sweep)
    ended = driver.run(folder, space)
    assert ended.code == 0, ended.err
    assert outcome(sweep) == whole(space)[2], faults
    assert looks(sweep) == expected, faults
    return kills


def at_call(draw: random.Random, count: int) -> dict[str, object]:
    return {"nth": draw.randint(1, count), "after": draw.random() < 0.5, "kind": "kill"}


def at_moment(draw: random.Random, seconds: float) -> dict[str, object]:
    return {"kill_after": draw.uniform(0.0, seconds)}


@pytest.mark.parametrize("space", SPACES)
def test_killed_at_calls_and_moments_a_sweep_ends_as_if_it_had_not_been(
    driver: Driver, whole: Whole, tmp_path: Path, space: str
) -> None:
    draw = random.Random(space)
    calls, seconds, _ = whole(space)
    chain = [at_call(draw, len(calls)), at_moment(draw, seconds), at_call(draw, len(calls) // 2)]
    assert survives(driver, whole, tmp_path / "once", space, chain[:1]) == 1
    assert survives(driver, whole, tmp_path / "again", space, chain) >= 1


def test_killed_in_its_last_steps_the_look_at_the_test_rows_is_counted_exactly(
    driver: Driver, whole: Whole, tmp_path: Path
) -> None:
    calls, _, _ = whole("plain")
    commits = [number for number, name in enumerate(calls, start=1) if name == "COMMIT"]
    renames = [number for number, name in enumerate(calls, start=1) if name == "rename"]
    points = {
        "the count of looks is written": (commits[-3], False, 1),
        "the rows are opened": (commits[-3], True, 2),
        "the scores are written": (commits[-2], False, 2),
        "the model is saved": (commits[-2], True, 1),
        "the model has its name": (renames[-2], False, 1),
        "the card is written": (renames[-2], True, 1),
        "the times are written": (renames[-1], True, 1),
    }
    for index, (before, (nth, after, counted)) in enumerate(points.items()):
        folder = tmp_path / str(index)
        assert survives(driver, whole, folder, "plain", [{"nth": nth, "after": after, "kind": "kill"}]) == 1, before
        assert looks(folder_of(folder, "plain")) == counted, before


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(driver: Driver, whole: Whole, tmp_path: Path) -> None:
    draw = random.Random(2)
    survived = dict.fromkeys(SPACES, 0)
    while sum(survived.values()) < 200:
        for space in SPACES:
            calls, seconds, _ = whole(space)
            chain = [
                draw.choice([at_call(draw, len(calls)), at_moment(draw, seconds)]) for _ in range(draw.randint(1, 4))
            ]
            survived[space] += survives(
                driver, whole, tmp_path / f"{space}-{survived[space]}-{draw.random()}", space, chain
            )
    print(f"{sum(survived.values())} kills survived: {survived}")  # noqa: T201


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_before_or_after_every_call(driver: Driver, whole: Whole, tmp_path: Path) -> None:
    calls, _, _ = whole("plain")
    kills = 0
    for nth in range(1, len(calls) + 1):
        fault = {"nth": nth, "after": bool(nth % 2), "kind": "kill"}
        kills += survives(driver, whole, tmp_path / str(nth), "plain", [fault])
    print(f"{kills} kills survived, before or after each of {len(calls)} calls to the disk")  # noqa: T201
    assert kills == len(calls)
