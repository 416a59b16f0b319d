"""What each loss of Keras wants of labels and of the model's last activation, and labels brought into that form."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from keras_sweep.data.arrays import Array, own
from keras_sweep.errors import DataError
from keras_sweep.space.text import listed


class LabelForm(StrEnum):
    """How labels go into a loss."""

    INDEX = "class indices"  # [N] whole numbers 0 .. C - 1
    ONE_HOT = "one-hot classes"  # [N, C]
    BINARY = "0 or 1"  # [N]
    NUMBER = "numbers"  # [N] or [N, K] real numbers


@dataclass(frozen=True, slots=True)
class LossNeeds:
    """The needs of one loss."""

    form: LabelForm
    activations: tuple[str, ...]  # that its outputs may come from; () for any

    @property
    def usual(self) -> str:
        """The usual last activation."""
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
# Every loss that a space file may name; a test compares the names.
LOSS_NEEDS = {loss: LossNeeds(form, activations) for form, activations, losses in _NEEDS for loss in losses}


def loss_needs(loss: str, arguments: Mapping[str, object] | None = None) -> LossNeeds:
    """What a loss needs; a loss that is not in the table counts as one of numbers with any activation."""
    needs = LOSS_NEEDS.get(loss, LossNeeds(LabelForm.NUMBER, ()))
    return LossNeeds(needs.form, ("linear",)) if arguments and arguments.get("from_logits") else needs


@dataclass(frozen=True, slots=True)
class Labels:
    """How labels are encoded; fitted on training labels."""

    form: LabelForm
    values: tuple[object, ...] | None = None  # the source's value of each class, in the order of the indices
    names: tuple[str, ...] | None = None  # what to call them

    @property
    def classes(self) -> int | None:
        """C; None where labels are numbers, or several yes-or-no answers a row."""
        return None if self.values is None else len(self.values)

    def encode(self, y: Array, rows: str) -> Array:
        """Labels of the source, [N] or [N, C], as the loss takes them; `rows` says whose: "test rows of iris".

        Raises DataError for a label that training rows do not have.
        """
        if self.values is None:
            return own(y.astype(np.float32))
        if y.ndim == 1 or y.shape[1] == 1:
            places = {value: place for place, value in enumerate(self.values)}
            indices = np.array([places.get(value, -1) for value in y.reshape(-1).tolist()], np.int32)
            strange = sorted({str(value) for value in y.reshape(-1)[indices < 0]})
            if strange:
                raise DataError(
                    f"the {rows} have classes that no training row has: {listed(strange)}",
                    hint="Bring training rows of them, or take these rows out; where `split` holds rows out, "
                    "`split: {stratify: true}` gives every part its share of each class",
                )
        elif y.shape[1] == len(self.values):
            indices = y.argmax(axis=1).astype(np.int32)
        else:
            raise DataError(f"the {rows} have labels of {y.shape[1]} columns, not {self.classes} as the training rows")
        return np.eye(len(self.values), dtype=np.float32)[indices] if self.form is LabelForm.ONE_HOT else indices


def fit_labels(y: Array, form: LabelForm, loss: str, names: tuple[str, ...] | None = None) -> Labels:
    """Find the classes in training labels, [N] or [N, C], or see that they are numbers.

    `names` are of the classes 0 .. C - 1, where the source knows them. Raises DataError where the labels can't be
    brought into this form; the message says which loss could take them.
    """
    if form is not LabelForm.NUMBER:
        several = y.ndim == 2 and y.shape[1] > 1
        return _columns(y, form, names) if several else _classes(y.reshape(-1), form, loss, names)
    if y.dtype.kind in "OUS":
        raise DataError(
            f"the labels are text ({listed(sorted({str(value) for value in y.reshape(-1)}))}), but `loss: {loss}` "
            "takes numbers",
            hint="Use `loss: sparse_categorical_crossentropy` for classes",
        )
    return Labels(form)


def _columns(y: Array, form: LabelForm, names: tuple[str, ...] | None) -> Labels:
    """Of several columns: one-hot classes, or several yes-or-no answers a row."""
    strange = y[~np.isin(y, (0, 1))]
    if strange.size:
        raise DataError(
            f"labels of {y.shape[1]} columns have values besides 0 and 1, as {strange[0]}",
            hint="Give one class a row, or 0 and 1 in a column for each class; a class for each pixel or step is not "
            "taken, and several numbers a row take a loss such as `mean_squared_error`",
        )
    if form is LabelForm.BINARY:
        return Labels(form)
    several = y.sum(axis=1) != 1
    if several.any():
        raise DataError(
            f"one-hot labels have exactly one 1 in a row, but training row {several.argmax() + 1} does not",
            hint="Use `loss: binary_crossentropy` where a row may have several labels",
        )
    return Labels(form, tuple(range(y.shape[1])), names or tuple(map(str, range(y.shape[1]))))


def _classes(y: Array, form: LabelForm, loss: str, names: tuple[str, ...] | None) -> Labels:
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise DataError(
            f"the labels are real numbers ({listed(y[y != np.floor(y)].tolist())}), but `loss: {loss}` takes classes",
            hint="Use `loss: mean_squared_error` for numbers",
        )
    values = sorted(set(y.tolist())) if y.dtype.kind in "OUS" else np.unique(y).tolist()
    if names is not None and y.dtype.kind in "iuf" and min(values) >= 0 and max(values) < len(names):
        values = list(range(len(names)))  # a class that the source knows may have no training row
    # 1.0 and True stand for the classes `1` and `true`.
    known = [str(int(value)) if isinstance(value, float) else str(value) for value in values]
    known = [text.lower() for text in known] if y.dtype.kind == "b" else known
    if len(values) < 2:
        raise DataError(
            f"there is only one class in the training rows: {listed(known)}",
            hint="Bring rows of at least two classes",
        )
    if form is LabelForm.BINARY and len(values) > 2:
        raise DataError(
            f"`loss: {loss}` takes two classes, but the training labels have {len(values)} ({listed(known)})",
            hint="Use `loss: sparse_categorical_crossentropy`",
        )
    return Labels(form, tuple(values), names if names is not None and len(names) == len(values) else tuple(known))
