"""Which runner trains: lanes, unless something asks for `fit`, of which the first reason is told."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Fold, Stream
from keras_sweep.errors import UsageError
from keras_sweep.space.distributions import Float
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import Output, SearchSettings, Training, UserCallback
from keras_sweep.training.choose import RUNNERS, choose_runner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import LEARNING_RATE, make_spec
from tests.helpers.lane_trials import suggestions, train, with_labels

WHY = "trials train one by one with `fit`: "


def test_lanes_train_what_they_can_and_say_nothing_and_by_fit_trials_train_where_that_is_asked_for(data, tmp_path):
    for wanted, kind in ((None, CompiledRunner), ("compiled", CompiledRunner), ("fit", FitRunner)):
        runner, why = choose_runner(make_spec(), data, wanted, checkpoints=None)
        assert type(runner) is kind and why is None
    with pytest.raises(UsageError, match="no runner 'fitt'"):
        choose_runner(make_spec(), data, "fitt")


@pytest.mark.parametrize(("wanted", "usual"), [(None, 16), ("compiled", 16), ("fit", 1)])
def test_a_generation_is_as_large_as_the_space_file_says_or_as_the_runner_has_it(data, wanted, usual):
    asked = make_spec(search=SearchSettings(generation=5))
    assert [choose_runner(spec, data, wanted)[0].generation for spec in (asked, make_spec())] == [5, usual]


@pytest.mark.parametrize("wanted", [None, "compiled"])
def test_states_are_kept_only_where_hyperband_of_kerastuner_promotes_trials(data, wanted):
    samplers = (("keras-tuner", "hyperband"), ("keras-tuner", "random"), ("optuna", "tpe"))
    specs = [make_spec(search=SearchSettings(engine=engine, sampler=sampler)) for engine, sampler in samplers]
    assert [choose_runner(spec, data, wanted)[0]._ends is not None for spec in specs] == [True, False, False]


CALLS = make_spec(training=Training(callbacks=(UserCallback("a:b"),)))
SCHEDULED = make_spec((LEARNING_RATE, Parameter("warmup", Float(0.0, 0.5))))
SEVERAL = make_spec(outputs={name: Output("mse") for name in "ab"})


@pytest.mark.parametrize(
    ("spec", "alter", "why"),
    [
        (CALLS, replace, "only `fit` calls your callbacks"),
        (SEVERAL, lambda data: with_labels(data, lambda y: {"a": y, "b": y}), "the model has several outputs"),
        (make_spec(), lambda data: replace(data, stream=Stream(list, 3)), "only `fit` reads a dataset batch by batch"),
    ],
)
def test_what_only_fit_can_do_is_said_and_lanes_that_were_asked_for_are_refused(data, spec, alter, why):
    altered = alter(data)
    runner, said = choose_runner(spec, altered, None)
    assert isinstance(runner, FitRunner) and said == WHY + why
    with pytest.raises(UsageError, match="the compiled runner can't be used: ") as refused:
        choose_runner(spec, altered, "compiled")
    assert refused.value.message.endswith(why) and refused.value.hint == "Leave out `--runner compiled`"
    assert choose_runner(spec, altered, "fit")[1] is None


def test_a_distribution_that_the_user_set_is_of_fit_and_is_not_lost_between_trials(data):
    keras.distribution.set_distribution(spread := keras.distribution.DataParallel())
    try:
        runner, why = choose_runner(make_spec(), data, None)
        assert why == WHY + "only `fit` follows Keras's setting `distribution`"
        results = train(runner, suggestions({"epochs": 1}, {"epochs": 2}))
        assert {result.state for result in results.values()} == {TrialState.COMPLETE}
        assert keras.distribution.distribution() is spread
    finally:
        keras.distribution.set_distribution(None)


def test_a_schedule_under_mixed_float16_is_of_fit_whose_steps_may_be_passed_over(data):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert "which delays a trial's schedule" in choose_runner(SCHEDULED, data, None)[1]
        said = choose_runner(make_spec(), data, None)[1]
        assert said is None or "schedule" not in said
    finally:
        keras.config.set_dtype_policy("float32")
    assert choose_runner(SCHEDULED, data, None)[1] is None


def test_another_backend_is_named(data, monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    assert choose_runner(make_spec(), data, None)[1] == (
        f"{WHY}the backend is tensorflow, not jax (set `KERAS_BACKEND=jax` before Keras is imported)"
    )


def test_what_was_given_to_choose_with_goes_to_the_runner_but_for_what_is_none(data, tmp_path, monkeypatch):
    """A runner of another package may not know of workers."""

    def make(spec, rows, **asked):
        return FitRunner(spec, rows, **asked) if asked == {"checkpoints": tmp_path} else pytest.fail(str(asked))

    monkeypatch.setattr(type(RUNNERS), "find", lambda self, name: make)
    choose_runner(make_spec(), data, "mine", checkpoints=tmp_path, workers=None)


def test_with_folds_only_a_mean_over_rows_ranks_unless_it_is_had_anew_over_all(data):
    folded = replace(data, folds=(Fold(np.arange(4), np.arange(4, 8)), Fold(np.arange(4, 8), np.arange(4))))
    by_own = make_spec(loss="own_loss", objective=Objective("val_loss", Goal.MINIMIZE))
    with pytest.raises(UsageError, match="trials can't be ranked by val_loss") as refused:
        choose_runner(by_own, folded, None)
    assert refused.value.hint == "Rank by a metric of `metrics`, or leave out `folds`"
    by_auc = make_spec(metrics=("accuracy", "auc"), objective=Objective("val_auc", Goal.MAXIMIZE))
    assert "val_auc over all folds needs the models' outputs" in choose_runner(by_auc, folded, None)[1]
    assert choose_runner(by_auc, data, None)[1] is None
