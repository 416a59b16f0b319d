"""Models that compile themselves, where the space names no loss, no metrics or no optimizer."""

from dataclasses import replace
from functools import cache

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError, SpaceFileError
from keras_sweep.models.inspect_model import inspect_model, load_rows
from keras_sweep.models.own_compile import own_loss
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.winner import evaluate
from keras_sweep.training.build_trial import compile_model
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.plan import training_plan
from tests.helpers import own_compiles
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import FOLDER, suggestions, train, user_spec

OWN = {"loss": "", "metrics": (), "own": ("loss", "metrics"), "objective": Objective("val_loss", Goal.MINIMIZE)}


@cache  # looking at a model takes longer than most of these tests
def loaded(name, constants=(), **changes):
    """The sweep with what its model brings, and few rows as its loss takes them."""
    model = ModelSpec("python", f"own_compiles:{name}")
    given = {"folder": FOLDER, "model": model, "constants": dict(constants), **OWN}
    spec, data = load_rows(make_spec((), **{**given, **changes}))
    few = {part: Rows(*(one[:96] for one in getattr(data, part).arrays)) for part in ("train", "validation")}
    return spec, replace(data, **few)


def trained(name, params=None, **changes):
    """The first trial, its sweep and its rows."""
    spec, data = loaded(name, **changes)
    return train(FitRunner(spec, data), suggestions({"epochs": 2, **(params or {})}))[0], spec, data


@pytest.mark.parametrize(
    ("name", "loss", "arguments", "metrics"),
    [
        ("plain", "sparse_categorical_crossentropy", {}, ("accuracy",)),
        (
            "smooth",
            "categorical_crossentropy",
            {"label_smoothing": 0.1},
            ("categorical_accuracy", "top_k_categorical_accuracy"),
        ),
        ("of_the_users", "its own squares", {}, ("surest", "accuracy")),
    ],
)
@pytest.mark.full_effort  # with low effort, Keras's own draws have other bits
def test_it_is_trained_as_it_compiles_itself(name, loss, arguments, metrics):
    result, spec, data = trained(name)
    assert (spec.loss, spec.loss_arguments, spec.metrics) == (loss, arguments, metrics)
    keras.utils.set_random_seed(42)
    model = getattr(own_compiles, name)()
    held = data.validation.arrays
    log = model.fit(data.train.x, data.train.y, epochs=2, validation_data=held, verbose=0)
    assert dict(result.curve) == {name: tuple(values) for name, values in log.history.items()}
    assert (result.stderr is not None) == (name != "of_the_users")


def test_a_metric_of_several_numbers_is_left_out_of_curves_and_of_the_test():
    result, spec, data = trained("by_class")
    assert {name.removeprefix("val_") for name in result.curve} == {"loss", "accuracy"}
    model = compile_model(spec, training_plan(spec, {}), data)
    assert evaluate(spec, result, model, data.validation, data).scores.keys() == {"loss", "accuracy"}


def test_labels_have_the_form_that_its_loss_takes():
    shapes = [loaded(name)[1].train.y.shape for name in ("plain", "smooth", "of_the_users")]
    assert shapes == [(96,), (96, 10), (96,)]


