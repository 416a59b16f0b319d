"""Encode labels as a loss of Keras needs them, and say which last activations fit the loss."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import repeat

import numpy as np

from keras_sweep.data.arrays import Array, copy_if_view, to_32_bits
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import TargetScale
from keras_sweep.space.text import itemize


class LabelForm(StrEnum):
    INDEX = "class indices"  # [N] or [N, ...] whole numbers 0 .. C - 1
    ONE_HOT = "one-hot classes"  # [N, ..., C] of 0 and 1, or a share of each class
    BINARY = "0 or 1"  # [N]; or [N, ...] numbers from 0 to 1
    NUMBER = "numbers"  # [N] or [N, ...] real numbers
    ANY = "any labels"  # for a user's own loss: [N] or [N, ...] numbers, or class indices


@dataclass(frozen=True, slots=True)
class LossNeeds:
    """Hold what a loss needs: the form of the labels, and the activations that the last layer may have."""

    form: LabelForm
    activations: tuple[str, ...]  # the last activations that fit; () for any

    @property
    def usual(self) -> str:
        """Return the usual last activation: the first in `activations`, or "linear" if any activation fits."""
        return self.activations[0] if self.activations else "linear"


_NEEDS = (  # form, activations, losses of Keras with these needs
    (LabelForm.INDEX, ("softmax",), ("sparse_categorical_crossentropy",)),
    (LabelForm.ONE_HOT, ("softmax",), ("categorical_crossentropy", "categorical_focal_crossentropy")),
    (LabelForm.ONE_HOT, ("softmax",), ("kl_divergence", "kld")),
    (LabelForm.ONE_HOT, ("softmax", "sigmoid"), ("dice", "tversky")),
    (LabelForm.ONE_HOT, (), ("categorical_hinge",)),
    (LabelForm.BINARY, ("sigmoid", "hard_sigmoid"), ("binary_crossentropy", "bce", "binary_focal_crossentropy")),
    (LabelForm.BINARY, ("linear", "tanh"), ("hinge", "squared_hinge")),
    (LabelForm.NUMBER, ("linear",), ("mean_squared_error", "mse", "mean_absolute_error", "mae", "huber", "log_cosh")),
    (LabelForm.NUMBER, ("linear",), ("mean_absolute_percentage_error", "mape")),
    (LabelForm.NUMBER, ("linear", "relu", "exponential", "softplus"), ("mean_squared_logarithmic_error", "msle")),
    (LabelForm.NUMBER, ("exponential", "softplus"), ("poisson",)),
    (LabelForm.NUMBER, (), ("cosine_similarity",)),
)
FOR_NUMBERS = "Use `loss: mean_squared_error` for numbers"  # a hint of errors
# These metrics take labels of two classes only as [N, 1].
COLUMN_METRICS = frozenset({"f1_score", "f_beta_score", "binary_crossentropy", "bce"})
# Every loss that a space file may name. A test compares the names with Keras.
LOSS_NEEDS = {loss: LossNeeds(form, activations) for form, activations, losses in _NEEDS for loss in losses}


def loss_needs(loss: str, arguments: Mapping[str, object] | None = None) -> LossNeeds:
    """Return what `loss` needs: with `from_logits` in `arguments`, a linear output. A user's loss takes any labels."""
    needs = LOSS_NEEDS.get(loss, LossNeeds(LabelForm.ANY, ()))
    return LossNeeds(needs.form, ("linear",)) if arguments and arguments.get("from_logits") else needs


