"""Small real specs and data that tests share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.space.search_space import Goal, Objective, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import SearchSettings, SweepSpec
from keras_sweep.testing import small_sweep
from keras_sweep.testing.small_sweep import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, SPACE, digits
from keras_sweep.training.logged_metric import LoggedMetric

__all__ = ["EPOCHS", "LEARNING_RATE", "MOMENTUM", "OPTIMIZER", "SPACE", "accuracy_error", "digits", "make_spec"]


def make_spec(
    parameters: Sequence[Parameter] = SPACE,
    *,
    sampler: str = "tpe",
    seed: int = 42,
    constants: Params | None = None,
    take_best: bool = False,
    **changes: Any,
) -> SweepSpec:
    """A spec of the dense model on digits. `take_best`: score the best epoch. `changes`: fields of SweepSpec."""
    defaults = {
        "objective": Objective("val_accuracy", Goal.MAXIMIZE, take_best=take_best),
        "space": SearchSpace(tuple(parameters), constants or {}),
        "search": SearchSettings(sampler=sampler, seed=seed),
    }
    return small_sweep.make_spec(**{**defaults, **changes})


def accuracy_error(share: float, rows: int) -> float | None:
    """The standard error of an accuracy on so many validation rows; no outputs of a model are needed."""
    return LoggedMetric(
        "val_accuracy", "mse", share, Rows(np.zeros(rows), np.zeros(rows)), pytest.fail
    ).standard_error()
