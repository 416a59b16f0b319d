"""The optimizers that one program offers, so that trials with different ones share its products."""

from __future__ import annotations

import math
from dataclasses import replace

from keras_sweep.space.distributions import Categorical, Distribution, Float
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.per_lane_values import OWN_NUMBERS, PLACEHOLDER, is_number
from keras_sweep.training.lanes.signature import LANE_NUMBER, OptimizerVariant, variant_of
from keras_sweep.trial.plan import FIT_PARAMETERS, MODEL_PREFIX, training_plan

OFFERED = 4  # every lane pays for all of them: 3 for sgd, rmsprop and adam cost 14 % more than adam alone

_NOT_CONSTANTS = frozenset(FIT_PARAMETERS) - {"optimizer"} | {LANE_NUMBER}


def optimizer_variants(spec: SweepSpec) -> tuple[OptimizerVariant, ...]:
    """All optimizers with their constants that trials of this space may have; () where they are too many.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    chosen = {
        parameter.name
        for parameter in spec.space.parameters
        if parameter.name not in _NOT_CONSTANTS and not parameter.name.startswith(MODEL_PREFIX)
    }
    parameters = tuple(parameter for parameter in spec.space.parameters if parameter.name in chosen)
    conditions = {condition.parameter for parameter in parameters for condition in parameter.when}
    if not conditions <= chosen | set(spec.space.constants):
        return ()
    shared = {parameter.name for parameter in parameters} & OWN_NUMBERS - conditions
    kinds = (replace(one, distribution=_kinds(one.distribution)) if one.name in shared else one for one in parameters)
    space = SearchSpace(tuple(kinds), spec.space.constants)
    if space.size > OFFERED:
        return ()
    variants = tuple(dict.fromkeys(variant_of(training_plan(spec, point), shared) for point in space.points()))
    made_up = any(
        name in shared and value == PLACEHOLDER for variant in variants for name, _, value in variant.constants
    )
    return () if made_up else variants


def _kinds(distribution: Distribution) -> Distribution:
    """One number for all that lanes can have each their own; what is compiled in stays as it is."""
    if isinstance(distribution, Categorical):
        fixed = tuple(one for one in distribution.choices if not is_number(one))
        return Categorical(fixed if len(fixed) == len(distribution.choices) else (*fixed, PLACEHOLDER))
    zero = 0.0 if isinstance(distribution, Float) else 0
    reached = distribution.size < math.inf and distribution.contains(zero)
    return Categorical((zero, PLACEHOLDER) if reached else (PLACEHOLDER,))
