import json
import random
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from keras_sweep.training.fit import fit_log
from keras_sweep.training.fit.fit_log import FitLog, generator_states, set_generator_states
from keras_sweep.training.runner import Watch
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Suggestion
from tests.helpers.factory import make_spec


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(fit_log, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def trained(clock, *epochs):
    """A log that was told of so many seconds: of the first batch of all, of training, of validation."""
    spec, suggestion = make_spec(), Suggestion(0, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 9})
    plan = training_plan(spec, suggestion.params)
    log = FitLog(spec, suggestion, plan, None, Watch(), started=clock.now, checkpoint=None)
    callback = log.callback()
    for number, (first, training, validation) in enumerate(epochs):
        clock.now += first
        callback.on_train_batch_end(0)
        clock.now += training
        callback.on_train_batch_end(1)
        callback.on_test_begin()
        clock.now += validation
        callback.on_test_end()
        callback.on_epoch_end(number, {"val_accuracy": 0.5})
    return log


def test_until_there_is_a_second_epoch_compiling_is_the_time_until_the_first_batch(clock):
    assert trained(clock, (5.0, 3.0, 2.0)).spent == pytest.approx({"compile": 5.0, "train": 3.0, "validate": 2.0})


def test_what_the_first_epoch_takes_more_than_those_after_it_is_compiling_too(clock):
    log = trained(clock, (5.0, 3.0, 2.0), (0.0, 1.0, 0.5), (0.0, 2.0, 0.5))
    assert log.spent == pytest.approx({"compile": 5.0 + 1.5 + 1.5, "train": 4.5, "validate": 1.5})


def test_a_first_epoch_that_is_no_slower_leaves_the_times_as_they_were(clock):
    log = trained(clock, (5.0, 1.0, 0.5), (0.0, 1.0, 1.0))
    assert log.spent == pytest.approx({"compile": 5.0, "train": 2.0, "validate": 1.5})


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
from keras_sweep.training.fit.fit_log import generator_states, set_generator_states
torch.manual_seed(1)
states = json.loads(json.dumps(generator_states()))
expected = torch.rand(3).tolist()
set_generator_states(states)
assert torch.rand(3).tolist() == expected
"""


def test_pytorchs_generator_too():
    subprocess.run([sys.executable, "-c", TORCH], check=True, timeout=120)
