"""Check before training that loss, metrics, model output and labels fit together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_sweep.data.arrays import ravel_column
from keras_sweep.data.labels import LabelForm, loss_needs
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.space.distributions import Categorical, Value
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize, pluralize, quote

_SPARSE = {"sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy"}
_CATEGORICAL = {"categorical_accuracy", "categorical_crossentropy", "categorical_hinge", "top_k_categorical_accuracy"}
_BY_CLASS = {"f1_score", "f_beta_score"}  # give a number for each class, unless `average` is set
_OF_COLUMNS = {"pearson_correlation"}  # give no number for a single column
# Keras can't scale the outputs of these to probabilities: some are below zero, or all outputs of a row are zero.
_ANY_SIGN = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "tanh", "elu", "selu", "gelu", "silu", "softsign", "log_softmax", "mish"}
)
_BEYOND_ONE = frozenset({"exponential", "softplus"})
_OF_CLASSES = {
    "accuracy", "acc", "auc", "binary_accuracy", "binary_crossentropy", "bce", "binary_io_u", "false_negatives",
    "false_positives", "hinge", "kl_divergence", "precision", "recall", "squared_hinge", "true_negatives",
    "true_positives",
}  # fmt: skip

# For labels of this form Keras raises in these metrics, or computes nonsense. A test tries all other metrics.
UNFIT_METRICS: Mapping[LabelForm, frozenset[str]] = {
    LabelForm.ONE_HOT: frozenset(_SPARSE | _BY_CLASS),
    LabelForm.BINARY: frozenset(_SPARSE | _CATEGORICAL | _BY_CLASS),
    LabelForm.NUMBER: frozenset(_SPARSE | _CATEGORICAL | _BY_CLASS | _OF_CLASSES),
    LabelForm.ANY: frozenset(_BY_CLASS),
}
INDEX_METRICS = frozenset({"accuracy", "acc", *_SPARSE})  # the only metrics that take class indices


def check_task(spec: SweepSpec, data: SearchData, output_shape: Any = None, activation: Any = None) -> None:
    """Check that the space file's loss and metrics fit the labels and the model. `output_shape`, like (None, 10) with
    the rows first, and `activation`, the last of the model or None if unknown, describe a user's model. With several
    outputs, each is a dict by output name. For the dense model leave out both: its arguments in the space file are
    checked. Raises SpaceFileError with every mismatch."""
    several = isinstance(data.train.y, dict | tuple)
    if spec.outputs and several and output_shape is not None and "loss" not in spec.own:
        faults = [
            replace(fault, key=f"{fault.key.partition('[')[0]}.{name}" if fault.key else "")
            for name in spec.outputs
            for fault in _check(spec.output(name), _select(spec, data, name), output_shape[name], activation[name])
        ]
    elif not spec.loss or several:  # the loss is in the user's `compile` or training loop
        return
    else:
        faults = _check(spec, data, output_shape, activation)
    if faults:
        raise SpaceFileError(spec.file, faults)


def _select(spec: SweepSpec, data: SearchData, name: str) -> SearchData:
    y = spec.part(data.train.y, name)
    indices = y.size == len(y) and loss_needs(spec.outputs[name].loss).form is LabelForm.INDEX
    return replace(data, train=replace(data.train, y=y), classes=int(y.max()) + 1 if indices else None)


def _check(
    spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...] | None, activation: str | None
) -> list[Fault]:
    faults = [*_label_faults(spec, data), *_metric_faults(spec, data, output_shape)]
    if output_shape is not None:
        faults += _output_faults(spec, data, output_shape, activation)
    elif spec.model.kind == "dense":
        faults += _dense_faults(spec, data)
    return faults


def infer_output_shape(loss: str, data: SearchData) -> tuple[int, ...]:
    """Return the output shape that the loss needs for a row. For class indices, it ends with the number of classes."""
    y, form = ravel_column(data.train.y), loss_needs(loss).form
    if y.ndim == 1:
        return (1 if form is LabelForm.BINARY else data.classes or 1,)
    row_shape = y.shape[1:-1] if y.ndim > 2 and y.shape[-1] == 1 and form is LabelForm.INDEX else y.shape[1:]
    return (*row_shape, int(y.max()) + 1) if form is LabelForm.INDEX else row_shape


def _label_faults(spec: SweepSpec, data: SearchData) -> Iterator[Fault]:
    form, lowest, y = loss_needs(spec.loss).form, float(np.min(data.train.y)), ravel_column(data.train.y)
    least = {"poisson": 0, "msle": -1, "mean_squared_logarithmic_error": -1}.get(spec.loss, -np.inf)
    if data.weighs and form is not LabelForm.ANY and y.ndim - (form is not LabelForm.INDEX) > 1:
        rule = f"`{spec.loss}` gives several numbers for each row of {data.name}, so Keras can't weight the rows"
        yield Fault(rule, hint="leave out the weights of rows")
    if form is LabelForm.NUMBER and data.class_names:
        yield Fault(
            f"`{spec.loss}` takes numbers, but the labels of {data.name} are classes ({itemize(data.class_names, 3)})",
            "loss",
            hint=f"use `{'binary' if len(data.class_names) == 2 else 'sparse_categorical'}_crossentropy`",
        )
    elif lowest < least or lowest == least == -1:  # the logarithm of 0 is no number
        yield Fault(
            f"`{spec.loss}` takes labels {'above' if least else 'of at least'} {least}, but the lowest is {lowest:g}",
            "loss",
            hint="use `mean_squared_error`",
        )


def _metric_faults(spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...] | None) -> Iterator[Fault]:
    form, in_column = loss_needs(spec.loss).form, data.train.y.size == len(data.train.y)
    # Without a threshold the class is the highest output of a row. A single output is always the highest.
    is_single = in_column and form in (LabelForm.BINARY, LabelForm.ANY) and (output_shape or (1,))[-1] == 1
    for index, metric in enumerate(() if "metrics" in spec.own else spec.metrics):
        arguments = spec.metric_arguments.get(metric, {})
        if "python" in arguments:
            continue  # a user's metric raises for labels that it does not take
        suggestion = "mean_absolute_error" if form is LabelForm.NUMBER else "accuracy"
        if is_single and metric in _BY_CLASS:
            is_fitting, suggestion = arguments.get("threshold") is not None, f"{{name: {metric}, threshold: 0.5}}"
        elif form is LabelForm.INDEX:
            is_fitting = metric in INDEX_METRICS or (metric in spec.metric_arguments and metric.endswith("io_u"))
        elif metric in _BY_CLASS and not in_column:
            is_fitting, macro = arguments.get("average") is not None, f"{{name: {metric}, average: macro}}"
            suggestion = macro if form in (LabelForm.ONE_HOT, LabelForm.ANY) else suggestion
        else:
            is_fitting = metric not in UNFIT_METRICS[form] and not (in_column and metric in _OF_COLUMNS)
        if not is_fitting:
            yield Fault(
                f"the metric `{metric}` does not fit `loss: {spec.loss}`, which takes {form.value}"
                + (" in a single column" if metric in _OF_COLUMNS and form is not LabelForm.INDEX else ""),
                f"metrics[{index}]",
                hint=f"use `{suggestion}`",
            )


def _dense_faults(spec: SweepSpec, data: SearchData) -> Iterator[Fault]:
    needed, *more = infer_output_shape(spec.loss, data)
    fitting = loss_needs(spec.loss, spec.loss_arguments).activations
    if more:
        yield Fault(
            f"the dense model gives each row a list of outputs, but the labels of {data.name} have the shape "
            f"{list(data.train.y.shape[1:])}",
            "model",
            hint="use your own model: `model: {python: module:function}`",
        )
        return
    takes = " or ".join(f"`{name}`" for name in fitting)
    checks: list[tuple[str, tuple[Value, ...], str]] = [
        ("units", (needed,), f"the output layer needs {pluralize(needed, 'output')} for {_describe_task(spec, data)}"),
        ("activation", fitting, f"`loss: {spec.loss}` needs the activation {takes}"),
    ]
    for argument, allowed, rule in checks:
        for key, values in _argument_values(spec, argument):
            if wrong := [value for value in values if allowed and value is not None and value not in allowed]:
                yield Fault(f"{rule}, but got {quote(wrong[0])}", key, hint=f"use `{allowed[0]}`, or leave it out")


def _argument_values(spec: SweepSpec, argument: str) -> Iterator[tuple[str, tuple[Value, ...]]]:
    name = f"model.{argument}"
    if argument in spec.model.arguments:
        yield f"model.dense.{argument}", (spec.model.arguments[argument],)
    if name in spec.space.constants:
        yield f"parameters.{name}", (spec.space.constants[name],)
    for parameter in spec.space.parameters:
        if parameter.name == name:
            domain = parameter.distribution
            ends = domain.values() if isinstance(domain, Categorical) else (domain.low, domain.high)
            yield f"parameters.{name}", ends


def _output_faults(
    spec: SweepSpec, data: SearchData, output_shape: tuple[int | None, ...], activation: str | None
) -> Iterator[Fault]:
    needed, needs = infer_output_shape(spec.loss, data), loss_needs(spec.loss, spec.loss_arguments)
    usual = needs.usual
    lowest, highest = float(np.min(data.train.y)), float(np.max(data.train.y))
    # With softmax, Keras divides the outputs by their sum.
    no_probabilities = _ANY_SIGN if usual == "softmax" else _ANY_SIGN | _BEYOND_ONE
    if needs.form is not LabelForm.ANY and not _is_fitting(output_shape[1:], needed, needs.form):
        what, end = f"outputs of shape {list(needed)}", "end it with a layer of this output shape"
        if len(needed) == 1:
            what = pluralize(needed[0], "output")
            end = f"end it with `Dense({needed[0]})` and an activation that fits the loss"
        got = f"but its output has shape {list(output_shape[1:])}"
        yield Fault(f"the model must give each row {what} for {_describe_task(spec, data)}, {got}", "model", hint=end)
    if activation == "softmax" and output_shape[-1] == 1:
        yield Fault(
            "the model ends with `softmax` over a single output, which is 1 for every row",
            "model",
            hint=f"end it with `{usual if needs.activations and usual != 'softmax' else 'sigmoid'}`",
        )
    elif usual in ("softmax", "sigmoid") and activation in no_probabilities:
        yield Fault(
            f"`loss: {spec.loss}` takes probabilities, but the model ends with `{activation}`",
            "model",
            hint=f"end it with `activation={usual!r}`",
        )
    elif activation in ("softmax", "sigmoid") and needs.form is LabelForm.NUMBER and (lowest < 0 or highest > 1):
        yield Fault(
            f"the model ends with `{activation}`, which gives 0 to 1, but the labels of {data.name} go from "
            f"{lowest:g} to {highest:g}",
            "model",
            hint=f"end it with `activation={usual!r}`",
        )


def _is_fitting(output: tuple[int | None, ...], needed: tuple[int, ...], form: LabelForm) -> bool:
    """Return whether `output`, the model's output shape for a row, fits the shape `needed`. A last axis of 1 may be
    missing. If a row has several class indices, the output may have more classes than the labels."""
    if len(needed) == 1:
        return output == needed
    if form is LabelForm.INDEX:
        (*row_shape, classes), (*shape, least) = output or (None,), needed
        return _is_like(row_shape, shape) and (classes is None or classes >= least)
    return _is_like(output, needed) or _is_like((*output, 1), needed) or _is_like(output, (*needed, 1))


def _is_like(shape: Sequence[int | None], sizes: Sequence[int]) -> bool:
    return len(shape) == len(sizes) and all(size in (None, needed) for size, needed in zip(shape, sizes, strict=True))


def _describe_task(spec: SweepSpec, data: SearchData) -> str:
    return f"`loss: {spec.loss}` and the labels of {data.name}"
