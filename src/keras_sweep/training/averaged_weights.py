"""Read and swap the moving averages of the weights, which an optimizer with `use_ema` keeps.

At its end, `fit` replaces the weights by the averages. So a trial's score and saved weights come from the averages.
Each epoch is validated with the averages, as if `fit` ended there. Training continues from the plain weights.
"""

from typing import Any

import numpy as np

from keras_sweep.errors import SweepError
from keras_sweep.trial.result import Weights


def averages(optimizer: Any) -> list[tuple[Any, Any]]:
    """Return [(trainable variable, moving average)]; [] without `use_ema`. Raises SweepError in an unknown Keras."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # loss scaling wraps the optimizer
    if inner is None:  # a model with its own training loop may have no optimizer
        return []
    pairs: list[tuple[Any, Any]] = []
    for part in getattr(inner, "optimizers", [inner]):
        if part.use_ema:
            variables = getattr(part, "_trainable_variables", None)  # Keras 3.15 has no public name for either list
            average = getattr(part, "_model_variables_moving_average", None)
            if variables is None or average is None:
                raise SweepError("can't read the averages of `use_ema` in this Keras", hint="Install Keras 3.15")
            pairs += zip(variables, average, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def get_average_weights(model: Any) -> Weights:
    """Return `model.weights` as if `fit` ended now: with `use_ema`, averages replace the trainable weights."""
    replacements = {id(variable): average for variable, average in averages(getattr(model, "optimizer", None))}
    return tuple(copy_value(replacements.get(id(variable), variable)) for variable in model.weights)


def make_swap_callback() -> Any:
    """Return a callback that validates with the `use_ema` averages. Keras's `SwapEMAWeights` rounds on TensorFlow."""
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
    """Copy the value of a Keras variable into a NumPy array, on any backend."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable.value))
