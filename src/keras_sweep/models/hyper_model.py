"""A `keras_tuner.HyperModel`, or a `build(hp)` function, as a model: its hyperparameters become parameters.

They are stored as `model.NAME`. KerasTuner meets a hyperparameter only when a build asks for it; here the space is
known before the first trial, so `explored` builds the model a few times with other values and watches what is asked for
when. The usual `for i in range(hp.Int("layers", 1, 3)): hp.Int(f"units_{i}", ...)` thus gives `model.units_2` with the
condition `model.layers: [3]`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.errors import ModelError
from keras_sweep.models.built import built, check_model
from keras_sweep.models.exploration import PREFIX, Exploration, Values, asking, ordered
from keras_sweep.process.user_call import taken, user_code
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec


def is_hyper_model(found: object) -> bool:
    """Whether it is a HyperModel (an instance or a class), or a function whose first parameter is `hp`."""
    keras_tuner = sys.modules.get("keras_tuner")  # whoever made a HyperModel has imported it
    if keras_tuner is not None:
        if isinstance(found, keras_tuner.HyperModel):
            return True
        if isinstance(found, type):
            return issubclass(found, keras_tuner.HyperModel)
    if isinstance(found, type) or not callable(found):
        return False
    try:
        return next(iter(inspect.signature(found).parameters), None) == "hp"
    except (TypeError, ValueError):
        return False


def explored(
    found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None, fixed: Values | None = None
) -> Exploration:
    """The hyperparameters of a HyperModel or `build(hp)` function, which become parameters `model.NAME`.

    `fixed` holds values that are given and not searched; their hyperparameters are left out. Where the function, or the
    HyperModel's class, has parameters named `input_shape` (of one row) and `classes`, it is given these.

    Raises:
        ModelError: no build gives a Keras model, or it trains by a `fit` of its own.
    """
    exploration = Exploration(_builder(found, input_shape, classes), dict(fixed or {}))
    exploration.run()
    known = {variant.name for variant in exploration.variants}
    if unknown := sorted(set(exploration.fixed) - known):
        raise _no_hyper_parameter(unknown[0], _name(found), known)
    return exploration


def build(
    found: object,
    values: Values,
    *,
    input_shape: tuple[int, ...] = (),
    classes: int | None = None,
    dtype: str = "float32",
) -> Any:
    """The built `keras.Model` for a trial's model arguments; compiled, if its function compiles it.

    A hyperparameter without a value has KerasTuner's default, as in `keras_tuner`.

    Raises:
        ModelError: the function raises (the message has the user's file and line), or returns no Keras model.
    """
    model = _builder(found, input_shape, classes)(asking(values))
    return built(model, _name(found), _folder(found), input_shape, dtype)


def own_optimizer(model: Any) -> Any | None:
    """A fresh optimizer like the one a model was compiled with in its `build`; None for an uncompiled model.

    The file's loss and metrics are what a sweep trains and ranks by, so a runner compiles the model anew: with this
    optimizer, unless the space has an `optimizer` of its own.
    """
    optimizer = getattr(model, "optimizer", None)
    return None if optimizer is None else type(optimizer).from_config(optimizer.get_config())


def explored_space(
    spec: SweepSpec, found: object, *, input_shape: tuple[int, ...] = (), classes: int | None = None
) -> tuple[SweepSpec, Exploration]:
    """The sweep with the hyperparameters of its model among its parameters, and how these were found.

    What the space file says of `model.NAME` wins: a range of its own, or a fixed value, which becomes a constant.

    Raises:
        ModelError: as `explored`; or the file gives a model argument that the model has no hyperparameter for.
    """
    space = spec.space
    said = {name.removeprefix(PREFIX): value for name, value in space.constants.items() if name.startswith(PREFIX)}
    fixed = {**spec.model.arguments, **said}
    exploration = explored(found, input_shape=input_shape, classes=classes, fixed=fixed)
    discovered = exploration.parameters()
    known = {parameter.name for parameter in space.parameters}
    new = [parameter for parameter in discovered if parameter.name not in known]
    own = [parameter for parameter in space.parameters if parameter.name.startswith(PREFIX)]
    _check_known(spec, own, discovered)
    constants = {**space.constants, **{PREFIX + name: value for name, value in fixed.items()}}
    return replace(spec, space=SearchSpace(ordered((*space.parameters, *new)), constants)), exploration


def _check_known(spec: SweepSpec, own: list[Parameter], discovered: tuple[Parameter, ...]) -> None:
    known = {parameter.name.removeprefix(PREFIX) for parameter in discovered}
    for parameter in own:
        name = parameter.name.removeprefix(PREFIX)
        if name not in known:
            raise _no_hyper_parameter(name, spec.model.source, known)


def _no_hyper_parameter(name: str, model: str, known: set[str]) -> ModelError:
    return ModelError(
        f"`{PREFIX}{name}`: {model} has no hyperparameter {name!r}",
        hint=f"It has {', '.join(sorted(known)) or 'none'}",
    )


def _builder(found: object, input_shape: tuple[int, ...], classes: int | None) -> Callable[[Any], Any]:
    """A function from `keras_tuner.HyperParameters` to the model; they then hold what was asked for."""
    context = {"input_shape": input_shape, "classes": classes}
    function, name = _function(found, context)
    written = getattr(getattr(function, "__self__", None), "_build", function)  # a HyperModel wraps the user's method
    folder = _folder(written)
    given = taken(written, context)

    def build(hyper_parameters: Any) -> Any:
        values = hyper_parameters.values.items()
        said = ", ".join(f"{key}={value!r}" for key, value in values) or "the default values"
        with user_code(f"{name} can't be built with {said}", folder, ModelError):
            model = function(hyper_parameters, **given)
        check_model(model, name)
        return model

    return build


def _function(found: object, context: Mapping[str, Any]) -> tuple[Callable[..., Any], str]:
    import keras_tuner

    name = _name(found)
    if isinstance(found, type):
        wanted = taken(found, context)
        hint = "Name an instance instead: `tuned = MyHyperModel(...)` in the module, `python: module:tuned`"
        with user_code(f"HyperModel {name} can't be made from {wanted}", _folder(found), ModelError, hint=hint):
            found = found(**wanted)
    if isinstance(found, keras_tuner.HyperModel):
        if type(found).fit is not keras_tuner.HyperModel.fit:
            raise ModelError(
                f"HyperModel {name} trains by a `fit` of its own, which would not be called",
                hint="Drop it, and make `epochs` and `batch_size` parameters of the space file",
            )
        return found.build, name
    assert callable(found), found
    return found, name


def _name(found: Any) -> str:
    return str(getattr(found, "__name__", type(found).__name__))


def _folder(function: Any) -> Path:
    function = type(function) if not callable(function) else function  # a HyperModel
    try:
        return Path(inspect.getsourcefile(inspect.unwrap(function)) or ".").parent
    except (TypeError, OSError):
        return Path()
