"""A limit of seconds ends a trial after the epoch in which its training reaches it, or where its record has its end."""

from dataclasses import replace

import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.sweep_spec import ModelSpec, Training, UserCallback
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.runner import Watch
from keras_sweep.training.workers.pool import ExecutorPool
from keras_sweep.trial.result import TrialState
from tests.helpers import own_fits
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, suggestions, train
from tests.helpers.own_callbacks import telling

TRIALS = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 5},
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 5},
    {"optimizer": "adam", "learning_rate": 0.003, "epochs": 4},
)
RUNNERS = pytest.mark.parametrize("runner", [CompiledRunner, FitRunner])
AT_ONCE, NEVER = Training(seconds=1e-6), Training(seconds=1e6)
SAID = "ended after 1e-06 s of training"


def ended_at(runner, ends, trials=TRIALS):
    """Results of trials whose record has their ends."""
    return {result.number: result for result in runner.run(trials, frozenset(range(len(trials))), Watch(ends=ends))}


@RUNNERS
@pytest.mark.parametrize("folds", [False, True])
def test_a_trial_ends_after_the_epoch_in_which_its_time_is_over(runner, folds, data, in_folds):
    results = train(runner(make_spec(training=AT_ONCE), in_folds() if folds else data), TRIALS)
    for result in results.values():
        assert (result.state, result.epochs, result.epoch, result.reason) == (TrialState.COMPLETE, 1, 1, SAID)
        assert result.value == result.curve["val_accuracy"][0] and result.weights is not None
        assert result.scores is not None and result.stderr is not None


@RUNNERS
def test_a_limit_that_is_not_reached_changes_nothing(runner, data):
    limited, free = (train(runner(make_spec(training=how), data), TRIALS) for how in (NEVER, Training()))
    assert_same_bits(limited, free)
    assert {result.reason for result in limited.values()} == {None}


@RUNNERS
@pytest.mark.parametrize("folds", [False, True])
def test_recorded_trials_end_where_they_ended_on_any_machine(runner, folds, data, in_folds):
    rows = in_folds() if folds else data
    ends = {0: 2, 1: 5, 2: 3}
    results = ended_at(runner(make_spec(training=NEVER), rows), ends)
    again = ended_at(runner(make_spec(training=Training(seconds=1e-6)), rows), ends)
    assert {number: result.epochs for number, result in results.items()} == ends
    assert [results[number].reason for number in ends] == [
        "ended after 1e+06 s of training",
        None,
        *[results[0].reason],
    ]
    for number in ends:
        assert results[number].curve == again[number].curve


def test_folds_that_fit_trains_in_turn_have_a_share_each_and_end_together(in_folds):
    calls = (UserCallback(telling([])),)
    at_once, never = (make_spec(training=replace(how, callbacks=calls)) for how in (AT_ONCE, NEVER))
    result = train(FitRunner(at_once, in_folds()), TRIALS[:1])[0]
    assert (result.state, result.epochs, result.reason) == (TrialState.COMPLETE, 1, SAID)
    recorded = ended_at(FitRunner(never, in_folds()), {0: 3}, TRIALS[:1])[0]
    assert (recorded.epochs, recorded.reason) == (3, "ended after 1e+06 s of training")
    assert train(FitRunner(never, in_folds()), TRIALS[:1])[0].reason is None


def test_the_fit_of_a_hyper_model_is_ended_too():
    model = ModelSpec("python", register_function(own_fits.Phases()))
    spec = make_spec((), model=model, training=AT_ONCE)
    trials = suggestions({"model.units": 8, "model.rate": 1e-3, "epochs": 2})
    result = train(FitRunner(spec, digits(96, 96)), trials)[0]
    assert (result.state, result.epochs, result.reason) == (TrialState.COMPLETE, 1, SAID)


@RUNNERS
def test_a_later_rung_compares_only_trials_that_reach_it(runner, data):
    watch = Watching(rung_epochs=(1, 2), stop_below=0.0)
    results = train(runner(make_spec(training=AT_ONCE), data), TRIALS, watch)
    assert {result.state for result in results.values()} == {TrialState.COMPLETE}
    assert {epoch for epoch, _ in watch.rungs_called} == {1}


@RUNNERS
def test_workers_end_trials_alike(runner, threads):
    spec = make_spec(training=AT_ONCE)
    rows = load_search_data(spec)
    there = train(runner(spec, rows, workers=ExecutorPool(threads)), TRIALS)
    assert_same_bits(there, train(runner(spec, rows), TRIALS))
    assert {result.reason for result in there.values()} == {SAID}
