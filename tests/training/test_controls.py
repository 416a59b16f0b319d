"""Early stopping, plateaus, class weights: lanes and `fit` have the numbers of a script with Keras's own arguments."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from keras_sweep.errors import UsageError
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import EarlyStopping, ReduceLROnPlateau, Training, UserCallback
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.losses import class_weights
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, fitted, go_on, lanes, stopped, suggestions, train
from tests.helpers.plain_fit import dense, plain_fit
from tests.helpers.walk import assert_same

STOP = EarlyStopping(patience=1, min_delta=0.05)
RESTORE = EarlyStopping(monitor="val_accuracy", mode="max", patience=2, restore_best_weights=True)
FALL = ReduceLROnPlateau(patience=1, factor=0.3, min_delta=0.05, cooldown=1)
WILD = {"optimizer": "sgd", "learning_rate": 3.0, "epochs": 12, "batch_size": 32}
TAME = {"optimizer": "adam", "learning_rate": 0.03, "epochs": 12, "batch_size": 32}
SLOW = {"optimizer": "adam", "learning_rate": 1e-4, "epochs": 5, "batch_size": 32}


def keras_arguments(training, data):
    """What a script of the user's gives to `fit`."""
    callbacks = []
    if (stop := training.early_stopping) is not None:
        callbacks.append(keras.callbacks.EarlyStopping(**asdict(stop)))
    if (fall := training.reduce_lr_on_plateau) is not None:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(**asdict(fall)))
    return {"callbacks": callbacks, "class_weight": class_weights(training.class_weight, data)}


CASES = {
    "both": Training(early_stopping=EarlyStopping(patience=3, min_delta=0.05), reduce_lr_on_plateau=FALL),
    "all of it": Training(early_stopping=RESTORE, reduce_lr_on_plateau=FALL, class_weight="balanced"),
}
RUNNERS = {"lanes": lanes, "fit": fitted}


@pytest.mark.parametrize("training", CASES.values(), ids=CASES)
@pytest.mark.full_effort  # with low effort, Keras's own draws have other bits
def test_it_has_the_numbers_of_a_script_with_keras_own_arguments(uneven, training):
    trials = suggestions(WILD, SLOW)
    both = {name: run(make_spec(training=training), uneven, trials) for name, run in RUNNERS.items()}
    ended = set()
    for trial in trials:
        expected = plain_fit(dense, uneven, trial.params, **keras_arguments(training, uneven))
        for name, results in both.items():
            result = results[trial.number]
            assert set(result.curve) == set(expected.history)
            assert result.epochs == len(expected.history["loss"])
            assert_same(result, expected, f"{name}: {trial.params}", rtol=5e-5)  # high rates let rounding grow
            assert result.value == pytest.approx(expected.scores["accuracy"], abs=1e-6)
            assert result.metrics["val_loss"] == pytest.approx(expected.scores["loss"], rel=5e-5)
            ended.add(result.epochs < trial.params["epochs"])
    assert any(ended), "no trial ended early"


def test_each_trial_has_arguments_of_its_own(data):
    patience, weights = "training.early_stopping.patience", "training.class_weight"
    space = (
        LEARNING_RATE,
        EPOCHS,
        Parameter(patience, Categorical((1, 4))),
        Parameter(weights, Categorical((None, "balanced"))),
    )
    spec = make_spec(space, training=Training(early_stopping=STOP))
    each = ((1, None), (4, None), (1, "balanced"))
    trials = suggestions(*({**WILD, patience: epochs, weights: wanted} for epochs, wanted in each))
    results = lanes(spec, data, trials)
    assert results[0].epochs < results[1].epochs
    assert results[0].curve["loss"][0] != results[2].curve["loss"][0]
    for number, (epochs, wanted) in enumerate(each):
        alone = make_spec(training=Training(early_stopping=replace(STOP, patience=epochs), class_weight=wanted))
        expected = plain_fit(dense, data, WILD, **keras_arguments(alone.training, data))
        assert_same(results[number], expected, each[number])


ALL = make_spec(training=CASES["all of it"])
THREE = suggestions(WILD, TAME, SLOW)


@pytest.mark.parametrize(("kind", "trials"), [(CompiledRunner, THREE), (FitRunner, THREE[:2])])
def test_what_was_stopped_goes_on_with_its_patience_and_its_rate(data, tmp_path, kind, trials):
    whole = train(kind(ALL, data), trials)
    done = stopped(kind, ALL, data, tmp_path, trials, 9)
    assert_same_bits(go_on(kind, ALL, data, tmp_path, trials, done), whole)


def test_a_rung_stops_no_trial_that_has_ended_by_itself_and_both_runners_agree(data):
    watches = [Watching(rung_epochs=(2, 4, 6), stop_below=0.7) for _ in range(2)]
    ours, theirs = (run(ALL, data, THREE, watch) for run, watch in zip(RUNNERS.values(), watches, strict=True))
    assert {one.state for one in ours.values()} == {TrialState.COMPLETE, TrialState.PRUNED}
    for number, result in ours.items():
        other = theirs[number]
        assert (result.state, result.epochs, result.epoch) == (other.state, other.epochs, other.epoch)


def test_folds_stop_by_their_joint_curve_in_step_or_are_refused(in_folds):
    data = in_folds()
    spec = make_spec(training=Training(early_stopping=STOP, class_weight="balanced"))
    result = lanes(spec, data, suggestions(WILD))[0]
    best = min(result.curve["val_loss"][:-1])
    assert result.epochs < WILD["epochs"] and result.curve["val_loss"][-1] > best - STOP.min_delta
    by_fit = fitted(spec, data, suggestions(WILD))[0]
    assert (by_fit.epochs, by_fit.epoch, by_fit.state) == (result.epochs, result.epoch, result.state)
    own = replace(spec, training=replace(spec.training, callbacks=(UserCallback("own_callbacks:nothing"),)))
    with pytest.raises(UsageError, match="`fit` trains them in turn"):
        FitRunner(own, data)
    weighs = make_spec(training=Training(class_weight="balanced"))
    ours, theirs = (run(weighs, data, suggestions(SLOW))[0] for run in RUNNERS.values())
    np.testing.assert_allclose(ours.curve["loss"], theirs.curve["loss"], rtol=1e-5)


def test_a_trial_that_stopped_early_and_is_promoted_ends_where_an_unbroken_one_does(data):
    spec = make_spec(training=Training(early_stopping=STOP))
    runner = CompiledRunner(spec, data, keep_states=True)
    first = train(runner, suggestions({**WILD, "epochs": 8}))[0]
    assert first.epochs < 8
    promoted = [Suggestion(1, WILD, generation=1, continues=0)]
    assert not runner.missing(promoted)
    result, unbroken = train(runner, promoted)[1], lanes(spec, data, suggestions(WILD))[0]
    assert result.curve == unbroken.curve
    assert (result.value, result.epoch) == (unbroken.value, unbroken.epoch)
