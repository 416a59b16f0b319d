"""Long trials that are stopped and killed go on from their checkpoint, and end with the bits of a run left alone."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import PATIENCE
from tests.helpers.long_sweep import start, write
from tests.helpers.whole_sweeps import check_sound, folder_of, outcome


@pytest.mark.parametrize(("backend", "first"), [("jax", 21), ("torch", 21), ("tensorflow", 1)])
def test_a_trial_of_fit_is_stopped_then_killed_then_left_alone(tmp_path: Path, backend: str, first: int) -> None:
    """TensorFlow's shuffle can't be set to where it stood: there a trial begins anew, and ends with the same bits."""
    words = ["--runner", "fit", "--backend", backend]
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, trials=1, epochs=60)
    whole = start(tmp_path / "whole", *words)
    _, err = whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0, err
    pieces = tmp_path / "pieces"
    stopped = start(pieces, *words, "--json")
    _wait_for_epochs(stopped, 20)
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 130
    sweep = folder_of(pieces, "long")
    assert (sweep.checkpoints / "trial.npz").exists() == (first > 1)
    killed = start(pieces, *words, "--json")
    line = _wait_for_epochs(killed, 5)
    assert json.loads(line)["epoch"] >= first - 1
    killed.kill()
    killed.communicate()
    check_sound(sweep)
    last = start(pieces, *words)
    _, err = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, err
    assert _outcome(pieces) == _outcome(tmp_path / "whole")


@pytest.mark.parametrize("best", [False, True], ids=["last epoch", "best epoch"])
def test_stopped_then_killed_then_left_alone(tmp_path: Path, best: bool) -> None:
    epochs = "{max: 300, take: best}" if best else 300
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, trials=3, epochs=epochs)  # type: ignore[arg-type]
    whole = start(tmp_path / "whole")
    whole.communicate(timeout=PATIENCE)
    assert whole.returncode == 0
    pieces = tmp_path / "pieces"
    stopped = start(pieces, "--json")
    _wait_for_epochs(stopped, 90)
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=PATIENCE)
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
    _, err = last.communicate(timeout=PATIENCE)
    assert last.returncode == 0, err
    assert not checkpoint.exists()
    assert _outcome(pieces) == _outcome(tmp_path / "whole")


def _outcome(folder: Path) -> dict[str, Any]:
    found = outcome(folder_of(folder, "long"))
    found["files"] = [name for name in found["files"] if name != "checkpoints"]  # an empty folder
    return found


def _wait_for_epochs(process, count: int) -> str:  # type: ignore[no-untyped-def]
    """The first epoch's line, after so many epochs were shown."""
    first = ""
    while count:
        line = process.stdout.readline()
        assert line, process.communicate()  # it ended
        if '"epoch_ended"' in line:
            first = first or line
            count -= 1
    return first
