"""A search space in KerasTuner's words, and its values there and back.

KerasTuner's `Choice` turns booleans to integers and takes neither lists nor None nor mixed types, and its `Float` with
a step may lose the upper end. So choices and stepped reals stand as their index, which its samplers work on anyhow.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.search_space import Condition, Params, SearchSpace

Code: TypeAlias = int | float
Codes: TypeAlias = Mapping[str, Code]  # KerasTuner's values of a trial; "tuner/..." may be among them

NOTHING = "tuner/nothing"  # stands in a space without parameters, where KerasTuner would see no trial at all


def hyper_parameters(space: SearchSpace) -> Any:
    """The parameters that a trial can have for KerasTuner; conditions on constants are resolved."""
    import keras_tuner
    from keras_tuner.src.engine.conditions import Parent

    hyper_parameters = keras_tuner.HyperParameters()
    found: dict[str, Distribution] = {}
    for parameter in space.parameters:
        parents = []
        for condition in parameter.when:
            if condition.parameter in space.constants:
                if not condition.holds(space.constants):
                    break
                continue
            codes = _parent_codes(found, condition)
            if not codes:  # the parent never has such a value
                break
            parents.append(Parent(condition.parameter, codes))
        else:
            found[parameter.key] = parameter.distribution
            hyper_parameters.merge([_hyper_parameter(parameter.key, parameter.distribution, parents)])
    if not found:
        hyper_parameters.Fixed(NOTHING, 0)
    return hyper_parameters


def encode(space: SearchSpace, params: Params) -> dict[str, Code] | None:
    """The codes of a trial's values; None where they are not of this space."""
    if (searched := space.match_values(params)) is None:
        return None
    return {one.key: _code(one.distribution, value) for one, value in searched} or {NOTHING: 0}


def decode(space: SearchSpace, codes: Codes) -> dict[str, Value]:
    """A trial's values, constants included, of KerasTuner's values."""
    params = dict(space.constants)
    for parameter in space.parameters:
        if parameter.key in codes:
            params[parameter.name] = _value(parameter.distribution, codes[parameter.key])
    return params


def _hyper_parameter(name: str, distribution: Distribution, parents: list[Any]) -> Any:
    from keras_tuner.engine import hyperparameters as kinds

    if isinstance(distribution, Categorical):
        return kinds.Choice(name, list(range(len(distribution.choices))), conditions=parents)
    if isinstance(distribution, Float) and distribution.size != math.inf:
        return kinds.Int(name, 0, int(distribution.size) - 1, conditions=parents)
    sampling = "log" if distribution.log else "linear"
    kind = kinds.Float if isinstance(distribution, Float) else kinds.Int
    step = None if isinstance(distribution, Float) or distribution.log else distribution.step
    return kind(name, distribution.low, distribution.high, step=step, sampling=sampling, conditions=parents)


def _parent_codes(found: Mapping[str, Distribution], condition: Condition) -> list[Code]:
    distribution = found.get(condition.parameter)
    if distribution is None:
        return []
    if isinstance(distribution, Float) and distribution.size == math.inf:
        return [float(value) for value in condition.values if isinstance(value, int | float)]
    return [_code(distribution, value) for value in distribution.values() if value in condition.values]


def _code(distribution: Distribution, value: Value) -> Code:
    if isinstance(distribution, Categorical):
        return [(type(choice), choice) for choice in distribution.choices].index((type(value), value))  # True is not 1
    assert isinstance(value, int | float), value
    if isinstance(distribution, Float) and distribution.size != math.inf:
        index = round((value - distribution.low) / distribution.step) if distribution.step else 0
        return min(max(index, 0), int(distribution.size) - 1)
    return float(value) if isinstance(distribution, Float) else int(value)


def _value(distribution: Distribution, code: Code) -> Value:
    if isinstance(distribution, Categorical) or (isinstance(distribution, Float) and distribution.size != math.inf):
        return distribution.values()[int(code)]
    kept = min(max(code, distribution.low), distribution.high)  # rounding leads KerasTuner just past the upper end
    return float(kept) if isinstance(distribution, Float) else int(kept)
