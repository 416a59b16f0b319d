import gc
import json
import random
import subprocess
import sys
from dataclasses import astuple
from threading import Thread
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_sweep.training.fit import training as fit_training
from keras_sweep.training.fit.programs import FitPrograms
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.fit.training import FitTraining, generator_states, set_generator_states
from keras_sweep.training.runner import StopsAt, Watch
from keras_sweep.trial.result import Seconds, Suggestion
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import Watching, fitted, suggestions, train
from tests.helpers.plain_fit import dense, plain_fit

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


@pytest.mark.full_effort  # with low effort, Keras's own draws have other bits
def test_a_trial_has_the_numbers_of_fit_and_evaluate(data):
    sgd, expected = {**ADAM, "optimizer": "sgd"}, plain_fit(dense, data, ADAM)
    result = fitted(make_spec(), data, suggestions(sgd, ADAM))[1]  # whatever ran before
    assert dict(result.curve) == {name: tuple(values) for name, values in expected.history.items()}
    assert result.value == expected.scores["accuracy"]
    variance = result.value * (1 - result.value) / (len(data.validation) - 1)
    assert result.stderr == pytest.approx(variance**0.5)
    for kept, trained in zip(result.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(kept, trained)


def test_a_request_to_stop_ends_after_the_epoch(data):
    watch = Watching(stop_after=1)
    assert fitted(make_spec(), data, suggestions(ADAM, ADAM), watch) == {}
    assert watch.epochs == [(0, 1)]


RATES = suggestions(*({"optimizer": "sgd", "learning_rate": rate, "epochs": 3} for rate in (0.1, 0.01, 0.001, 0.3)))


def test_a_trial_is_compared_after_those_before_it_which_are_trained_to_their_last_rung(data):
    """They may be in the record already, of which a fresh engine knows no values of this generation."""
    watch, whole = Watching(rung_epochs=(1, 2)), Watching(rung_epochs=(1, 2))
    everything = train(FitRunner(make_spec(), data), RATES[:3], whole)
    results = train(FitRunner(make_spec(), data), RATES, watch, wanted={2})
    assert list(results) == [2] and results[2].curve == everything[2].curve
    assert watch.rungs_called == whole.rungs_called
    assert [number for number, _ in watch.epochs] == [2, 2, 2]


def test_a_trial_that_is_trained_again_as_recorded_needs_no_others(data):
    told = []
    watch = Watch(StopsAt({0: 2, 2: 1}), told.append)
    (result,) = FitRunner(make_spec(), data).run(RATES, frozenset({2}), watch)
    assert (result.number, result.epochs, result.reason) == (2, 1, "pruned at epoch 1")
    assert sum(type(event).__name__ == "PhaseBegan" and event.phase == "compile" for event in told) == 1


@pytest.mark.soak
def test_of_trials_that_are_asked_for_one_by_one_no_model_stays_in_memory(data):
    """Or a search of some hundred would run out of mappings, of which each program that XLA makes takes several."""
    runner = FitRunner(make_spec(), data)
    gc.collect()
    before = models()
    for number in range(4):
        assert train(runner, [Suggestion(number, {**ADAM, "epochs": 1})])
        assert models() <= before + 1


def models():
    return sum(issubclass(type(one), keras.Model) for one in gc.get_objects())  # `isinstance` would ask proxies


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(fit_training, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def trained(data, clock, *epochs):
    """A training that was told of so many seconds: of the first batch of all, of training, of validation."""

    class Told(keras.Model):
        def fit(self, *_, callbacks, **__):
            tell(callbacks[-1])

    suggestion = Suggestion(0, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 9})
    training = FitTraining(make_spec(), suggestion, data, Told(), None, None, clock.now, lambda _: None)

    def tell(callback):
        for number, (first, training_seconds, validation) in enumerate(epochs):
            clock.now += first
            callback.on_train_batch_end(0)
            clock.now += training_seconds
            callback.on_train_batch_end(1)
            callback.on_test_begin()
            clock.now += validation
            callback.on_test_end()
            callback.on_epoch_end(number, {"val_accuracy": 0.5})

    training.train(0, 9, lambda _: True)
    return training


@pytest.mark.parametrize(
    ("epochs", "spent"),
    [
        ([(5.0, 3.0, 2.0)], (5.0, 3.0, 2.0)),
        ([(5.0, 3.0, 2.0), (0.0, 1.0, 0.5), (0.0, 2.0, 0.5)], (5.0 + 1.5 + 1.5, 4.5, 1.5)),
        ([(5.0, 1.0, 0.5), (0.0, 1.0, 1.0)], (5.0, 2.0, 1.5)),
    ],
    ids=["until the first batch", "and what the first epoch takes more than those after it", "if it does"],
)
def test_compiling_is_the_time_until_the_first_batch_and_what_the_first_epoch_takes_more(data, clock, epochs, spent):
    assert astuple(trained(data, clock, *epochs).seconds)[1:] == pytest.approx(spent)


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
from keras_sweep.training.fit.training import generator_states, set_generator_states
torch.manual_seed(1)
states = json.loads(json.dumps(generator_states()))
expected = torch.rand(3).tolist()
set_generator_states(states)
assert torch.rand(3).tolist() == expected
"""


@pytest.mark.soak
def test_pytorchs_generator_too():
    subprocess.run([sys.executable, "-c", TORCH], check=True, timeout=120)


def test_a_model_is_built_only_while_no_other_thread_trains(data):
    programs, built = FitPrograms(make_spec(), data, is_worker=False), []
    first, other = (
        SimpleNamespace(suggestion=trial, seconds=Seconds(), training=True)
        for trial in suggestions(ADAM, {**ADAM, "optimizer": "sgd"})
    )
    with programs.open_trial(first, 0, None) as live:
        state = programs.get_part(live, 0).state()
        numbers = np.random.get_state()[1]
        thread = Thread(target=lambda: built.append(programs.model(other, state)))
        thread.start()
        thread.join(0.5)  # far longer than a build takes
        assert not built and np.array_equal(np.random.get_state()[1], numbers)
    thread.join()
    assert len(built) == 1
