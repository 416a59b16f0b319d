"""Small real specs and data that tests share."""

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.testing.small_sweep import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, SPACE, digits, make_spec
from keras_sweep.training.outcome import standard_error

__all__ = ["EPOCHS", "LEARNING_RATE", "MOMENTUM", "OPTIMIZER", "SPACE", "accuracy_error", "digits", "make_spec"]


def accuracy_error(share: float, rows: int) -> float | None:
    """The standard error of an accuracy on so many validation rows; no outputs of a model are needed."""
    return standard_error("val_accuracy", "mse", share, Rows(np.zeros(rows), np.zeros(rows)), pytest.fail)
