"""Losses and metrics with arguments: lanes and `fit` have the numbers of a script with Keras's own objects."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.data_spec import TargetScale
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import ModelSpec, Output
from keras_sweep.space_file.keras_tables import LOSS_ARGUMENTS, LOSSES
from keras_sweep.training.losses import compile_arguments, make_from_source, make_loss, make_metric, metrics_argument
from tests.helpers import user_losses
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import FOLDER, fitted, lanes, suggestions, with_labels
from tests.helpers.plain_fit import plain_fit
from tests.helpers.walk import assert_same

RUNNERS = {"lanes": lanes, "fit": lambda spec, data, trials: fitted(spec, data, trials[:1])}  # all compare the first
PAIR = suggestions(
    *({"optimizer": "adam", "learning_rate": rate, "epochs": 3, "batch_size": 32} for rate in (0.01, 0.1))
)
BY_LOSS = Objective("val_loss", Goal.MINIMIZE)


def one_hot(data):
    return with_labels(data, lambda y: np.eye(10, dtype=np.float32)[y])


def numbers(data):
    return with_labels(data, lambda y: (y / 3).astype(np.float32), classes=None)


def model(units, activation):
    return lambda: keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(units, activation=activation)])


def images(units, activation):
    """A pixel of 8 x 8 at a time."""
    return lambda: keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(units, 1, activation=activation),
        ]
    )


def masks(data):
    """A class for each pixel."""
    parts = {"train": data.train, "validation": data.validation}
    images = {name: rows.x.reshape(-1, 8, 8) for name, rows in parts.items()}
    labels = {name: (x > 0.5).astype(np.int32) + (x > 0.9) for name, x in images.items()}
    return replace(data, classes=None, **{name: Rows(rows.x, labels[name]) for name, rows in parts.items()})


def shares(data):
    return with_labels(data, lambda y: (np.eye(10)[y] * 0.8 + np.eye(10)[(y + 1) % 10] * 0.2).astype(np.float32))


CASES = {
    "logits of class indices": (
        lambda data: data,
        "sparse_categorical_crossentropy",
        {"from_logits": True},
        {"sparse_top_k_categorical_accuracy": {"k": 2}},
        model(10, "linear"),
    ),
    "a class a pixel": (
        masks,
        "sparse_categorical_crossentropy",
        {"ignore_class": 7},
        {"mean_io_u": {"num_classes": 3, "sparse_y_pred": False}},
        images(3, "softmax"),
    ),
    "shares of classes": (shares, "categorical_crossentropy", {}, {}, model(10, "softmax")),
    "errors": (numbers, "huber", {"delta": 0.3}, {"r2_score": {"num_regressors": 0}}, model(1, "linear")),
}


def of_keras(loss, arguments, metrics):
    """As a script makes them."""
    kinds = {
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
        "huber": keras.losses.Huber,
        "sparse_top_k_categorical_accuracy": keras.metrics.SparseTopKCategoricalAccuracy,
        "mean_io_u": keras.metrics.MeanIoU,
        "r2_score": keras.metrics.R2Score,
    }
    made = [kinds[name](**given, name=name) for name, given in metrics.items()]
    return {"loss": kinds[loss](**arguments), "metrics": made}


def of_user(build):
    return {"folder": FOLDER, "model": ModelSpec("python", register_function(build))}


def spec_of(loss, arguments, metrics, **changes):
    usual = {"metrics": tuple(metrics), "objective": BY_LOSS}
    return make_spec(loss=loss, loss_arguments=arguments, metric_arguments=metrics, **{**usual, **changes})


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # which Keras asks of JAX for `mean_io_u`
@pytest.mark.parametrize(
    ("labels", "loss", "arguments", "metrics", "build"),
    [
        pytest.param(*each, id=name, marks=[pytest.mark.soak] * name.startswith("a class"))
        for name, each in CASES.items()
    ],
)
def test_it_has_the_numbers_of_a_script_with_keras_own_objects(data, labels, loss, arguments, metrics, build):
    rows, spec = labels(data), spec_of(loss, arguments, metrics, **of_user(build))
    expected = plain_fit(build, rows, PAIR[0].params, **of_keras(loss, arguments, metrics))
    for name, run in RUNNERS.items():
        result = run(spec, rows, PAIR)[0]
        assert set(result.curve) == set(expected.history)
        assert_same(result, expected, name)
        # What each row contributes adds up, so that trials are compared row by row.
        assert result.scores.values().mean() == pytest.approx(result.value, rel=1e-4)
        assert result.stderr > 0


def test_an_argument_of_the_loss_may_be_a_parameter(data):
    space = (LEARNING_RATE, EPOCHS, Parameter("loss.label_smoothing", Categorical((0.0, 0.3))))
    spec = spec_of("categorical_crossentropy", {}, {}, space=make_spec(space).space)
    trials = suggestions(*({**PAIR[0].params, "loss.label_smoothing": share} for share in (0.0, 0.3)))
    both = [run(spec, one_hot(data), trials) for run in (lanes, fitted)]
    for number, share in enumerate((0.0, 0.3)):
        compiled = of_keras("categorical_crossentropy", {"label_smoothing": share}, {})
        expected = plain_fit(model(10, "softmax"), one_hot(data), PAIR[0].params, **compiled)
        for results in both:
            assert_same(results[number], expected, share)


def test_a_metric_with_arguments_ranks_and_no_part_of_a_row_is_made_up(data):
    top = {"sparse_top_k_categorical_accuracy": {"k": 2}}
    name = "val_sparse_top_k_categorical_accuracy"
    spec = spec_of("sparse_categorical_crossentropy", {}, top, objective=Objective(name, Goal.MAXIMIZE))
    result = lanes(spec, data, PAIR)[0]
    assert result.value == result.curve[name][-1]
    assert (result.scores, result.stderr) == (None, None)


@pytest.mark.parametrize("name", [name for name in LOSSES if LOSS_ARGUMENTS[name]])
def test_keras_takes_every_argument_that_is_listed(name):
    import inspect

    spec = make_spec(loss=name)
    kind = type(make_loss(spec, {LOSS_ARGUMENTS[name][0]: 0.5}))
    given = {key: inspect.signature(kind).parameters[key].default for key in LOSS_ARGUMENTS[name]}
    assert make_loss(spec, given) is make_loss(
        spec, dict(reversed(given.items()))
    )  # one object, so that it is traced once


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "huber", "loss_arguments": {"slope": 1.0}}, "'huber' does not accept "),
        ({"loss": "hinge", "loss_arguments": {"delta": 1.0}}, "'hinge' does not accept "),
        ({"metrics": ("auc",), "metric_arguments": {"auc": {"curve": "ABC"}}}, "'auc' does not accept "),
        ({"loss": "user_losses:absent"}, "has no `absent`"),
        ({"loss": "user_losses:NOTHING"}, "NOTHING must be or return a loss or metric, but got int"),
        ({"loss": "user_losses:Tilted", "loss_arguments": {"slope": 1.0}}, "calling user_losses:Tilted with .*slope"),
        (
            {"metrics": ("misnamed",), "metric_arguments": {"misnamed": {"python": "user_losses:misnamed"}}},
            "must be named 'misnamed', but got 'other'",
        ),
    ],
)
def test_what_keras_does_not_take_is_said(data, changes, message):
    spec = make_spec(folder=FOLDER, **changes)
    with pytest.raises(ModelError, match=message):
        compile_arguments(spec, spec.loss_arguments, data)


OWN = {
    "a function": (lambda data: data, "far", {}, user_losses.far),
    "a function that makes it": (lambda data: data, "focal", {"gamma": 2.0}, user_losses.focal(2.0)),
    "a class": (one_hot, "Tilted", {"share": 0.8}, user_losses.Tilted(0.8)),
}


@pytest.mark.parametrize(("labels", "name", "arguments", "loss"), OWN.values(), ids=OWN)
def test_a_loss_of_the_users_has_the_numbers_of_a_script_and_a_score_for_each_row(data, labels, name, arguments, loss):
    build = model(10, "softmax")
    rows, spec = labels(data), spec_of(f"user_losses:{name}", arguments, {}, **of_user(build))
    expected = plain_fit(build, rows, PAIR[0].params, loss=loss, metrics=[])
    for kind, run in RUNNERS.items():
        result = run(spec, rows, PAIR)[0]
        assert_same(result, expected, f"{name}, {kind}")
        scores = result.scores.values()
        assert scores.mean() == pytest.approx(result.value, rel=1e-4)
        assert result.stderr == pytest.approx(scores.std(ddof=1) / len(rows.validation) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("run", RUNNERS.values(), ids=RUNNERS)
def test_metrics_of_the_users_are_recorded_by_their_names_and_may_rank(data, run):
    build = model(10, "softmax")
    metrics = {
        "sure": {"python": "user_losses:sure"},
        "MeanHighest": {"python": "user_losses:MeanHighest", "power": 2.0},
        "Powers": {"python": "user_losses:Powers"},
    }
    goal = Objective("val_sure", Goal.MAXIMIZE)
    spec = spec_of("sparse_categorical_crossentropy", {}, metrics, objective=goal, **of_user(build))
    result = run(spec, data, PAIR)[0]
    made = [
        keras.metrics.MeanMetricWrapper(user_losses.sure, name="sure"),
        user_losses.MeanHighest(power=2.0),
        user_losses.Powers(),
    ]
    assert {"val_first", "val_second"} < set(result.curve)
    assert_same(result, plain_fit(build, data, PAIR[0].params, metrics=made), "metrics")
    assert result.scores.values().mean() == pytest.approx(result.value) and result.stderr > 0
    by_other = replace(spec, objective=Objective("val_MeanHighest", Goal.MAXIMIZE))
    assert run(by_other, data, PAIR[:1])[0].stderr is None  # what a row counts in it is not known


def test_a_loss_that_is_one_number_of_a_batch_has_no_score_for_each_row(data):
    spec = spec_of("user_losses:of_the_batch", {}, {}, **of_user(model(10, "softmax")))
    result = fitted(spec, data, PAIR[:1])[0]
    assert result.value > 0 and (result.scores, result.stderr) == (None, None)


TWO = {"a": Output("mse", metrics=("mae",)), "b": Output("huber", {"delta": 0.5}, weight=2.0)}


def test_what_a_model_compiles_itself_with_is_left_to_it(data):
    usual = {"loss": "mse", "metrics": ["accuracy"]}
    spec = make_spec(loss="mse")
    assert compile_arguments(spec, {}, data) == usual
    assert compile_arguments(replace(spec, own=("loss",)), {}, data) == {"metrics": ["accuracy"]}
    assert compile_arguments(replace(spec, own=("metrics",)), {}, data) == {"loss": "mse"}
    weighed = replace(data, train=replace(data.train, weights=np.ones(len(data.train), np.float32)))
    assert metrics_argument(spec, weighed) == {"weighted_metrics": ["accuracy"]}


def test_each_output_has_its_own_loss_metrics_and_weight(data):
    spec = make_spec(outputs=TWO)
    found = compile_arguments(spec, {}, data)
    assert found["loss"]["a"] == "mse"
    assert float(found["loss"]["b"](np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32))) == 0.5 * (1 - 0.25)
    assert found["loss_weights"] == {"a": 1.0, "b": 2.0} and found["metrics"] == {"a": ["mae"]}
    alike = {name: replace(output, weight=1.0) for name, output in TWO.items()}
    for other in (make_spec(outputs=alike), replace(spec, own=("loss",))):
        assert "loss_weights" not in compile_arguments(other, {}, data)


def test_a_metric_with_arguments_is_a_new_object_each_time():
    spec = make_spec(metric_arguments={"auc": {"thresholds": (0.25, 0.75)}})
    first, second = make_metric(spec, "auc"), make_metric(spec, "auc")
    assert first is not second and first.name == "auc"
    assert list(first.get_config()["thresholds"]) == [0.25, 0.75]
    assert make_metric(spec, "accuracy") == "accuracy"


def test_a_transformed_target_is_compared_as_what_the_model_learns():
    pair = np.array([[3.0], [1.0]]), np.array([[1.0], [-5.0]])
    logged = [np.log1p(values[0, 0]) for values in pair]
    log = make_loss(make_spec(loss="mse", scale=TargetScale("log", 0.0)), {})
    found = np.asarray(log(*pair))
    assert found[0] == pytest.approx((logged[0] - logged[1]) ** 2)
    assert found[1] == pytest.approx((np.log(2) - np.log(1e-6)) ** 2, rel=1e-2)  # below -1 there is no logarithm
    standard = make_loss(make_spec(loss="mae", scale=TargetScale("standard", 2.0, 4.0)), {})
    np.testing.assert_allclose(standard(*pair), [0.5, 1.5])
    huber = make_loss(make_spec(loss="huber", scale=TargetScale("standard", 2.0, 4.0)), {"delta": 0.25})
    np.testing.assert_allclose(huber(*pair), [0.25 * (0.5 - 0.125), 0.25 * (1.5 - 0.125)])


def test_what_the_user_names_is_made_if_it_needs_nothing_or_has_arguments():
    assert make_from_source("user_losses:far", {}, FOLDER).__name__ == "far"
    assert make_from_source("user_losses:focal", {}, FOLDER).__name__ == "loss"
