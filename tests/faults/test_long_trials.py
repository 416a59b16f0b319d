"""Long trials that are stopped and killed go on from their checkpoint, and end with the bits of a run left alone."""

import json
import signal
from pathlib import Path

import pytest

from keras_sweep.training.checkpoint import FILE
from tests.helpers.fault_driver import forked
from tests.helpers.long_sweep import write
from tests.helpers.whole_sweeps import check_sound, folder_of, outcome

FIT = ("--runner", "fit", "--backend")


# TensorFlow's shuffle can't be set to where it stood: there a trial begins anew, and ends with the same bits.
@pytest.mark.parametrize(
    ("trials", "epochs", "words", "told", "least"),
    [
        pytest.param(1, 60, [*FIT, "jax"], 20, 20, id="fit", marks=pytest.mark.soak),
        pytest.param(1, 60, [*FIT, "torch"], 20, 20, id="torch", marks=pytest.mark.soak),
        pytest.param(1, 60, [*FIT, "tensorflow"], 20, 0, id="tensorflow", marks=pytest.mark.soak),
        pytest.param(3, 300, [], 90, 2, id="lanes", marks=pytest.mark.soak),
        pytest.param(3, "{max: 300, take: best}", [], 90, 2, id="lanes, best epoch"),
    ],
)
def test_stopped_then_killed_then_left_alone(tmp_path: Path, trials, epochs, words, told, least) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    for folder in (whole, pieces):
        folder.mkdir()
        write(folder, trials=trials, epochs=epochs)
    run = ["run", "long.yaml", *words]
    forked(whole, *run).ok()
    stopped = forked(pieces, *run, "--json", signal=signal.SIGINT, epochs=told)
    assert stopped.code == 130, stopped.err
    sweep = folder_of(pieces, "long")
    assert (sweep.checkpoints / FILE).exists() == (least > 0)
    for _ in range(2):
        killed = forked(pieces, *run, "--json", signal=signal.SIGKILL, epochs=5)
        assert killed.code == -signal.SIGKILL, killed.err
        events = map(json.loads, killed.out.splitlines())
        assert next(event["epoch"] for event in events if event["event"] == "epoch_ended") >= least
        check_sound(sweep)
    forked(pieces, *run).ok()
    assert not sweep.checkpoints.exists()
    assert outcome(sweep) == outcome(folder_of(whole, "long"))
