"""Which trials of a generation `fit` trains, and in which order rungs compare them."""

from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.runner import StopsAt, Watch
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import Watching, suggestions, train

TRIALS = suggestions(*({"optimizer": "sgd", "learning_rate": rate, "epochs": 3} for rate in (0.1, 0.01, 0.001, 0.3)))


def test_a_trial_is_compared_after_those_before_it_which_are_trained_to_their_last_rung(data):
    """They may be in the record already, of which a fresh engine knows no values of this generation."""
    watch, whole = Watching(rung_epochs=(1, 2)), Watching(rung_epochs=(1, 2))
    everything = train(FitRunner(make_spec(), data), TRIALS[:3], whole)
    results = train(FitRunner(make_spec(), data), TRIALS, watch, wanted={2})
    assert list(results) == [2] and results[2].curve == everything[2].curve
    assert watch.rungs_called == whole.rungs_called
    assert [number for number, _ in watch.epochs] == [2, 2, 2]


def test_a_trial_that_is_trained_again_as_recorded_needs_no_others(data):
    told = []
    watch = Watch(StopsAt({0: 2, 2: 1}), told.append)
    (result,) = FitRunner(make_spec(), data).run(TRIALS, frozenset({2}), watch)
    assert (result.number, result.epochs, result.reason) == (2, 1, "pruned at epoch 1")
    assert sum(type(event).__name__ == "PhaseBegan" and event.phase == "compile" for event in told) == 1
