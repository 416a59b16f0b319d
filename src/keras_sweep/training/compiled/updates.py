"""The optimizers that one program offers, so that trials with different ones share its products."""

from __future__ import annotations

from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.compiled.signature import LANE_NUMBER, Update, update_of
from keras_sweep.training.plan import FIT_PARAMETERS, MODEL_PREFIX, training_plan

OFFERED = 4  # every lane pays for all of them: 3 for sgd, rmsprop and adam cost 14 % more than adam alone

_NOT_CONSTANTS = frozenset(FIT_PARAMETERS) - {"optimizer"} | {LANE_NUMBER}


def offered_updates(spec: SweepSpec) -> tuple[Update, ...]:
    """All optimizers with their constants that trials of this space may have; () where they are too many.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    chosen = {
        parameter.name
        for parameter in spec.space.parameters
        if parameter.name not in _NOT_CONSTANTS and not parameter.name.startswith(MODEL_PREFIX)
    }
    parameters = tuple(parameter for parameter in spec.space.parameters if parameter.name in chosen)
    known = chosen | set(spec.space.constants)
    if any(condition.parameter not in known for parameter in parameters for condition in parameter.when):
        return ()
    space = SearchSpace(parameters, spec.space.constants)
    if space.size > OFFERED:
        return ()
    return tuple(dict.fromkeys(update_of(training_plan(spec, point)) for point in space.points()))
