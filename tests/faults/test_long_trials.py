"""Long trials that are stopped and killed go on from their checkpoint, and end with the bits of a run left alone."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import PATIENCE
from tests.helpers.long_sweep import start, write
from tests.helpers.whole_sweeps import Driver, check_sound, folder_of, outcome


@pytest.mark.parametrize(
    ("backend", "first"),
    [pytest.param("torch", 21, marks=pytest.mark.soak), ("tensorflow", 1)],  # JAX's is below
)
def test_a_trial_of_fit_on_other_backends_is_stopped_then_killed_then_left_alone(
    tmp_path: Path, backend: str, first: int
) -> None:
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


@pytest.mark.parametrize(
    ("trials", "epochs", "words", "checkpoint", "told", "least"),
    [
        pytest.param(1, 60, ["--runner", "fit"], "trial.npz", 20, 20, id="fit"),
        pytest.param(3, 300, [], "generation.npz", 90, 2, id="lanes"),
        pytest.param(3, "{max: 300, take: best}", [], "generation.npz", 90, 2, id="lanes, best epoch"),
    ],
)
def test_stopped_then_killed_then_left_alone(
    driver: Driver,
    tmp_path: Path,
    trials: int,
    epochs: int | str,
    words: list[str],
    checkpoint: str,
    told: int,
    least: int,
) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    for folder in (whole, pieces):
        folder.mkdir()
        write(folder, trials=trials, epochs=epochs)
    assert driver.sweep(whole, ["run", "long.yaml", *words]).code == 0
    run = ["run", "long.yaml", *words, "--json"]
    stopped = driver.sweep(pieces, run, signal=signal.SIGINT, epochs=told)
    assert stopped.code == 130, stopped.err
    sweep = folder_of(pieces, "long")
    assert (sweep.checkpoints / checkpoint).exists()
    for _ in range(2):
        killed = driver.sweep(pieces, run, signal=signal.SIGKILL, epochs=5)
        assert killed.code == -signal.SIGKILL, killed.err
        first = next(line for line in map(json.loads, killed.out.splitlines()) if line["event"] == "epoch_ended")
        assert first["epoch"] >= least
        check_sound(sweep)
    last = driver.sweep(pieces, run)
    assert last.code == 0, last.err
    assert not (sweep.checkpoints / checkpoint).exists()
    assert _outcome(pieces) == _outcome(whole)


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
