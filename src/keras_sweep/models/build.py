"""Builds the model of a trial: the dense model, or what the user's own function or HyperModel returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.built import built, check_model
from keras_sweep.models.dense import dense
from keras_sweep.process.user_call import taken, user_code
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec


def build_model(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> Any:
    """A built `keras.Model` for the data's rows, uncompiled unless a HyperModel compiles it.

    A user's function is called with the trial's model arguments, and with `input_shape` (of one row) and `classes`
    (None for regression) where it has parameters of these names.

    Raises:
        ModelError: the function can't be imported or called so, it raises, or does not return a Keras model.
    """
    if spec.model.kind == "dense":
        try:
            return dense(data, spec.loss, **arguments)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise ModelError(f"the dense model can't be built from {dict(arguments)}: {error}") from error
    return _custom(spec, arguments, data)


def _custom(spec: SweepSpec, arguments: Mapping[str, Value], data: SearchData) -> Any:
    from keras_sweep.models.hyper_model import build, is_hyper_model
    from keras_sweep.process.user_code import load_python

    function = load_python(spec.model.source, spec.folder, ModelError)
    dtype = str(data.train.x.dtype)
    if is_hyper_model(function):
        return build(function, arguments, input_shape=data.input_shape, classes=data.classes, dtype=dtype)
    if not callable(function):
        raise ModelError(f"{spec.model.source} is not a function", hint="Name a function that returns a keras.Model")
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
    given = {**taken(function, {"input_shape": data.input_shape, "classes": data.classes}), **listed}
    _check_call(spec.model.source, function, given)
    with user_code(f"{spec.model.source} failed", spec.folder, ModelError):
        model = function(**given)
    check_model(model, spec.model.source)
    return built(model, spec.model.source, spec.folder, data.input_shape, dtype, data.row_shape)


def _check_call(source: str, function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    try:
        inspect.signature(function).bind(**given)
    except TypeError as error:
        raise ModelError(
            f"{source} can't be called with the model's arguments {sorted(given)}: {error}",
            hint="Name its arguments under `model` or as `model.NAME` parameters",
        ) from error
    except ValueError:
        return
