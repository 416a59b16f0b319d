"""What is said of a user's model before anything trains."""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError, SpaceFileError
from keras_sweep.models.build import build_model, count_classes
from keras_sweep.models.inspect_model import Inspection, inspect_model
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import ModelSpec, Output, SweepSpec
from keras_sweep.training.fit.runner import FitRunner
from tests.helpers import odd_models
from tests.helpers.data_specs import csv
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, digits, make_spec
from tests.helpers.lane_trials import suggestions, train

DATA = digits(64, 32)
HERE = Path(__file__).parents[2]


def sweep_of(function: str, *parameters: Parameter, **changes: Any) -> SweepSpec:
    model = ModelSpec("python", f"tests.helpers.odd_models:{function}", changes.pop("arguments", {}))
    return make_spec(parameters, model=model, folder=HERE, **changes)


def seen(function: str, *parameters: Parameter, **changes: Any) -> Inspection:
    return inspect_model(sweep_of(function, *parameters, **changes), DATA)


@pytest.mark.parametrize(
    ("function", "weights"), [("subclassed", 4), ("with_build", 3), ("own_step", 4), ("silent", 2), ("named_input", 2)]
)
def test_a_model_is_built_with_all_of_its_weights(function: str, weights: int) -> None:
    asked_with_a_row = function == "silent"  # about the shape of its outputs, which it does not tell
    assert seen(function).output_shape == (1 if asked_with_a_row else None, 10)
    assert len(build_model(sweep_of(function), {}, DATA).weights) == weights


def test_a_model_without_a_call_is_built_of_its_parts() -> None:
    assert len(build_model(sweep_of("without_call"), {}, DATA).weights) == 4


def test_a_model_of_inputs_in_a_list_takes_the_columns_of_their_names() -> None:
    x = {"age": np.zeros((8, 1), np.float32), "picture": np.zeros((8, 8, 8, 1), np.float32)}
    rows = Rows(x, DATA.train.y[:8])
    data = replace(DATA, train=rows, validation=rows)
    assert inspect_model(sweep_of("listed_inputs"), data).output_shape == (None, 10)


@pytest.mark.parametrize(("function", "shape"), [("of_grey_pictures", (8, 8)), ("of_rows_of_pixels", (8, 8, 1))])
def test_a_last_axis_of_one_may_be_missing_or_too_much_as_in_keras(function: str, shape: tuple[int, ...]) -> None:
    rows = Rows(DATA.train.x.reshape(-1, *shape), DATA.train.y)
    data = replace(DATA, train=rows, validation=rows)
    assert inspect_model(sweep_of(function), data).output_shape == (None, 10)
    deep = replace(DATA, train=Rows(DATA.train.x.reshape(-1, 8, 4, 2), DATA.train.y))
    with pytest.raises(ModelError, match="does not take rows of shape"):
        inspect_model(sweep_of(function), deep)


def test_outputs_in_a_list_take_a_dict_of_labels_by_their_names() -> None:
    rows = Rows(DATA.train.x, {"dark": DATA.train.x.mean(1), "digit": DATA.train.y})
    data = replace(DATA, train=rows, validation=rows, classes=None)
    outputs = {"digit": Output("sparse_categorical_crossentropy"), "dark": Output("mse", metrics=("mae",))}
    spec = sweep_of("in_a_list", loss="of each", metrics=(), outputs=outputs)
    found = inspect_model(spec, data)
    assert found.output_shape == {"digit": (None, 10), "dark": (None, 1)}
    spec = replace(spec, objective=Objective("val_dark_mae", Goal.MINIMIZE))
    adam = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2}
    result = train(FitRunner(spec, data), suggestions(adam))[0]
    keras.utils.set_random_seed(42)
    model = odd_models.in_a_list()
    losses = {name: output.loss for name, output in outputs.items()}
    model.compile(keras.optimizers.Adam(0.01), losses, metrics={"dark": ["mae"]})
    log = model.fit(rows.x, rows.y, epochs=2, validation_data=(rows.x, rows.y), verbose=0)
    assert dict(result.curve) == {name: tuple(values) for name, values in log.history.items()}
    assert result.stderr is not None  # each output is given its own labels
    strange = replace(data, train=Rows(rows.x, {"light": DATA.train.x.mean(1), "digit": DATA.train.y}))
    with pytest.raises(ModelError, match="but `loss` names 'digit', 'dark', 'light'"):
        inspect_model(replace(spec, outputs={**outputs, "light": outputs["dark"]}), strange)


