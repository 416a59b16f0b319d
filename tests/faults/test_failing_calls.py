"""The n-th call to the disk fails for a whole `sweep run`.

Each time: a plain message and an exit code of 1 or 2, never a traceback; files that are sound; and the next run
completes the sweep as if nothing had been.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sweeps import Driver, check_sound, folder_of, looks, looks_to_come, outcome
from tests.record.faults import KINDS

SPACE = "plain"


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    with Driver() as started:
        yield started


def survived(driver: Driver, tmp_path: Path, numbers: range | None) -> dict[str, int]:
    """Fail the calls of these numbers (every one by default), before and after their work; count what came of it."""
    whole = driver.run(tmp_path / "whole", SPACE)
    assert whole.code == 0, whole.err
    assert whole.calls is not None
    expected = outcome(folder_of(tmp_path / "whole", SPACE))
    told = {"injected": 0, "ended the run": 0, "harmless": 0}
    for nth in numbers or range(1, len(whole.calls) + 1):
        folder = tmp_path / "failing"
        sweep = folder_of(folder, SPACE)
        kind = KINDS[nth % len(KINDS)]
        ended = driver.run(folder, SPACE, nth=nth, kind=kind, after=nth // len(KINDS) % 2 == 1)
        assert ended.code in (0, 1, 2), (nth, kind, ended)
        assert "Traceback" not in ended.out + ended.err, (nth, kind, ended.err)
        assert "this should not have happened" not in ended.err, (nth, kind, ended.err)
        assert ended.code == 0 or "error: " in ended.err, (nth, kind, ended.err)
        check_sound(sweep)
        to_come = looks_to_come(sweep)
        again = driver.run(folder, SPACE)
        assert again.code == 0, (nth, kind, again.err)
        assert outcome(sweep) == expected, (nth, kind)
        assert looks(sweep) == to_come
        told["injected"] += 1
        told["harmless" if ended.code == 0 else "ended the run"] += 1
        shutil.rmtree(folder)
    return told


def test_some_calls_fail(driver: Driver, tmp_path: Path) -> None:
    told = survived(driver, tmp_path, range(5, 380, 61))
    assert told["ended the run"] >= 4


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_every_call_fails(driver: Driver, tmp_path: Path) -> None:
    told = survived(driver, tmp_path, None)
    print(f"\n{told['injected']} failing calls: {told}; every sweep completed")  # noqa: T201
    assert told["ended the run"] > 200
