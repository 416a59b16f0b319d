"""Each optimizer of Keras with each of its arguments, a few at a time."""

import inspect

LEFT_OUT = {
    "Lamb": "has no name that `keras.optimizers.get` knows",
    "LossScaleOptimizer": "wraps another optimizer, as Keras does under `mixed_float16`",
    "MultiOptimizer": "is made from other optimizers: a model that compiles itself may have it",
    "Optimizer": "is the base class",
    "OptimizerMap": "is no optimizer: it maps variables to optimizers",
}
NO_ARGUMENT = {"self", "learning_rate", "name", "kwargs"}  # the rate differs in each trial anyway

_VALUES = {
    "weight_decay": 0.01,
    "clipvalue": 0.05,
    "clipnorm": 0.5,
    "global_clipnorm": 0.5,
    "use_ema": True,
    "ema_momentum": 0.8,
    "ema_overwrite_frequency": 4,
    "loss_scale_factor": 8.0,
    "gradient_accumulation_steps": 2,
    "epsilon": 1e-5,
    "exclude_layers": ("none",),
    "muon_a": 3.4,  # farther from the defaults its iteration is chaotic: it makes a rounding large
    "muon_b": -4.7,
    "muon_c": 2.0,
}
# Only one way to clip at a time. Clipping by a norm is the base class's: an optimizer is tried with one or the other.
_OF_THE_BASE = (
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
BY_NORM = ("clipnorm", "global_clipnorm")
OF_EVERY_OPTIMIZER = ("clipvalue", *BY_NORM, *_OF_THE_BASE)

MAPPED = {"Adafactor", "Muon", "ScheduleFreeAdamW"}  # an element's update reads more than that element


def public_optimizers():
    """Every class in `keras.optimizers`."""
    import keras

    return dict(inspect.getmembers(keras.optimizers, inspect.isclass))


def optimizer_arguments(name):
    """Its arguments and a value of each that is not the default."""
    parameters = inspect.signature(public_optimizers()[name].__init__).parameters
    return {
        key: _VALUES[key] if key in _VALUES else _other(parameter.default)
        for key, parameter in parameters.items()
        if key not in NO_ARGUMENT
    }


def optimizer_trials(name):
    """Two sets of arguments that together hold each of them, but one of the two norms to clip by."""
    arguments = optimizer_arguments(name)
    norm = BY_NORM[len(name) % 2]
    return [
        {key: value for key, value in arguments.items() if key not in (*BY_NORM, *_OF_THE_BASE)},
        {key: arguments[key] for key in (norm, *_OF_THE_BASE)},
    ]


def _other(default):
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default * 0.9 if default else 0.01
    raise LookupError(f"no value is known that could be given in place of {default!r}")
