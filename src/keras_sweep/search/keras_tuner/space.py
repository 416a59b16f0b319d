"""Convert search spaces and their values to KerasTuner's and back.

KerasTuner's `Choice` turns booleans to integers and allows no lists, None or mixed types. Its `Float` with a step may
lose the upper end. So choices and stepped reals are given as indices, which KerasTuner's samplers use internally.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.search_space import Condition, Params, SearchSpace

Code: TypeAlias = int | float
Codes: TypeAlias = Mapping[str, Code]  # parameter -> KerasTuner's value, maybe with entries "tuner/..."

NOTHING = "tuner/nothing"  # the parameter of an empty space, for which KerasTuner would suggest no trial


def hyper_parameters(space: SearchSpace) -> Any:
    """Return the space as `keras_tuner.HyperParameters`, without parameters whose conditions no trial meets."""
    import keras_tuner
    from keras_tuner.src.engine.conditions import Parent

    hyper_parameters = keras_tuner.HyperParameters()
    distributions: dict[str, Distribution] = {}
    for parameter in space.parameters:
        parents = []
        for condition in parameter.when:
            if condition.parameter in space.constants:
                if not condition.is_met(space.constants):
                    break
                continue
            codes = _encode_parent_values(distributions, condition)
            if not codes:  # the parent never has a value of the condition
                break
            parents.append(Parent(condition.parameter, codes))
        else:
            distributions[parameter.key] = parameter.distribution
            hyper_parameters.merge([_make_hyper_parameter(parameter.key, parameter.distribution, parents)])
    if not distributions:
        hyper_parameters.Fixed(NOTHING, 0)
    return hyper_parameters


def encode(space: SearchSpace, params: Params) -> dict[str, Code] | None:
    """Convert a trial's values to KerasTuner's: an index for each choice. None if a value is not in this space."""
    if (pairs := space.match_values(params)) is None:
        return None
    return {parameter.key: _encode_value(parameter.distribution, value) for parameter, value in pairs} or {NOTHING: 0}


def decode(space: SearchSpace, codes: Codes) -> dict[str, Value]:
    """Convert KerasTuner's values, as `encode` returns them, to a trial's values, and add the space's constants."""
    params = dict(space.constants)
    for parameter in space.parameters:
        if parameter.key in codes:
            params[parameter.name] = _decode_value(parameter.distribution, codes[parameter.key])
    return params


def _make_hyper_parameter(name: str, distribution: Distribution, parents: list[Any]) -> Any:
    from keras_tuner.engine import hyperparameters as kinds

    if isinstance(distribution, Categorical):
        return kinds.Choice(name, list(range(len(distribution.choices))), conditions=parents)
    if isinstance(distribution, Float) and distribution.size != math.inf:
        return kinds.Int(name, 0, int(distribution.size) - 1, conditions=parents)
    sampling = "log" if distribution.log else "linear"
    kind = kinds.Float if isinstance(distribution, Float) else kinds.Int
    step = None if isinstance(distribution, Float) or distribution.log else distribution.step
    return kind(name, distribution.low, distribution.high, step=step, sampling=sampling, conditions=parents)


def _encode_parent_values(distributions: Mapping[str, Distribution], condition: Condition) -> list[Code]:
    distribution = distributions.get(condition.parameter)
    if distribution is None:
        return []
    if isinstance(distribution, Float) and distribution.size == math.inf:
        return [float(value) for value in condition.values if isinstance(value, int | float)]
    return [_encode_value(distribution, value) for value in distribution.values() if value in condition.values]


def _encode_value(distribution: Distribution, value: Value) -> Code:
    if isinstance(distribution, Categorical):
        return [(type(choice), choice) for choice in distribution.choices].index((type(value), value))  # True is not 1
    assert isinstance(value, int | float), value
    if isinstance(distribution, Float) and distribution.size != math.inf:
        index = round((value - distribution.low) / distribution.step) if distribution.step else 0
        return min(max(index, 0), int(distribution.size) - 1)
    return float(value) if isinstance(distribution, Float) else int(value)


def _decode_value(distribution: Distribution, code: Code) -> Value:
    if isinstance(distribution, Categorical) or (isinstance(distribution, Float) and distribution.size != math.inf):
        return distribution.values()[int(code)]
    clipped = min(max(code, distribution.low), distribution.high)  # KerasTuner rounds to just past the upper end
    return float(clipped) if isinstance(distribution, Float) else int(clipped)
