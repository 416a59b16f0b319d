"""What each loss of Keras wants: the form of the labels, the model's last activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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
    activations: tuple[str, ...]  # that its outputs may come from; the first is the usual one; () for any


_INDEX = LossNeeds(LabelForm.INDEX, ("softmax",))
_ONE_HOT = LossNeeds(LabelForm.ONE_HOT, ("softmax",))
_BINARY = LossNeeds(LabelForm.BINARY, ("sigmoid", "hard_sigmoid"))
_HINGE = LossNeeds(LabelForm.BINARY, ("linear", "tanh"))
_NUMBER = LossNeeds(LabelForm.NUMBER, ("linear",))
_POSITIVE = LossNeeds(LabelForm.NUMBER, ("exponential", "softplus"))

LOSS_NEEDS: Mapping[str, LossNeeds] = {
    "sparse_categorical_crossentropy": _INDEX,
    "categorical_crossentropy": _ONE_HOT,
    "categorical_focal_crossentropy": _ONE_HOT,
    "categorical_hinge": LossNeeds(LabelForm.ONE_HOT, ()),
    "kl_divergence": _ONE_HOT,
    "kld": _ONE_HOT,
    "dice": LossNeeds(LabelForm.ONE_HOT, ("softmax", "sigmoid")),
    "tversky": LossNeeds(LabelForm.ONE_HOT, ("softmax", "sigmoid")),
    "binary_crossentropy": _BINARY,
    "bce": _BINARY,
    "binary_focal_crossentropy": _BINARY,
    "hinge": _HINGE,
    "squared_hinge": _HINGE,
    "mean_squared_error": _NUMBER,
    "mse": _NUMBER,
    "mean_absolute_error": _NUMBER,
    "mae": _NUMBER,
    "mean_absolute_percentage_error": _NUMBER,
    "mape": _NUMBER,
    "mean_squared_logarithmic_error": LossNeeds(LabelForm.NUMBER, ("linear", "relu", "exponential", "softplus")),
    "msle": LossNeeds(LabelForm.NUMBER, ("linear", "relu", "exponential", "softplus")),
    "huber": _NUMBER,
    "log_cosh": _NUMBER,
    "cosine_similarity": LossNeeds(LabelForm.NUMBER, ()),
    "poisson": _POSITIVE,
}  # every loss that a space file may name; a test compares the names


def loss_needs(loss: str) -> LossNeeds:
    """What a loss needs; a loss that is not in the table counts as one of numbers with any activation."""
    return LOSS_NEEDS.get(loss, LossNeeds(LabelForm.NUMBER, ()))


def output_activation(loss: str) -> str:
    """The usual last activation for a loss."""
    activations = loss_needs(loss).activations
    return activations[0] if activations else "linear"
