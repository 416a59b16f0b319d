"""Small real specs and data that tests share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from keras_sweep.data.catalog import named_set
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, SweepSpec

LEARNING_RATE = Parameter("learning_rate", Float(1e-4, 1.0, log=True))
OPTIMIZER = Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam")))
EPOCHS = Parameter("epochs", Int(1, 4))
MOMENTUM = Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),))


def make_spec(
    parameters: Sequence[Parameter] = (OPTIMIZER, LEARNING_RATE, EPOCHS),
    *,
    sampler: str = "tpe",
    seed: int = 42,
    constants: Mapping[str, Value] | None = None,
    early_terminate: EarlyTerminate | None = None,
    **changes: object,
) -> SweepSpec:
    """A spec of the dense model on digits."""
    spec = replace(
        named_set("digits"),
        metrics=("accuracy",),
        objective=Objective("val_accuracy", Goal.MAXIMIZE),
        space=SearchSpace(tuple(parameters), constants or {}),
        search=SearchSettings(sampler=sampler, seed=seed),
        early_terminate=early_terminate,
    )
    if "take_best" in changes:
        spec = replace(spec, objective=replace(spec.objective, take_best=bool(changes.pop("take_best"))))
    return replace(spec, **changes)  # type: ignore[arg-type]


def digits(train_rows: int = 300, validation_rows: int = 100) -> SearchData:
    """The first rows of scikit-learn's digits, pixels divided by 16."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    end = train_rows + validation_rows
    return SearchData(
        "digits", Rows(x[:train_rows], y[:train_rows]), Rows(x[train_rows:end], y[train_rows:end]), "no fingerprint", 10
    )
