"""Stands in for a Python float of an optimizer, such as its momentum, while a program is traced.

Keras keeps such arguments as Python floats, which a program would hold as constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from keras_sweep.training.lanes.signature import PLACEHOLDER


class PerLaneValue:
    """Stands in for a Python float that is not zero: an array of the lanes' values, to go with a variable.

    Its complement to one is given beside it, since Keras computes that in double precision before it rounds.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Any, complements: Any) -> None:
        self._values = values
        self._complements = complements

    def __jax_array__(self) -> Any:
        return self._values

    def __rsub__(self, other: object) -> Any:
        if other != 1:
            return NotImplemented
        return self._complements

    def __eq__(self, other: object) -> bool:
        if other != 0:
            raise TypeError("a value per lane can only be compared with zero")
        return False

    def __gt__(self, other: object) -> bool:
        return not self == other  # values that are valid are above zero


@contextmanager
def per_lane_values(optimizer: Any, values: Mapping[str, PerLaneValue]) -> Iterator[None]:
    """Inside, the optimizer has these values of its arguments."""
    for name, value in values.items():
        setattr(optimizer, name, value)
    try:
        yield
    finally:
        for name in values:
            setattr(optimizer, name, PLACEHOLDER)