def near_copies(texts: Iterable[object]) -> str:
    """Return words for a notice: the texts that differ only in case and spaces; "" if there are none."""
    spellings: dict[str, list[str]] = {}
    for text in sorted(set(map(str, set(texts)))):
        spellings.setdefault("".join(text.casefold().split()), []).append(text)
    copies = [text for variants in spellings.values() if len(variants) > 1 for text in variants]
    return f"{itemize(copies)}, which differ only in case and spaces: write them alike" if copies else ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Encode labels by rules that were fitted on training labels."""

    form: LabelForm
    values: tuple[object, ...] | None = None  # [C], the source's value of each class, by index
    names: tuple[str, ...] | None = None  # [C], for messages
    in_column: bool = False  # whether labels [N] become [N, 1], which some metrics need

    @property
    def classes(self) -> int | None:
        """Return the number of classes C. Return None for numbers to predict, or if a row may have several classes."""
        return None if self.values is None else len(self.values)

    def for_metrics(self, metrics: Collection[str]) -> Labels:
        """Return a copy that encodes labels as [N, 1] rather than [N], if one of these metrics needs a column."""
        two = self.form is LabelForm.BINARY or (self.form is LabelForm.ANY and self.classes in (None, 2))
        return replace(self, in_column=two and not COLUMN_METRICS.isdisjoint(metrics))

    def encode(self, y: Array, rows: str) -> Array:
        """Encode labels as the loss takes them. Raises DataError, which calls the rows `rows`, for a new class."""
        encoded = self._encode(y, rows)
        return encoded[:, None] if self.in_column and encoded.ndim == 1 else encoded

    def _encode(self, y: Array, rows: str) -> Array:
        if self.values is None and self.form is LabelForm.INDEX:
            return copy_if_view(y.astype(np.int32))
        if self.values is None:
            return to_32_bits(y) if self.form is LabelForm.ANY else copy_if_view(y.astype(np.float32))
        if y.size == len(y):
            indices_by_value = {value: index for index, value in enumerate(self.values)}
            indices = np.array(list(map(indices_by_value.get, y.reshape(-1).tolist(), repeat(-1))), np.int32)
            if unknown := sorted({str(value) for value in y.reshape(-1)[indices < 0]}):
                raise DataError(
                    f"the {rows} have classes that no training row has: {itemize(unknown)}",
                    hint="Add training rows of these classes, or remove these rows. If `split` makes the parts, "
                    "`split: {stratify: true}` gives each part its share of each class",
                )
        elif y.shape[1] == len(self.values):
            indices = y.argmax(axis=1).astype(np.int32)
        else:
            raise DataError(f"the labels of the {rows} must have {self.classes} columns, but got {y.shape[1]}")
        if self.form is LabelForm.ONE_HOT:
            return np.eye(len(self.values), dtype=np.float32)[indices]
        return indices.reshape(y.shape) if y.size == len(y) else indices


def fit_labels(y: Array, form: LabelForm, loss: str, names: tuple[str, ...] | None = None) -> Labels:
    """Fit the encoding of training labels `y`: find the classes, or check the numbers. `form` is the label form that
    `loss` needs, `names` the class names that the source knows. Raises DataError if the labels do not fit `loss`."""
    if not y.size and form is not LabelForm.ANY:
        hint = "Give `y` beside `x`, or leave out `loss` if your model compiles itself"
        raise DataError(f"`loss: {loss}` needs labels, but the data have none", hint=hint)
    if y.size == len(y) and has_classes(y, form):
        return _fit_classes(y.reshape(-1), form, loss, names)
    if y.dtype.kind in "OUS":
        raise DataError(
            f"the labels are text ({itemize(sorted({str(value) for value in y.reshape(-1)}))}), but `loss: {loss}` "
            "takes numbers",
            hint="Use `loss: sparse_categorical_crossentropy` for classes",
        )
    return Labels(form) if form in (LabelForm.NUMBER, LabelForm.ANY) else _fit_several(y, form, loss, names)


def has_classes(y: Array, form: LabelForm) -> bool:
    """Return whether the labels `y` are classes for a loss that needs `form`: a class per row, [N], or 0 and 1 for each
    class, [N, C]. For `LabelForm.ANY`, classes are texts, booleans, or whole numbers 0 .. C - 1, [N] or [N, 1]."""
    if form is LabelForm.NUMBER or y.ndim > 2:
        return False
    if form is LabelForm.ANY and y.dtype.kind not in "OUSb":
        values = np.unique(y) if y.size == len(y) and y.dtype.kind in "iu" else np.empty(0)
        return len(values) > 1 and np.array_equal(values, np.arange(len(values)))
    return y.size == len(y) or bool(np.isin(y, (0, 1)).all())


def _fit_several(y: Array, form: LabelForm, loss: str, names: tuple[str, ...] | None) -> Labels:
    """Learn the encoding of labels with several numbers per row: one-hot, or a label per output, pixel or time step."""
    sums = y.reshape(len(y), -1, y.shape[-1]).sum(axis=2)
    if form is not LabelForm.BINARY and has_classes(y, form) and (sums == 1).all():
        return Labels(form, tuple(range(y.shape[1])), names or tuple(map(str, range(y.shape[1]))))
    needs_whole, numbers = form is LabelForm.INDEX, y.astype(np.float64)
    misfits = y[(numbers < 0) | ((numbers % 1 > 0) if needs_whole else (numbers > 1))]
    if misfits.size:
        kind = "whole labels of at least 0" if needs_whole else "labels from 0 to 1"
        raise DataError(f"`loss: {loss}` takes {kind}, but got {misfits[0]}", hint=FOR_NUMBERS)
    shares = form is LabelForm.ONE_HOT and "sigmoid" not in LOSS_NEEDS[loss].activations
    if shares and (is_off := np.abs(sums - 1) > 1e-3).any():
        row, place = np.argwhere(is_off)[0]
        raise DataError(
            f"`loss: {loss}` takes labels with a sum of 1, but training row {row + 1} has {sums[row, place]:g}",
            hint="Use `loss: binary_crossentropy` if a row may have several classes",
        )
    return Labels(form)


def _fit_classes(y: Array, form: LabelForm, loss: str, names: tuple[str, ...] | None) -> Labels:
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise DataError(
            f"the labels are real numbers ({itemize(y[y != np.floor(y)].tolist())}), but `loss: {loss}` takes classes",
            hint=FOR_NUMBERS,
        )
    values = sorted(set(y.tolist())) if y.dtype.kind in "OUS" else np.unique(y).tolist()
    if names is not None and y.dtype.kind in "iuf" and min(values) >= 0 and max(values) < len(names):
        values = list(range(len(names)))  # a class that the source knows may have no training row
    # Classes 1.0 and True are called `1` and `true`.
    texts = [str(int(value)) if isinstance(value, float) else str(value) for value in values]
    texts = [text.lower() for text in texts] if y.dtype.kind == "b" else texts
    if len(values) < 2:
        raise DataError(f"the training rows have a single class: {itemize(texts)}", hint="Add rows of other classes")
    if form is LabelForm.BINARY and len(values) > 2:
        raise DataError(
            f"`loss: {loss}` takes two classes, but the training labels have {len(values)} ({itemize(texts)})",
            hint="Use `loss: sparse_categorical_crossentropy`",
        )
    return Labels(form, tuple(values), names if names is not None and len(names) == len(values) else tuple(texts))


def fit_scale(transform: str, labels: Labels, y: Array) -> TargetScale:
    """Fit the target's `transform` ("standard" or "log") on training labels `y`, [N] or [N, 1], which `labels` encoded.
    Raises DataError if the target is not a number per row, or is below 0 for "log"."""
    if labels.values is not None or labels.form not in (LabelForm.NUMBER, LabelForm.ANY) or y.size > len(y):
        raise DataError(
            f"`transform: {transform}` needs a target of numbers, but the loss takes {labels.form.value}",
            hint=f"{FOR_NUMBERS}, or leave `transform` out",
        )
    numbers = y.astype(np.float64)
    if transform == "standard":
        return TargetScale(transform, float(numbers.mean()), float(numbers.std()) or 1.0)
    if numbers.min() < 0:
        hint = "Use `transform: standard`"
        raise DataError(f"`transform: log` takes targets of at least 0, but the lowest is {numbers.min():g}", hint=hint)
    return TargetScale(transform, float(np.log1p(numbers).mean()))