@pytest.mark.parametrize("named", [{"optimizer": "sgd", "learning_rate": 0.1}, {"learning_rate": 0.1}])
def test_an_optimizer_of_the_space_stands_in_place_of_its_own(named):
    spec, data = loaded("of_the_users", tuple(named.items()))
    model = compile_model(spec, training_plan(spec, named), data)
    assert type(model.optimizer) is (keras.optimizers.SGD if "optimizer" in named else keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    assert model.loss.__name__ == "squares"


def test_a_loss_and_metrics_of_the_space_stand_in_place_of_its_own_which_is_said_once():
    spec, data = loaded("of_the_users", loss="poisson", own=("metrics",))
    model = compile_model(spec, training_plan(spec, {}), data)
    assert (model.loss, spec.metrics, spec.own) == ("poisson", ("surest", "accuracy"), ("metrics",))
    loss, *_ = inspect_model(spec, data).notices
    assert loss.endswith(
        "compiles its model with the loss its own squares, which has no effect: `loss: poisson` is used"
    )
    spec, data = loaded("smooth", metrics=("categorical_accuracy",), own=("loss",))
    model = compile_model(spec, training_plan(spec, {}), data)
    scores = model.evaluate(data.validation.x, data.validation.y, verbose=0, return_dict=True)
    assert scores.keys() == {"loss", "categorical_accuracy"}


def test_a_hyperparameter_may_choose_the_loss():
    first, other = (
        trained("chosen", {"model.loss": loss})[0].curve["loss"][0] for loss in ("categorical_crossentropy", "poisson")
    )
    assert first != pytest.approx(other)


@pytest.mark.parametrize("name", ["chosen", "weighed"])
def test_trials_of_different_losses_are_not_ranked_by_their_loss(name):
    spec, data = loaded(name)
    with pytest.raises(SpaceFileError, match=r"metric.name: can't rank trials of different losses, but models") as said:
        inspect_model(spec, data)
    words = ("categorical_crossentropy", "poisson") if name == "chosen" else ("2.0", "3.0")
    assert all(one in str(said.value) for one in words) and "rank by a metric" in str(said.value)
    by_accuracy = replace(spec, objective=Objective("val_accuracy", Goal.MAXIMIZE))
    assert inspect_model(by_accuracy, data).output_shape == (None, 10)
    assert inspect_model(replace(spec, loss="poisson", own=("metrics",)), data).output_shape == (None, 10)


def test_arguments_of_a_loss_and_losses_of_outputs_are_told_apart():
    losses = [own_compiles.smooth(), own_compiles.compiled(loss="categorical_crossentropy"), own_compiles.uncompiled()]
    assert list(map(own_loss, losses)) == [
        "categorical_crossentropy with {'label_smoothing': 0.1}",
        "categorical_crossentropy",
        "",
    ]
    pixels = keras.Input((64,))
    model = keras.Model(pixels, {name: keras.layers.Dense(1)(pixels) for name in ("a", "b")})
    model.compile(loss={"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 1.0})
    assert own_loss(model) == "mse, mae weighed by {'a': 2.0, 'b': 1.0}"


def test_a_compile_that_takes_other_arguments_is_left_as_it_is():
    result, spec, data = trained("one_way", {"learning_rate": 0.5})
    assert spec.loss == "sparse_categorical_crossentropy" and np.isfinite(result.value)
    model = compile_model(spec, training_plan(spec, {"learning_rate": 0.5}), data)
    assert float(model.optimizer.learning_rate) == 0.5


def test_without_any_loss_there_is_one_plain_error():
    with pytest.raises(ModelError, match=r"`loss` is missing, and own_compiles:uncompiled does not compile"):
        loaded("uncompiled")
    spec, _ = loaded("uncompiled", loss="poisson", own=("metrics",))
    assert spec.own == ()  # as though the space named none


def test_a_metric_that_is_not_recorded_is_named_before_anything_trains():
    objective = Objective("val_acuracy", Goal.MAXIMIZE)
    with pytest.raises(SpaceFileError, match=r"\(val_loss, val_accuracy\), but got 'val_acuracy' \(did you mean"):
        loaded("plain", objective=objective)


@pytest.mark.parametrize(
    "params",
    [
        [
            {"model.units": 8, "model.rate": 0.01, "model.optimizer": "adam"},
            {"model.units": 12, "model.rate": 0.05, "model.optimizer": "rmsprop"},
        ],
        [{"model.units": 8, "model.rate": 0.01, "model.optimizer": "sgd", "model.skip": True}],
    ],
    ids=["a chain", "no chain"],
)
def test_what_keras_has_names_for_trains_as_lanes_with_the_numbers_of_fit(params):
    spec, data = loaded("tuned", objective=Objective("val_accuracy", Goal.MAXIMIZE))
    spec = inspect_model(spec, data).spec
    trials = suggestions(*({"epochs": 2, **each} for each in params))
    runner, why = choose_runner(spec, data, None)
    ours, theirs = train(runner, trials), train(FitRunner(spec, data), trials)
    assert why is None and runner.name == "compiled/jax"
    if len(params) > 1:
        assert runner.compiled < 2 * len(params)  # they share programs for training and for validation
    for number, one in enumerate(params):
        assert ours[number].curve.keys() == theirs[number].curve.keys()
        for name, values in theirs[number].curve.items():
            np.testing.assert_allclose(ours[number].curve[name], values, rtol=1e-4, atol=1e-6, err_msg=f"{one} {name}")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("sorted_ids", {"k": 2, "from_sorted_ids": True}),
        ("needing_classes", {"num_classes": 10, "sparse_y_pred": False}),
    ],
)
def test_lanes_have_the_arguments_of_its_metrics(name, arguments):
    spec, data = loaded(name)
    assert list(spec.metric_arguments.values()) == [arguments]
    assert choose_runner(inspect_model(spec, data).spec, data, None)[1] is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("of_the_users", "a loss of its own"),
        ("summed", "a loss of its own"),
        ("chosen", "a loss of its own"),
        ("measured", "metrics of its own"),
        ("scheduled", "a schedule of its own"),
        ("slow", "SlowAdam, an optimizer of its own"),
        ("one_way", "a `compile` of its own"),
    ],
)
def test_what_keras_has_no_name_for_trains_by_fit(name, why):
    spec, data = loaded(name)
    spec = replace(spec, objective=Objective("val_accuracy", Goal.MAXIMIZE))  # which ranks trials of several losses
    _, said = choose_runner(inspect_model(spec, data).spec, data, None)
    assert said == f"trials train one by one with `fit`: the model has {why}"
    assert choose_runner(user_spec("regularized"), data, None)[1] is None


def test_a_trial_that_lanes_can_not_have_fails_and_says_what_to_do():
    spec, data = loaded("seldom")
    result = train(CompiledRunner(spec, data), suggestions({"epochs": 1, "model.rate": 0.5}))[0]
    assert result.reason == "the compiled runner does not support a schedule of its own. Add `--runner fit`"


def test_metrics_have_the_names_that_they_have_in_a_fresh_process():
    for _ in range(2):  # as a notebook may have, before
        keras.metrics.SparseTopKCategoricalAccuracy(k=2)
    spec, _ = loaded("tuned", objective=Objective("val_sparse_top_k_categorical_accuracy", Goal.MAXIMIZE))
    assert spec.metrics == ("accuracy", "sparse_top_k_categorical_accuracy")
