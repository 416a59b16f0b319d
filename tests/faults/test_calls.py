"""The n-th call to the disk fails while a whole sweep runs: a plain message, a sound record, the next completes."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.disk_faults import KINDS
from tests.helpers.whole_sweeps import survived, todays, whole

EVERY = 19  # all calls at once would take hours


def code_of(folder: Path, space: str, fault: dict[str, object]) -> int:
    """The exit code of a sweep with a fault, after which it goes on to its end."""
    (ended,) = survived(folder, space, fault)
    assert ended.code in (0, 1, 2), ended.err
    assert "Traceback" not in ended.out + ended.err, ended.err
    assert "unexpected error (" not in ended.err, ended.err
    if ended.code:
        last = ended.err.splitlines()[-1]
        assert last.startswith("error: "), ended.err
        assert "again" in last or "folder" in last or "space" in last, last  # what to do
    shutil.rmtree(folder)
    return ended.code


def faults(calls: range) -> list[dict[str, object]]:
    """These calls, of each kind in turn, before and after its work."""
    return [
        {"nth": nth, "kind": KINDS[index % len(KINDS)], "after": bool(index // len(KINDS) % 2)}
        for index, nth in enumerate(calls)
    ]


def test_every_so_many_calls_fail(tmp_path: Path) -> None:
    calls, _, _ = whole("plain")
    codes = [code_of(tmp_path / "x", "plain", one) for one in faults(range(3, len(calls) + 1, 193))]
    assert codes.count(1) > len(codes) / 2


@pytest.mark.soak
@pytest.mark.timeout(14400)
@pytest.mark.parametrize("space", ["plain", "pruned"])
def test_other_calls_fail_each_day_until_every_one_has(tmp_path: Path, space: str) -> None:
    calls, _, _ = whole(space)
    codes = [code_of(tmp_path / "x", space, one) for one in faults(todays(EVERY, len(calls)))]
    print(f"{space}: {len(codes)} faults in {len(calls)} calls, {codes.count(0)} without effect")  # noqa: T201
