"""Killed at any moment and run again, a sweep ends as one that was never stopped: trials, values, winner, weights."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Whole
from tests.faults.spaces import SPACES
from tests.faults.sweeps import Driver, check_sound, folder_of, looks, looks_to_come, outcome


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
    count, seconds, _ = whole(space)
    chains = [[at_call(draw, count)], [at_call(draw, count), at_moment(draw, seconds), at_call(draw, count // 2)]]
    kills = sum(survives(driver, whole, tmp_path / str(index), space, chain) for index, chain in enumerate(chains))
    assert kills >= 2


def test_killed_around_the_look_at_the_test_rows_it_is_counted_exactly(
    driver: Driver, whole: Whole, tmp_path: Path
) -> None:
    """The last calls of a sweep: the count of looks, the scores, the model, the card, the times."""
    count, _, _ = whole("plain")
    kept = set()
    for back in (33, 29, 26, 22, 17, 11, 6, 1):
        folder = tmp_path / str(back)
        assert survives(driver, whole, folder, "plain", [{"nth": count - back, "after": True, "kind": "kill"}]) == 1
        kept.add(looks(folder_of(folder, "plain")))
    assert kept == {1, 2}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(driver: Driver, whole: Whole, tmp_path: Path) -> None:
    draw = random.Random(2)
    survived = dict.fromkeys(SPACES, 0)
    while sum(survived.values()) < 200:
        for space in SPACES:
            count, seconds, _ = whole(space)
            chain = [draw.choice([at_call(draw, count), at_moment(draw, seconds)]) for _ in range(draw.randint(1, 4))]
            survived[space] += survives(
                driver, whole, tmp_path / f"{space}-{survived[space]}-{draw.random()}", space, chain
            )
    print(f"{sum(survived.values())} kills survived: {survived}")  # noqa: T201
