"""Whether loss, metrics, the model's output and the labels go together: looked at before anything trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from keras_sweep.data.labels import LabelForm, loss_needs
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import joined, quoted

_SPARSE = {"sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy"}
_CATEGORICAL = {"categorical_accuracy", "categorical_crossentropy", "categorical_hinge", "top_k_categorical_accuracy"}
_BY_CLASS = {"f1_score", "f_beta_score"}  # give one number a class, where a record needs one number
_OF_COLUMNS = {"binary_crossentropy", "bce", "pearson_correlation"}  # take [N, K] alone
_ANY_SIGN = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "tanh", "elu", "selu", "gelu", "silu", "softsign", "log_softmax", "mish"}
)  # activations whose outputs Keras can't scale to probabilities: some are below zero, or all of a row are zero
_BEYOND_ONE = frozenset({"exponential", "softplus"})
_OF_CLASSES = {
    "accuracy", "acc", "auc", "binary_accuracy", "binary_crossentropy", "bce", "binary_io_u", "false_negatives",
    "false_positives", "hinge", "kl_divergence", "precision", "recall", "squared_hinge", "true_negatives",
    "true_positives",
}  # fmt: skip

# Metrics that Keras raises for, or computes nonsense of, where labels have this form. A test tries all others.
UNFIT_METRICS: Mapping[LabelForm, frozenset[str]] = {
    LabelForm.ONE_HOT: frozenset(_SPARSE | _BY_CLASS),
    LabelForm.BINARY: frozenset(_SPARSE | _CATEGORICAL | _BY_CLASS),
    LabelForm.NUMBER: frozenset(_SPARSE | _CATEGORICAL | _BY_CLASS | _OF_CLASSES),
}
INDEX_METRICS = frozenset({"accuracy", "acc", *_SPARSE})  # the only ones that take class indices
INSTEAD: Mapping[LabelForm, str] = {
    LabelForm.INDEX: "accuracy",
    LabelForm.ONE_HOT: "accuracy",
    LabelForm.BINARY: "accuracy",
    LabelForm.NUMBER: "mean_absolute_error",
}


def check_task(
    spec: SweepSpec,
    data: SearchData,
    output_shape: tuple[int | None, ...] | None = None,
    activation: str | None = None,
) -> None:
    """See that what the space file says goes together with the data.

    Args:
        output_shape: of a built model, rows first; for the dense model its arguments are looked at instead.
        activation: that a built model ends with, if it is known.

    Raises:
        SpaceFileError: every mismatch, each with its fix.
    """
    faults = [*_label_faults(spec, data), *_metric_faults(spec, data)]
    if output_shape is not None:
        faults += [*_shape_faults(spec, data, output_shape), *_ending_faults(spec, data, output_shape, activation)]
    elif spec.model.kind == "dense":
        faults += [*_units_faults(spec, data), *_activation_faults(spec)]
    if faults:
        raise SpaceFileError(spec.file, faults)


def units_needed(loss: str, data: SearchData) -> int:
    """How many outputs fit the labels: one a column of [N, K], one a class for class indices, else one."""
    if data.train.y.ndim > 1:
        return int(data.train.y.shape[1])
    return data.classes or 1 if loss_needs(loss).form is LabelForm.INDEX else 1


def _label_faults(spec: SweepSpec, data: SearchData) -> Iterator[Fault]:
    form, lowest = loss_needs(spec.loss).form, float(np.min(data.train.y))
    if form is LabelForm.NUMBER and data.class_names:
        few = joined(data.class_names[:3]) + (", ..." if len(data.class_names) > 3 else "")
        yield Fault(
            f"`{spec.loss}` takes numbers, but the labels of {data.name} are classes ({few})",
            "loss",
            hint=f"use `{'binary' if len(data.class_names) == 2 else 'sparse_categorical'}_crossentropy`",
        )
    elif spec.loss == "poisson" and lowest < 0:
        yield Fault(
            f"`poisson` takes labels of at least 0, but the least is {lowest:g}",
            "loss",
            hint="use `mean_squared_error`",
        )
    elif spec.loss in ("msle", "mean_squared_logarithmic_error") and lowest <= -1:
        yield Fault(
            f"`{spec.loss}` takes labels above -1, but the least is {lowest:g}", "loss", hint="use `mean_squared_error`"
        )


def _metric_faults(spec: SweepSpec, data: SearchData) -> Iterator[Fault]:
    form = loss_needs(spec.loss).form
    for index, metric in enumerate(spec.metrics):
        if form is LabelForm.INDEX:
            fits = metric in INDEX_METRICS
        else:
            fits = metric not in UNFIT_METRICS[form] and not (data.train.y.ndim == 1 and metric in _OF_COLUMNS)
        if not fits:
            yield Fault(
                f"the metric `{metric}` does not go with `loss: {spec.loss}`, whose labels are {form.value}"
                + (" in one column" if metric in _OF_COLUMNS and form is not LabelForm.INDEX else ""),
                f"metrics[{index}]",
                hint=f"use `{INSTEAD[form]}`",
            )


def _units_faults(spec: SweepSpec, data: SearchData) -> Iterator[Fault]:
    needed = units_needed(spec.loss, data)
    for key, values, only in _values(spec, "units"):
        wrong = [value for value in values if value is not None and value != needed]
        if wrong or not only:
            yield Fault(
                f"the output layer needs {_outputs(needed)} for `loss: {spec.loss}` and the labels of {data.name}, "
                f"but got {quoted(wrong[0]) if only else 'a range'}",
                key,
                hint=f"set it to {needed}, or leave it out",
            )


def _activation_faults(spec: SweepSpec) -> Iterator[Fault]:
    fitting = loss_needs(spec.loss).activations
    for key, values, _ in _values(spec, "activation"):
        wrong = [value for value in values if value is not None and fitting and value not in fitting]
        if wrong:
            yield Fault(
                f"`loss: {spec.loss}` takes the output of {' or '.join(f'`{name}`' for name in fitting)}, "
                f"but got {quoted(wrong[0])}",
                key,
                hint=f"use `{fitting[0]}`, or leave it out",
            )


def _shape_faults(spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...]) -> Iterator[Fault]:
    needed = units_needed(spec.loss, data)
    if len(output_shape) != 2 or output_shape[-1] != needed:
        yield Fault(
            f"the model must give {_outputs(needed)} a row for `loss: {spec.loss}` and the labels of {data.name}, "
            f"but its output has shape {list(output_shape[1:])}",
            "model",
            hint=f"end it with `Dense({needed})` and an activation that fits the loss",
        )


def _ending_faults(
    spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...], activation: str | None
) -> Iterator[Fault]:
    """What a model of the user's ends with, where it trains to nonsense without a word from Keras."""
    fitting = loss_needs(spec.loss).activations
    if activation == "softmax" and output_shape[-1] == 1:
        yield Fault(
            "the model ends with `softmax` over one output, which is 1 for every row",
            "model",
            hint=f"end it with `{fitting[0] if fitting and fitting[0] != 'softmax' else 'sigmoid'}`",
        )
    elif fitting[:1] in (("softmax",), ("sigmoid",)) and (
        activation in _ANY_SIGN or (activation in _BEYOND_ONE and fitting[0] == "sigmoid")
    ):
        yield Fault(
            f"`loss: {spec.loss}` takes probabilities, but the model ends with `{activation}`",
            "model",
            hint=f"end it with `activation={fitting[0]!r}`",
        )
    elif activation in ("softmax", "sigmoid") and loss_needs(spec.loss).form is LabelForm.NUMBER:
        low, high = float(np.min(data.train.y)), float(np.max(data.train.y))
        if low < 0 or high > 1:
            yield Fault(
                f"the model ends with `{activation}`, which gives 0 to 1, but the labels of {data.name} go from "
                f"{low:g} to {high:g}",
                "model",
                hint=f"end it with `activation={fitting[0] if fitting else 'linear'!r}`",
            )


def _values(spec: SweepSpec, argument: str) -> Iterator[tuple[str, tuple[Value, ...], bool]]:
    """(key, values, whether these are all) of a model argument: as it is fixed, or as it is searched."""
    name = f"model.{argument}"
    if argument in spec.model.arguments:
        yield f"model.dense.{argument}", (spec.model.arguments[argument],), True
    if name in spec.space.constants:
        yield f"parameters.{name}", (spec.space.constants[name],), True
    for parameter in spec.space.parameters:
        if parameter.name == name:
            few = parameter.distribution.size <= 100
            yield f"parameters.{name}", tuple(parameter.distribution.values()) if few else (), few


def _outputs(count: int) -> str:
    return "1 output" if count == 1 else f"{count} outputs"
