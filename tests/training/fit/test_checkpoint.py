import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

from keras_sweep.training.fit.checkpoint import FILE, generator_states, set_generator_states
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.trial.events import EpochEnded
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, suggestions, train, user_spec

TRIALS = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 6},
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 4},
)
ADAM = suggestions({"optimizer": "adam", "learning_rate": 0.03, "epochs": 8})


@pytest.fixture(scope="module")
def data():
    return digits()


def stopped(spec, data, folder, trials, after, **watching):
    done = train(FitRunner(spec, data, checkpoints=folder), trials, Watching(stop_after=after, **watching))
    assert (folder / FILE).exists()
    return done


def go_on(spec, data, folder, trials, done, watch=None, notice=None):
    runner = FitRunner(spec, data, checkpoints=folder, notice=notice)
    return done | train(runner, trials, watch, {trial.number for trial in trials} - set(done))


@pytest.mark.parametrize("after", [1, 5, 8])
def test_a_stopped_trial_goes_on_from_its_epoch_and_ends_with_the_same_bits(data, tmp_path, after):
    whole = train(FitRunner(make_spec(), data), TRIALS)
    done = stopped(make_spec(), data, tmp_path, TRIALS, after)
    watch = Watching()
    assert_same_bits(go_on(make_spec(), data, tmp_path, TRIALS, done, watch), whole)
    assert watch.epochs[0][1] == (after if after < 6 else after - 6)
    assert not (tmp_path / FILE).exists()


def test_stopped_after_its_last_epoch_a_trial_has_ended(data, tmp_path):
    watch = Watching(stop_after=6)
    (result, *more) = train(FitRunner(make_spec(), data, checkpoints=tmp_path), TRIALS[:1], watch).values()
    assert not more
    assert len(result.curve["val_accuracy"]) == 6


def test_dropout_moving_averages_and_best_weights_go_on_too(data, tmp_path):
    spec = user_spec("convolutional", take_best=True)
    whole = train(FitRunner(spec, data), ADAM)
    done = {}
    for after in (2, 4):  # a checkpoint of a checkpoint
        done |= stopped(spec, data, tmp_path, ADAM, after)
    assert_same_bits(go_on(spec, data, tmp_path, ADAM, done), whole)


def test_rungs_that_were_called_are_called_again_with_the_same_values(data, tmp_path):
    rungs = {"rung_epochs": (2, 4, 6), "stop_below": 0.1}
    unbroken, watch = Watching(**rungs), Watching(**rungs)
    whole = train(FitRunner(make_spec(), data), ADAM, unbroken)
    done = stopped(make_spec(), data, tmp_path, ADAM, 5, **rungs)
    assert_same_bits(go_on(make_spec(), data, tmp_path, ADAM, done, watch), whole)
    assert watch.rungs_called == unbroken.rungs_called


def test_the_time_before_the_stop_counts(data, tmp_path):
    stopped(make_spec(), data, tmp_path, ADAM, 7)
    with np.load(tmp_path / FILE) as file:
        facts = bytes(file["0"]).decode()
    before = float(facts.split('"train": ')[1].split(",")[0])
    (result,) = go_on(make_spec(), data, tmp_path, ADAM, {}).values()
    assert result.seconds.train > before > 0


@pytest.mark.parametrize("damage", ["cut", "altered", "empty", "text"])
def test_a_damaged_checkpoint_is_ignored_with_a_notice(data, tmp_path, damage):
    stopped(make_spec(), data, tmp_path, ADAM, 3)
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 255 for byte in content[middle : middle + 200])  # beyond any header
    path.write_bytes({"cut": content[:middle], "altered": content, "empty": b"", "text": b"no checkpoint"}[damage])
    notices = []
    results = go_on(make_spec(), data, tmp_path, ADAM, {}, notice=notices.append)
    assert_same_bits(results, train(FitRunner(make_spec(), data), ADAM))
    (notice,) = notices
    assert "a checkpoint is not usable, so its trial trains from its start" in notice


def test_a_checkpoint_of_another_trial_is_not_taken_up(data, tmp_path):
    stopped(make_spec(), data, tmp_path, ADAM, 3)
    other = suggestions({"optimizer": "adam", "learning_rate": 0.02, "epochs": 2})
    results = go_on(make_spec(), data, tmp_path, other, {})
    assert_same_bits(results, train(FitRunner(make_spec(), data), other))


def test_checkpoints_are_written_while_it_trains(data, tmp_path):
    found = []

    class Looking(Watching):
        def __call__(self, event):
            super().__call__(event)
            if isinstance(event, EpochEnded):
                found.append((tmp_path / FILE).exists())

    train(FitRunner(make_spec(), data, checkpoints=tmp_path, checkpoint_seconds=0.0), ADAM, Looking())
    assert found == [False] + 7 * [True]
    assert not (tmp_path / FILE).exists()


def test_a_checkpoint_that_can_not_be_written_costs_no_trial(data, tmp_path):
    (tmp_path / f".trial.{os.getpid()}.part.npz").mkdir()
    notices = []
    runner = FitRunner(make_spec(), data, checkpoints=tmp_path, checkpoint_seconds=0.0, notice=notices.append)
    assert_same_bits(train(runner, TRIALS), train(FitRunner(make_spec(), data), TRIALS))
    assert notices
    assert all("no checkpoint could be written" in notice for notice in notices)


def drawn():
    return random.random(), np.random.standard_normal(), np.random.permutation(5).tolist()


def test_generators_go_on_from_a_state_that_was_written_as_json():
    random.seed(1)
    np.random.seed(1)
    np.random.standard_normal()  # of which NumPy keeps a second one back
    states = json.loads(json.dumps(generator_states()))
    expected = drawn()
    drawn()
    set_generator_states(states)
    assert drawn() == expected


TORCH = """
import json
import torch
from keras_sweep.training.fit.checkpoint import generator_states, set_generator_states
torch.manual_seed(1)
states = json.loads(json.dumps(generator_states()))
expected = torch.rand(3).tolist()
set_generator_states(states)
assert torch.rand(3).tolist() == expected
"""


def test_pytorchs_generator_too():
    subprocess.run([sys.executable, "-c", TORCH], check=True, timeout=120)
