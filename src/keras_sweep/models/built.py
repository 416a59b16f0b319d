"""What a user's function returned, seen to be a model, with all of its variables made."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from keras_sweep.errors import ModelError
from keras_sweep.process.user_call import user_code


def check_model(model: object, source: str) -> None:
    """See that a user's function returned a model. Raises ModelError."""
    import keras

    if isinstance(model, keras.Model):
        return
    if model is None:
        raise ModelError(f"{source} returned None, not a keras.Model", hint="End the function with `return model`")
    if isinstance(model, type):
        hint = f"Return a model: `return {model.__name__}(...)`"
        raise ModelError(f"{source} returned the class {model.__name__}, not a keras.Model", hint=hint)
    raise ModelError(f"{source} returned {type(model).__name__}, not a keras.Model", hint="Return the model")


def built(
    model: Any, source: str, folder: Path, input_shape: tuple[int, ...], dtype: str = "float32", rows: str = ""
) -> Any:
    """The model with all of its variables. One of a class of the user's is called once on a symbol of a batch.

    Raises:
        ModelError: its `build` or `call` raises.
    """
    import keras

    if isinstance(getattr(model, "input", None), dict | list):  # of one input, which Keras gives the rows all the same
        warnings.filterwarnings("ignore", "The structure of `inputs` doesn't match", UserWarning)
    if model.built:
        return model
    with user_code(
        f"the model of {source} can't be built for rows of shape {rows or list(input_shape)}", folder, ModelError
    ):
        if isinstance(model, keras.Sequential):
            model.build((None, *input_shape))
        else:
            called(model, input_shape, dtype)
    return model


def called(model: Any, input_shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """What a model gives for a symbol of a batch: a `keras.KerasTensor`, or a structure of them. Raises anything."""
    import keras

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns beside what it raises
        return model(keras.KerasTensor((None, *input_shape), dtype=dtype))
