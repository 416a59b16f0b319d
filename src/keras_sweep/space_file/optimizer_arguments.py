"""Which arguments each Keras optimizer takes, and what each may be. The tests compare this with Keras."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keras_sweep.space.distributions import Value
from keras_sweep.space.plain_text import shown

DEFAULT_OPTIMIZER = "rmsprop"  # as `keras.Model.compile`


@dataclass(frozen=True, slots=True)
class Argument:
    """What an argument may be."""

    kind: type = float  # float (a whole number will do), int or bool
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is not allowed
    below: bool = False  # high itself is not allowed
    null: bool = False  # `null` may stand for "off"

    @property
    def rule(self) -> str:
        """What it may be, for a sentence: "a number from 0 to 1"."""
        kind = {float: "a number", int: "a whole number", bool: "true or false"}[self.kind]
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"above {self.low}" if self.above else f"at least {self.low}")
        if self.high < math.inf:
            bounds.append(f"below {self.high}" if self.below else f"at most {self.high}")
        text = " and ".join(bounds)
        return f"{kind} {'of ' if text.startswith('at') else ''}{text}".strip() + (", or null" if self.null else "")

    def fault(self, value: Value) -> str | None:
        """The rule that the value breaks, or None."""
        return None if self.allows(value) else f"must be {self.rule}, but got {shown(value)}"

    def allows(self, value: Value) -> bool:
        """Whether it may have the value."""
        if value is None:
            return self.null
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if not isinstance(value, int if self.kind is int else int | float):
            return False
        over = value > self.low if self.above else value >= self.low
        return over and (value < self.high if self.below else value <= self.high)


_FLAG = Argument(bool)
_NUMBER = Argument()
_NOT_NEGATIVE = Argument(low=0)
_SHARE = Argument(low=0, high=1)
_DECAY = Argument(low=0, high=1, below=True)  # of a moving average
_CLIP = Argument(low=0, above=True, null=True)

LEARNING_RATE = Argument(low=0, above=True)

COMMON: Mapping[str, Argument] = {
    "learning_rate": LEARNING_RATE,
    "weight_decay": Argument(low=0, null=True),
    "clipnorm": _CLIP,
    "clipvalue": _CLIP,
    "global_clipnorm": _CLIP,
    "use_ema": _FLAG,
    "ema_momentum": _SHARE,
    "ema_overwrite_frequency": Argument(int, low=1, null=True),
    "loss_scale_factor": Argument(low=0, above=True, null=True),
    "gradient_accumulation_steps": Argument(int, low=2, null=True),
}  # every optimizer takes these

_OWN: Mapping[str, Mapping[str, Argument]] = {
    "adadelta": {"rho": _DECAY, "epsilon": _NOT_NEGATIVE},
    "adafactor": {
        "beta_2_decay": _NUMBER,
        "epsilon_1": _NOT_NEGATIVE,
        "epsilon_2": _NOT_NEGATIVE,
        "clip_threshold": Argument(low=0, above=True),
        "relative_step": _FLAG,
    },
    "adagrad": {"initial_accumulator_value": _NOT_NEGATIVE, "epsilon": _NOT_NEGATIVE},
    "adam": {"beta_1": _DECAY, "beta_2": _DECAY, "epsilon": _NOT_NEGATIVE, "amsgrad": _FLAG},
    "adamax": {"beta_1": _DECAY, "beta_2": _DECAY, "epsilon": _NOT_NEGATIVE},
    "adamw": {
        "weight_decay": Argument(low=0),
        "beta_1": _DECAY,
        "beta_2": _DECAY,
        "epsilon": _NOT_NEGATIVE,
        "amsgrad": _FLAG,
    },
    "ftrl": {
        "learning_rate_power": Argument(high=0),
        "initial_accumulator_value": _NOT_NEGATIVE,
        "l1_regularization_strength": _NOT_NEGATIVE,
        "l2_regularization_strength": _NOT_NEGATIVE,
        "l2_shrinkage_regularization_strength": _NOT_NEGATIVE,
        "beta": _NUMBER,
    },
    "lion": {"beta_1": Argument(low=0, high=1, above=True, below=True), "beta_2": _DECAY},
    "muon": {
        "adam_beta_1": _DECAY,
        "adam_beta_2": _DECAY,
        "adam_weight_decay": Argument(low=0, null=True),
        "epsilon": _NOT_NEGATIVE,
        "exclude_embeddings": _FLAG,
        "muon_a": _NUMBER,
        "muon_b": _NUMBER,
        "muon_c": _NUMBER,
        "adam_lr_ratio": Argument(low=0, above=True),
        "momentum": _SHARE,
        "ns_steps": Argument(int, low=1),
        "nesterov": _FLAG,
        "rms_rate": _NUMBER,
    },
    "nadam": {"beta_1": _DECAY, "beta_2": _DECAY, "epsilon": _NOT_NEGATIVE},
    "rmsprop": {"rho": _DECAY, "momentum": _SHARE, "epsilon": _NOT_NEGATIVE, "centered": _FLAG},
    "schedulefreeadamw": {
        "beta_1": _DECAY,
        "beta_2": _DECAY,
        "epsilon": _NOT_NEGATIVE,
        "warmup_steps": Argument(int, low=0),
    },
    "sgd": {"momentum": _SHARE, "nesterov": _FLAG},
}

# optimizer -> its arguments. Left out: `name`, `exclude_layers`, and the optimizers that wrap others.
OPTIMIZERS: Mapping[str, Mapping[str, Argument]] = {name: {**COMMON, **own} for name, own in _OWN.items()}
ARGUMENTS: tuple[str, ...] = tuple(dict.fromkeys(name for known in OPTIMIZERS.values() for name in known))


def argument(name: str) -> Argument | None:
    """What an argument may be in general: for the first optimizer that takes it. None where no optimizer does."""
    return next((known[name] for known in OPTIMIZERS.values() if name in known), None)


def optimizers_with(argument: str) -> tuple[str, ...]:
    """The optimizers that take an argument."""
    return tuple(name for name, known in OPTIMIZERS.items() if argument in known)
