"""Distributions in Optuna's words. A list, or any other choice that Optuna's storage does not take, is a text there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_sweep.space.distributions import Categorical, Distribution, Float, Scalar, Value, as_scalar

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def optuna_distribution(distribution: Distribution) -> BaseDistribution:
    """The distribution of the same values."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(distribution, Categorical):
        return CategoricalDistribution(encode(distribution))
    if isinstance(distribution, Float):
        return FloatDistribution(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    return IntDistribution(distribution.low, distribution.high, log=distribution.log, step=distribution.step)


def encode(distribution: Categorical) -> list[Scalar]:
    """The choices, in order, as scalars."""
    return [as_scalar(choice) for choice in distribution.choices]


def decode(distribution: Categorical, scalar: Scalar) -> Value:
    """The choice that the scalar stands for. Raises ValueError where there is none."""
    for choice, known in zip(distribution.choices, encode(distribution), strict=True):
        if type(known) is type(scalar) and known == scalar:
            return choice
    raise ValueError(f"{scalar!r} is none of {encode(distribution)}")
