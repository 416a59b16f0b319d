"""Long trials that are stopped and killed go on from their checkpoint, and end with the bits of a run left alone."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.faults.sweeps import check_sound, folder_of, outcome
from tests.faults.test_signals import start, write


@pytest.mark.parametrize("best", [False, True], ids=["last epoch", "best epoch"])
def test_stopped_then_killed_then_left_alone(tmp_path: Path, best: bool) -> None:
    epochs = "{max: 300, take: best}" if best else 300
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, trials=3, epochs=epochs)  # type: ignore[arg-type]
    whole = start(tmp_path / "whole")
    whole.communicate(timeout=120)
    assert whole.returncode == 0
    pieces = tmp_path / "pieces"
    stopped = start(pieces, "--json")
    _wait_for_epochs(stopped, 90)
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    sweep = folder_of(pieces, "long")
    checkpoint = sweep.checkpoints / "generation.npz"
    assert checkpoint.exists()
    for _ in range(2):
        killed = start(pieces, "--json")
        assert '"epoch": 1,' not in _wait_for_epochs(killed, 30)
        killed.kill()
        killed.communicate()
        check_sound(sweep)
    last = start(pieces)
    _, err = last.communicate(timeout=120)
    assert last.returncode == 0, err
    assert not checkpoint.exists()
    there, here = (outcome(folder_of(tmp_path / name, "long")) for name in ("whole", "pieces"))
    for one in (there, here):
        one["files"] = [name for name in one["files"] if name != "checkpoints"]  # an empty folder
    assert here == there


def _wait_for_epochs(process, count: int) -> str:  # type: ignore[no-untyped-def]
    """The first epoch's line, after so many epochs were shown."""
    first, deadline = "", time.monotonic() + 120
    while count and time.monotonic() < deadline:
        line = process.stdout.readline()
        if '"epoch_ended"' in line:
            first = first or line
            count -= 1
    assert not count
    return first
