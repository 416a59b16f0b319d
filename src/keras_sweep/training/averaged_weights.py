"""Moving averages of the weights (`use_ema`): `fit` ends by putting them in the weights' place.

So they are what a trial is scored by and what it leaves behind: each epoch is validated as `evaluate` would find the
model if `fit` had ended there, and training goes on from the weights themselves.
"""

from typing import Any

import numpy as np

from keras_sweep.errors import SweepError
from keras_sweep.trial.result import Weights


def averages(optimizer: Any) -> list[tuple[Any, Any]]:
    """Each trainable variable of a built optimizer with the variable of its moving average; none without `use_ema`."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of loss scaling
    if inner is None:  # of a model that a loop of the user's trains
        return []
    pairs: list[tuple[Any, Any]] = []
    for part in getattr(inner, "optimizers", [inner]):
        if part.use_ema:
            variables = getattr(part, "_trainable_variables", None)  # Keras 3.15: neither list has a public name
            average = getattr(part, "_model_variables_moving_average", None)
            if variables is None or average is None:
                raise SweepError("this Keras keeps the averages of `use_ema` elsewhere", hint="Install Keras 3.15")
            pairs += zip(variables, average, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def get_average_weights(model: Any) -> Weights:
    """What `model.get_weights()` would be if `fit` ended now."""
    instead = {id(variable): average for variable, average in averages(getattr(model, "optimizer", None))}
    return tuple(copy_value(instead.get(id(variable), variable)) for variable in model.weights)


def make_swap_callback() -> Any:
    """A Keras callback that validates with the averages. Exact: Keras's own `SwapEMAWeights` rounds on TensorFlow."""
    import keras

    class Swap(keras.callbacks.Callback):  # type: ignore[misc]
        def on_test_begin(self, logs: Any = None) -> None:
            for variable, average in averages(getattr(self.model, "optimizer", None)):
                value = copy_value(variable)
                variable.assign(copy_value(average))
                average.assign(value)

        on_test_end = on_test_begin

    return Swap()


def copy_value(variable: Any) -> Any:
    """A copy of a variable's value, on any backend."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))
