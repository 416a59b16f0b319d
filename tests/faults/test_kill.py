"""Killed at any moment and run again, a sweep ends as one that was never stopped: trials, values, winner, weights."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.whole_spaces import SPACES
from tests.helpers.whole_sweeps import check_sound, folder_of, looks, outcome, run_space, survived, todays, whole


def survives(folder: Path, space: str, faults: list[dict[str, object]]) -> int:
    """How many of these faults killed a sweep, which goes on each time and to its end."""
    codes = [ended.code for ended in survived(folder, space, *faults)]
    assert {0, -signal.SIGKILL}.issuperset(codes)
    return codes.count(-signal.SIGKILL)


def at_call(draw: random.Random, calls: list[str]) -> dict[str, object]:
    """One of those after some commit; each commit has a begin and a statement at least, so that there is one."""
    commits = calls.count("COMMIT")
    first = draw.randint(0, commits - 1)
    nth = draw.randint(1, min(3 * (commits - first), 12))
    return {"commits": first, "nth": nth, "after": draw.random() < 0.5, "kind": "kill"}


def after_search(calls: list[str]) -> list[dict[str, object]]:
    """Before or after each call that follows the search of `finalists`: while finalists train, and until the end."""
    commits = [place for place, what in enumerate(calls) if what == "COMMIT"]
    first = len(commits) - 13  # the choice, the study, six finalists, the comparison, the look, its scores, card, times
    following = len(calls) - 1 - commits[first - 1]
    return [{"commits": first, "nth": nth, "after": bool(nth % 2), "kind": "kill"} for nth in range(1, following + 1)]


def at_moment(draw: random.Random, seconds: float) -> dict[str, object]:
    return {"kill_after": draw.uniform(0.0, seconds)}


# In the long form all are killed. What is special about the others is not kept from one process to the next, or its own
# tests stop it and go on.
IN_SHORT = {"plain", "tuner"}
EACH = [pytest.param(one, marks=() if one in IN_SHORT else pytest.mark.soak) for one in SPACES]


@pytest.mark.parametrize("space", EACH)
def test_killed_at_calls_and_moments_a_sweep_ends_as_if_it_had_not_been(tmp_path: Path, space: str) -> None:
    draw = random.Random(space)
    calls, seconds, _ = whole(space)
    chain = [at_call(draw, calls), at_moment(draw, seconds), at_call(draw, calls[: len(calls) // 2])]
    assert survives(tmp_path / "x", space, chain) >= 1


@pytest.mark.soak
def test_killed_in_its_last_steps_the_look_at_the_test_rows_is_counted_exactly(tmp_path: Path) -> None:
    """One sweep is killed at each of them in turn; what goes on commits its opening, then what is still to do."""
    commits = whole("plain")[0].count("COMMIT") - 3  # the look, its scores, the card, the times
    model, card = ({"what": "rename", "commits": commits, "nth": 1} for commits in (1, 2))
    points: dict[str, tuple[dict[str, Any], int]] = {
        "the count of looks is written": ({"what": "COMMIT", "nth": commits, "after": False}, 0),
        "the rows are opened": ({"what": "COMMIT", "nth": 2, "after": True}, 1),
        "the scores are written": ({"what": "COMMIT", "nth": 3, "after": False}, 2),
        "the model is saved": ({"what": "COMMIT", "nth": 3, "after": True}, 3),
        "the model has its name": ({**model, "after": False}, 3),
        "the card's digest is written": ({**model, "after": True}, 3),
        "the card is written": ({"what": "COMMIT", "nth": 2, "after": True}, 3),
        "the times are written": ({**card, "after": True}, 3),
    }
    for before, (fault, counted) in points.items():
        ended = run_space(tmp_path / "x", "plain", kind="kill", **fault)
        assert ended.code == -signal.SIGKILL, before
        check_sound(folder_of(tmp_path / "x", "plain"))
        assert looks(folder_of(tmp_path / "x", "plain")) == counted, before
    run_space(tmp_path / "x", "plain").ok()
    assert outcome(folder_of(tmp_path / "x", "plain")) == whole("plain")[2]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(8))
def test_killed_before_or_after_every_call_while_finalists_train(tmp_path: Path, first: int) -> None:
    faults = after_search(whole("finalists")[0])[first::8]
    kills = 0
    for nth, fault in enumerate(faults):
        kills += survives(tmp_path / str(nth), "finalists", [fault])
    print(f"{kills} kills survived, before or after each of {len(faults)} calls from the finalists on")  # noqa: T201
    assert kills > 0.9 * len(faults)


@pytest.mark.soak
def test_killed_while_the_winner_of_folds_is_trained_on_all_rows_it_ends_with_the_same_model(tmp_path: Path) -> None:
    before = whole("folds_in_lanes")[0].count("COMMIT") - 5  # the refit, the look, its scores, the card, the times
    named = {"what": "rename", "commits": before, "nth": 2}  # 1 names the comparison
    recorded = {"what": "COMMIT", "nth": 2}  # 1 is its opening
    faults = [{**point, "after": False, "kind": "kill"} for point in (named, recorded)]
    assert survives(tmp_path / "x", "folds_in_lanes", faults) == 2


@pytest.mark.parametrize(
    ("what", "after"), [("rename spool", True), pytest.param("remove spool", False, marks=pytest.mark.soak)]
)
def test_killed_around_a_trial_that_waits_its_turn_what_was_told_is_not_trained_again(tmp_path, what, after) -> None:
    sweep = folder_of(tmp_path / "x", "plain")
    ended = run_space(tmp_path / "x", "plain", "--json", what=what, nth=2, after=after, kind="kill")
    assert ended.code == -signal.SIGKILL
    check_sound(sweep)
    told = {line["number"] for line in map(json.loads, ended.out.splitlines()) if line["event"] == "trial_ended"}
    again = run_space(tmp_path / "x", "plain", "--json").ok()
    trained = {line["number"] for line in map(json.loads, again.out.splitlines()) if line["event"] == "epoch_ended"}
    assert told
    assert not told & trained
    assert outcome(sweep) == whole("plain")[2]


def test_a_damaged_trial_that_waits_is_named_and_trained_again(tmp_path: Path) -> None:
    sweep = folder_of(tmp_path / "x", "plain")
    run_space(tmp_path / "x", "plain", what="rename spool", nth=2, after=True, kind="kill")
    path = max(sweep.spool.glob("0*.npz"))
    path.write_bytes(path.read_bytes()[:-200])
    again = run_space(tmp_path / "x", "plain").ok()
    assert f"{path.relative_to(tmp_path / 'x')} is damaged" in again.err
    assert f"trial {int(path.stem)} is trained again" in again.err
    assert (sweep.spool / f"{path.name}~1").exists()
    expected = whole("plain")[2]
    assert outcome(sweep) == {**expected, "files": sorted([*expected["files"], "spool"])}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_kills(tmp_path: Path) -> None:
    draw = random.Random(2)
    survived = dict.fromkeys(SPACES, 0)
    while sum(survived.values()) < 200:
        for space in SPACES:
            calls, seconds, _ = whole(space)
            chain = [draw.choice([at_call(draw, calls), at_moment(draw, seconds)]) for _ in range(draw.randint(1, 4))]
            survived[space] += survives(tmp_path / f"{space}-{survived[space]}-{draw.random()}", space, chain)
    print(f"{sum(survived.values())} kills survived: {survived}")  # noqa: T201


@pytest.mark.soak
@pytest.mark.timeout(14400)
def test_killed_before_or_after_every_third_call_which_third_goes_by_the_day(tmp_path: Path) -> None:
    calls, _, _ = whole("plain")
    kills = 0
    for nth in todays(3, len(calls)):
        fault = {"nth": nth, "after": bool(nth % 2), "kind": "kill"}
        kills += survives(tmp_path / str(nth), "plain", [fault])
    print(f"{kills} kills survived, of {len(calls)} calls to the disk")  # noqa: T201
    assert kills >= calls.count("COMMIT")
