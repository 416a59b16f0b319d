"""Loss, metrics, output and labels are checked against each other, with the fix in the message."""

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task, infer_output_shape
from keras_sweep.data.labels import LOSS_NEEDS, LabelForm, Labels
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import SpaceFileError
from keras_sweep.space.distributions import Categorical, Int
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec, SweepSpec
from keras_sweep.space_file.keras_tables import METRICS
from tests.helpers.data_specs import named

TASKS = {
    LabelForm.INDEX: ("sparse_categorical_crossentropy", 4, "softmax"),
    LabelForm.ONE_HOT: ("categorical_crossentropy", 4, "softmax"),
    LabelForm.BINARY: ("binary_crossentropy", 1, "sigmoid"),
    LabelForm.NUMBER: ("mean_squared_error", 1, "linear"),
}


def data_of(form: LabelForm) -> SearchData:
    draw = np.random.default_rng(0)
    indices = draw.integers(0, 4 if form in (LabelForm.INDEX, LabelForm.ONE_HOT) else 2, 40)
    y: Any = indices.astype(np.int32)
    if form is LabelForm.ONE_HOT:
        y = np.eye(4, dtype=np.float32)[indices]
    if form is LabelForm.NUMBER:
        y = draw.normal(size=40).astype(np.float32)
    rows = Rows(draw.normal(size=(40, 3)).astype(np.float32), y)
    classes = {LabelForm.BINARY: 2, LabelForm.NUMBER: None}.get(form, 4)
    return SearchData("it", rows, rows, "", classes)


def spec_of(loss: str, *metrics: str, **arguments: Any) -> SweepSpec:
    return replace(named("iris"), loss=loss, metrics=metrics, model=ModelSpec("dense", "dense", arguments))


def faults(spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...] | None = None) -> list[str]:
    """The faults as lines; [] where there is none."""
    try:
        check_task(spec, data, output_shape)
    except SpaceFileError as error:
        return [fault.text("it") for fault in error.faults]
    return []


