"""A small sweep for contract tests: the dense model on scikit-learn's digits."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_sweep.data.catalog import make_set_spec
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec

LEARNING_RATE = Parameter("learning_rate", Float(1e-4, 1.0, log=True))
OPTIMIZER = Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam")))
EPOCHS = Parameter("epochs", Int(1, 4))
MOMENTUM = Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),))
SPACE = (OPTIMIZER, LEARNING_RATE, EPOCHS)


def make_spec(**changes: Any) -> SweepSpec:
    """Return a spec of the dense model on digits. `changes`: fields of SweepSpec."""
    objective, space = Objective("val_accuracy", Goal.MAXIMIZE), SearchSpace(SPACE)
    fields: dict[str, Any] = {"metrics": ("accuracy",), "objective": objective, "space": space, **changes}
    return replace(make_set_spec("digits"), **fields)


def digits(train_rows: int = 288, validation_rows: int = 96) -> SearchData:
    """Load the first rows of scikit-learn's digits, [rows, 64] pixels in [0, 1].

    The default numbers of rows are whole batches of 32, since a short last batch compiles a second program.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    end = train_rows + validation_rows
    train, validation = Rows(x[:train_rows], y[:train_rows]), Rows(x[train_rows:end], y[train_rows:end])
    return SearchData("digits", train, validation, "no fingerprint", 10)
