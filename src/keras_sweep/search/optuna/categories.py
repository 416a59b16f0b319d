"""Choices as search libraries take them: a list, which they would refuse or mangle, stands as its JSON text."""

from __future__ import annotations

import json

from keras_sweep.space.distributions import Categorical, Scalar, Value


def as_scalar(value: Value) -> Scalar:
    """The value itself, or the JSON text of a list."""
    return json.dumps(value) if isinstance(value, tuple) else value


def encode(distribution: Categorical) -> list[Scalar]:
    """The choices, in order, as scalars."""
    return [as_scalar(choice) for choice in distribution.choices]


def decode(distribution: Categorical, scalar: Scalar) -> Value:
    """The choice that the scalar stands for. Raises ValueError where there is none."""
    for choice, known in zip(distribution.choices, encode(distribution), strict=True):
        if type(known) is type(scalar) and known == scalar:
            return choice
    raise ValueError(f"{scalar!r} is none of {encode(distribution)}")
