"""A small sweep for contract tests: the dense model on scikit-learn's digits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_sweep.data.catalog import make_set_spec
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import SearchSettings, SweepSpec

LEARNING_RATE = Parameter("learning_rate", Float(1e-4, 1.0, log=True))
OPTIMIZER = Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam")))
EPOCHS = Parameter("epochs", Int(1, 4))
MOMENTUM = Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),))
SPACE = (OPTIMIZER, LEARNING_RATE, EPOCHS)


def make_spec(
    parameters: Sequence[Parameter] = SPACE,
    *,
    sampler: str = "tpe",
    seed: int = 42,
    constants: Params | None = None,
    take_best: bool = False,
    **changes: Any,
) -> SweepSpec:
    """Return a spec of the dense model on digits. `take_best`: score the best epoch. `changes`: SweepSpec's fields."""
    defaults = {
        "metrics": ("accuracy",),
        "objective": Objective("val_accuracy", Goal.MAXIMIZE, take_best=take_best),
        "space": SearchSpace(tuple(parameters), constants or {}),
        "search": SearchSettings(sampler=sampler, seed=seed),
    }
    return replace(make_set_spec("digits"), **{**defaults, **changes})


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
