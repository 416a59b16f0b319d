"""Optimizer arguments of which each lane of a program may have its own number: momentum, beta_1, weight_decay, ...

Keras keeps them as Python floats, which a program holds as constants. While a program is traced, an object stands in
for such a float that gives the lanes' numbers, one for each lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_sweep.space.distributions import Value

_DECAY = frozenset({"weight_decay"})
_ADAM = _DECAY | {"beta_1", "beta_2", "epsilon"}
# Of the optimizers that work element by element: the arguments that only enter sums and products.
_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "sgd": _DECAY | {"momentum"},
    "rmsprop": _DECAY | {"rho", "momentum", "epsilon"},
    "adam": _ADAM,
    "adamw": _ADAM,
    "adamax": _ADAM,
    "adadelta": _DECAY | {"rho", "epsilon"},
    "adagrad": _DECAY | {"epsilon"},
    "lion": _DECAY | {"beta_1", "beta_2"},
}
OWN_NUMBERS = frozenset().union(*_ARGUMENTS.values())
PLACEHOLDER = 0.5  # where an optimizer is built before the lanes' numbers are known; any valid number but zero


def is_number(value: Value) -> bool:
    """Whether the value may differ per lane. Zero may not: Keras makes no momentum slot for 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def may_vary_per_lane(optimizer: str, name: str, value: Value) -> bool:
    """Whether a lane can have its own number for this argument."""
    return is_number(value) and name in _ARGUMENTS.get(optimizer.lower(), ())


class PerLaneValue:
    """Stands in for a Python float that is not zero: an array of the lanes' numbers, to go with a variable.

    Its complement to one is given beside it, since Keras computes that in double precision before it rounds.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, numbers: Any, complements: Any) -> None:
        self._numbers = numbers
        self._complements = complements

    def __jax_array__(self) -> Any:
        return self._numbers

    def __rsub__(self, other: object) -> Any:
        if other != 1:
            return NotImplemented
        return self._complements

    def __eq__(self, other: object) -> bool:
        if other != 0:
            raise TypeError("an own number can only be compared with zero")
        return False

    def __gt__(self, other: object) -> bool:
        return not self == other  # numbers that are valid are above zero