@pytest.mark.parametrize(
    ("loss", "y", "classes"),
    [
        ("", np.eye(3)[[0, 1, 2, 1]], 3),
        ("binary_crossentropy", np.array([[0, 1, 1, 0], [1, 1, 0, 0]]), 4),
        ("mean_squared_error", np.array([[0, 1], [1, 1]]), None),
        ("", np.array([[0.5, 1], [1, 1]]), None),
        ("", np.array([[0], [1]]), None),
        ("", np.array([0, 1]), None),
        ("", np.zeros((2, 0)), None),
        ("", {"a": np.array([[0, 1]])}, None),
    ],
)
def test_a_function_is_told_how_many_classes_labels_in_columns_have(loss: str, y: Any, classes: int | None) -> None:
    data = replace(DATA, train=Rows(DATA.train.x, y), classes=None)
    assert count_classes(sweep_of("subclassed", loss=loss), data) == classes
    assert count_classes(sweep_of("subclassed", loss=loss), replace(data, classes=7)) == 7


@pytest.mark.parametrize("function", ["other_rows", "wanting"])
def test_a_column_that_is_dropped_is_named_where_the_model_may_count_on_it(tmp_path: Path, function: str) -> None:
    lines = (f"{k},5,{k % 7},{k % 2}" for k in range(40))
    data = load_search_data(csv(tmp_path, "a,constant,b,y", lines, "binary_crossentropy"))
    with pytest.raises(ModelError, match=r"rows of shape \[2\] \(without 'constant': a single value in training"):
        inspect_model(sweep_of(function), data)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            "nothing",
            r"odd_models:nothing must return a keras.Model, but got None. End the function with `return model`",
        ),
        (
            "a_class",
            r"must return a keras.Model, but got the class Subclassed. End the function with `return model`; for a cla",
        ),
        ("exits", r"odd_models:exits failed: .*odd_models.py:\d+: SystemExit: 0"),
        ("recursion", r"odd_models:recursion failed: .*odd_models.py:\d+: RecursionError: maximum recursion depth"),
        ("two_inputs", r"does not take rows of shape \[64\]: .*Let it take a single array"),
        ("two_outputs", r"must give a single output, but got a list"),
        ("output_by_name", r"must give a single output, but got a dict"),
        ("other_rows", r"does not take rows of shape \[64\]: .*expected shape=\(None, 7\), found shape=\(None, 64\)"),
        ("wanting", r"can't be built for rows of shape \[64\]: .*odd_models.py:\d+: TypeError: .*'pixels'"),
        ("frozen", r"has no weights to train. Make a layer trainable"),
    ],
)
def test_what_is_no_model_to_train_is_refused_in_one_sentence(function: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        seen(function)
    assert "\n" not in str(caught.value)


def test_a_model_that_can_be_built_at_some_points_only_is_looked_at_there() -> None:
    units = Parameter("model.units", Int(4, 8))
    for inspected in (seen("too_small", units), seen("too_small_for_hp")):
        assert inspected.output_shape == (None, 10) and inspected.spec.space.parameters == (units,)
        (notice,) = inspected.notices
        assert notice.startswith("trials with units=4 will fail: ") and "at least 5 units" in notice


def test_a_compile_of_its_own_is_said_to_have_no_effect() -> None:
    loss, metrics = seen("compiled", LEARNING_RATE).notices
    assert loss.endswith(
        "compiles its model with the loss sparse_categorical_crossentropy with from_logits=True, which has no effect: "
        "`loss: sparse_categorical_crossentropy` is used"
    )
    assert metrics.endswith("metrics 'mae', which have no effect: the space file's `metrics` are used")
    assert seen("compiled", OPTIMIZER).notices[2].endswith("which has no effect: the space file's `optimizer` is used")


def faults(function: str, loss: str = "sparse_categorical_crossentropy", **changes: Any) -> list[str]:
    metrics = changes.pop("metrics", ("accuracy",))
    data = changes.pop("data", DATA)
    spec = sweep_of(function, loss=loss, metrics=metrics, **changes)
    inspected = inspect_model(spec, data)
    try:
        check_task(spec, data, inspected.output_shape, inspected.activation)
    except SpaceFileError as error:
        return [f"{fault.rule} ({fault.hint})" for fault in error.faults]
    return []


NO_PROBABILITIES = (
    "`loss: sparse_categorical_crossentropy` takes probabilities, but the model ends with "
    "`{0}` (end it with `activation='softmax'`)"
)
TWO = replace(DATA, train=Rows(DATA.train.x, (DATA.train.y > 4).astype(np.int32)), classes=2)
NUMBERS = replace(DATA, train=Rows(DATA.train.x, DATA.train.y.astype(np.float32)), classes=None)
OF_ONE = "the model ends with `softmax` over a single output, which is 1 for every row (end it with `sigmoid`)"
BEYOND = "the model ends with `sigmoid`, which gives 0 to 1, but the labels of digits go from 0 to 9"


@pytest.mark.parametrize(
    ("arguments", "loss", "data", "said"),
    [
        ({"activation": "linear"}, "sparse_categorical_crossentropy", DATA, NO_PROBABILITIES.format("linear")),
        ({"activation": "tanh"}, "sparse_categorical_crossentropy", DATA, NO_PROBABILITIES.format("tanh")),
        ({"activation": "softmax"}, "sparse_categorical_crossentropy", DATA, None),
        ({"activation": "exponential"}, "sparse_categorical_crossentropy", DATA, None),  # Keras divides by the sum
        ({"activation": "softmax", "units": 1}, "binary_crossentropy", TWO, OF_ONE),
        ({"activation": "sigmoid", "units": 1}, "mean_squared_error", NUMBERS, BEYOND),
    ],
)
def test_a_model_whose_last_activation_does_not_fit_is_refused(arguments, loss, data, said) -> None:
    found = faults("ending_with", loss, arguments=arguments, data=data, metrics=())
    assert len(found) == (said is not None) and all(fault.startswith(said) for fault in found)


def test_where_its_layers_do_not_tell_a_model_is_asked_for_its_outputs() -> None:
    assert faults("ending_with_layer") == []  # which gives probabilities
    assert any("takes probabilities, but the model of" in notice for notice in seen("ending_with_own_layer").notices)
    assert not any("takes probabilities" in notice for notice in seen("subclassed").notices)


def test_what_opens_the_file_is_said_before_the_search() -> None:
    assert seen("with_lambda").notices[0].endswith("this opens it: `keras.models.load_model(path, safe_mode=False)`")
    call = "`keras.models.load_model(path, custom_objects={'Twice': tests.helpers.odd_models.Twice})`"
    (words,) = seen("with_own_layer").notices
    assert words.endswith(f", which contains your code; this opens it: {call}")
    assert seen("subclassed").notices == seen("with_function_of_keras").notices == ()
    assert "only the best model's weights can be saved (Object Unwritable was created" in str(
        seen("unwritable").notices
    )


def test_a_function_leaves_the_process_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    before = os.getcwd(), sys.excepthook, list(warnings.filters)  # noqa: PTH109
    build_model(sweep_of("changing_the_process"), {}, DATA)
    assert (os.getcwd(), sys.excepthook, list(warnings.filters)) == before  # noqa: PTH109
    out, err = capsys.readouterr()
    assert (out, err) == ("", "building\n")


def test_looking_leaves_training_as_it_would_be() -> None:
    spec = sweep_of("subclassed", LEARNING_RATE)
    from keras_sweep.training.build_trial import compile_model
    from keras_sweep.trial.plan import training_plan

    def weights() -> list[Any]:
        return list(compile_model(spec, training_plan(spec, {"learning_rate": 0.1}), DATA).get_weights())

    first = weights()
    inspect_model(spec, DATA)
    for one, again in zip(first, weights(), strict=True):
        np.testing.assert_array_equal(one, again)
    assert keras.backend.backend() == "jax"