@pytest.mark.parametrize(
    "form", [pytest.param(one, marks=[pytest.mark.soak] * (one is not LabelForm.INDEX)) for one in TASKS]
)
def test_every_metric_that_passes_is_one_that_keras_computes(form: LabelForm) -> None:
    import keras

    loss, units, activation = TASKS[form]
    data = data_of(form)
    passed = [metric for metric in METRICS if not faults(spec_of(loss, metric), data)]
    assert len(passed) > 4
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation=activation)])
    model.compile(loss=loss, metrics=passed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of Keras's metrics cast with a remark
        y = Labels(form).for_metrics(passed).encode(data.train.y, "rows")
        scores = model.evaluate(data.train.x, y, verbose=0, return_dict=True)
    assert all(np.ndim(value) == 0 for value in scores.values())
    finite = {name for name, value in scores.items() if np.isfinite(value)}
    assert set(scores) - finite <= {"poisson"}  # the logarithm of an output below zero
    assert set(passed) <= set(scores)


@pytest.mark.parametrize("loss", LOSS_NEEDS)
def test_every_loss_passes_with_what_it_needs(loss: str) -> None:
    needs = LOSS_NEEDS[loss]
    data = data_of(needs.form)
    if loss in ("poisson", "msle", "mean_squared_logarithmic_error"):
        data = replace(data, train=Rows(data.train.x, np.abs(data.train.y)))
    units = infer_output_shape(loss, data)[0]
    for activation in needs.activations:
        assert not faults(spec_of(loss, units=units, activation=activation), data)
    assert not faults(spec_of(loss), data, (None, units))


SPARSE = "sparse_categorical_crossentropy"
with_threshold = replace(
    spec_of("categorical_crossentropy", "f1_score"), metric_arguments={"f1_score": {"threshold": 0.5}}
)
with_average = replace(spec_of("binary_crossentropy", "f1_score"), metric_arguments={"f1_score": {"average": "macro"}})
MISMATCHES = [
    (spec_of(SPARSE, units=3), ["dense.units: .*4 outputs.*got 3"]),
    (spec_of(SPARSE, "categorical_accuracy"), ["metrics.0.: .*class indices.*use `accuracy`"]),
    (
        spec_of("binary_crossentropy", "mae", units=2, activation="softmax"),
        ["needs 1 output .*got 2", "`sigmoid` or `hard_sigmoid`, but got 'softmax'"],
    ),
    (
        spec_of("mean_squared_error", "mae", "accuracy", activation="softmax"),
        ["metrics.1.: .*`accuracy` does not fit `loss: .*use `mean_abs", "needs the activation `linear`"],
    ),
    (spec_of("binary_crossentropy", "pearson_correlation"), ["0 or 1 in a single column"]),
    (spec_of("binary_crossentropy", "f1_score"), ["`f1_score` .*use `{name: f1_score, threshold: 0.5}`"]),
    (with_average, ["`f1_score` .*use `{name: f1_score, threshold: 0.5}`"]),
    (spec_of("categorical_crossentropy", "f1_score"), ["`f1_score` .*use `{name: f1_score, average: macro}`"]),
    (with_threshold, ["`f1_score` .*use `{name: f1_score, average: macro}`"]),
    (spec_of("poisson"), ["at least 0, but the lowest is -.*use `mean_squared_error`"]),
]


@pytest.mark.parametrize(("spec", "expected"), MISMATCHES)
def test_all_mismatches_are_listed_with_their_fix(spec: SweepSpec, expected: list[str]) -> None:
    found = faults(spec, data_of(LOSS_NEEDS[spec.loss].form))
    assert len(found) == len(expected)
    for line, pattern in zip(found, expected, strict=True):
        assert re.search(pattern, line), line


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("metric", ["f1_score", "f_beta_score"])
def test_of_two_classes_in_one_column_a_metric_by_class_takes_a_threshold(metric: str, shape: tuple[int, ...]) -> None:
    spec = replace(spec_of("binary_crossentropy", metric), metric_arguments={metric: {"threshold": 0.5}})
    data = data_of(LabelForm.BINARY)
    data = replace(data, train=Rows(data.train.x, data.train.y.reshape(shape)))
    assert not faults(spec, data) and not faults(spec, data, (None, 1))
    own = replace(spec, loss="mine:loss", model=ModelSpec("python", "a:b"))
    assert not faults(own, data, (None, 1))
    assert "does not fit" in faults(own, data, (None, 2))[0]  # Keras multiplies each label with each output


@pytest.mark.parametrize("form", TASKS)
def test_labels_in_a_column_are_judged_as_those_that_are_not(form: LabelForm) -> None:
    loss, units, _ = TASKS[form]
    data = data_of(form)
    weights = np.ones(len(data.train), np.float32)
    rows = Rows(data.train.x, data.train.y.reshape(len(data.train), -1), weights)
    in_column = replace(data, train=rows)
    metrics = ("accuracy", "mae", "pearson_correlation")
    assert infer_output_shape(loss, in_column) == infer_output_shape(loss, data) == (units,)
    assert faults(spec_of(loss, *metrics), in_column) == faults(spec_of(loss, *metrics), data)


def test_searched_arguments_are_looked_at_too() -> None:
    data = data_of(LabelForm.INDEX)
    spec = spec_of("sparse_categorical_crossentropy")
    units = Parameter("model.units", Int(2, 10**6))
    activation = Parameter("model.activation", Categorical(("softmax", "relu")))
    found = faults(replace(spec, space=SearchSpace((units, activation))), data)
    assert len(found) == 2
    assert "parameters.model.units" in found[0] and "got 2 " in found[0]
    assert "parameters.model.activation" in found[1] and "'relu'" in found[1]
    fine = SearchSpace((Parameter("model.hidden", Int(1, 9)),), {"model.units": 4})
    assert not faults(replace(spec, space=fine), data)


def test_a_built_model_is_judged_by_its_output() -> None:
    data = data_of(LabelForm.INDEX)
    spec = replace(spec_of("sparse_categorical_crossentropy"), model=ModelSpec("python", "a:b"))
    assert not faults(spec, data) and not faults(spec, data, (None, 4))
    for shape in ((None, 3), (None, 2, 4)):
        assert "must give each row 4 outputs" in faults(spec, data, shape)[0]


def test_a_loss_of_numbers_on_classes_names_the_loss_of_classes() -> None:
    for name, loss in (("wine", "sparse_categorical_crossentropy"), ("breast_cancer", "binary_crossentropy")):
        spec = named(name, "mse")
        assert f"use `{loss}`" in faults(spec, load_search_data(spec))[0]


def of_shape(*shape: int, highest: int) -> SearchData:
    rows = Rows(np.zeros((4, 3), np.float32), np.arange(4 * np.prod(shape)).reshape(4, *shape) % (highest + 1))
    return SearchData("it", rows, rows, "", None)


@pytest.mark.parametrize(
    ("loss", "data", "output", "fault"),
    [
        (SPARSE, of_shape(8, 8, highest=2), (None, 8, 8, 3), None),
        (SPARSE, of_shape(8, 8, 1, highest=2), (None, 8, 8, 5), None),
        (SPARSE, of_shape(8, 8, highest=2), (None, None, None, 3), None),
        (SPARSE, of_shape(5, highest=2), (None, 5), r"each row outputs of shape \[5, 3\] .*has shape \[5\]"),
        ("mse", of_shape(8, 8, 1, highest=2), (None, 8, 8), None),
        (
            "mse",
            of_shape(8, 8, highest=2),
            (None, 64),
            r"each row outputs of shape \[8, 8\] .*end it with a layer of this output shape",
        ),
        ("mine:loss", of_shape(8, 8, highest=2), (None, 2), None),  # which takes what it takes
        ("mse", of_shape(8, 8, highest=2), None, r"labels of it have the shape \[8, 8\].*use your own model"),
    ],
)
def test_a_model_gives_what_labels_of_any_shape_ask(
    loss: str, data: SearchData, output: Any, fault: str | None
) -> None:
    model = ModelSpec() if output is None else ModelSpec("python", "mine:model")
    found = faults(replace(spec_of(loss), model=model), data, output)
    assert (found == []) == (fault is None) and all(re.search(str(fault), one) for one in found)


def test_rows_of_several_numbers_do_not_weigh_unlike() -> None:
    weights = np.ones(40, np.float32)
    for loss, y, many in (
        ("sparse_categorical_crossentropy", np.zeros((40, 5), np.int32), True),
        ("mean_squared_error", np.zeros((40, 5, 2), np.float32), True),
        ("mean_squared_error", np.zeros((40, 5), np.float32), False),
        ("binary_crossentropy", np.zeros((40, 5), np.float32), False),
    ):
        rows = Rows(np.zeros((40, 3), np.float32), y, weights)
        data = SearchData("it", rows, rows, "", None)
        assert any("so Keras can't weight the rows" in line for line in faults(spec_of(loss), data)) == many
