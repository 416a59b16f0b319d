"""Penalties of weights and of outputs, whose factors differ among lanes: a lane whose factor is zero pays none."""

from __future__ import annotations

from typing import Any

KINDS = ("kernel_regularizer", "bias_regularizer", "gamma_regularizer", "beta_regularizer", "activity_regularizer")
FACTORS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}  # of keras.regularizers


class LanePenalty:
    """As Keras's of the same factors, which are set while a program is traced.

    A sum that overflows is not multiplied by zero, which would be no number: `fit` has no penalty there at all.
    """

    def __init__(self, penalty: Any) -> None:
        self.factors = factors_of(penalty)
        for name in self.factors:
            setattr(self, name, getattr(penalty, name))

    def __call__(self, x: Any) -> Any:
        import jax.numpy as jnp
        from keras import ops

        costs = {"l1": ops.absolute, "l2": ops.square}
        total = 0.0
        for name in self.factors:
            factor = jnp.asarray(getattr(self, name), x.dtype)
            total = total + jnp.where(factor > 0, factor * ops.sum(costs[name](x)), 0.0)
        return total


def factors_of(penalty: Any) -> tuple[str, ...]:
    """The attributes that hold a penalty's factors; none where it is unknown."""
    return penalty.factors if isinstance(penalty, LanePenalty) else FACTORS.get(type(penalty).__name__, ())


def simplify_penalties(layer: Any) -> None:
    """Give a layer the penalties that cost the same with the fewest factors: a factor of zero is as good as none."""
    for kind in KINDS:
        if getattr(layer, kind, None) is not None:
            setattr(layer, kind, _simplest(getattr(layer, kind)))


def guard_penalties(layer: Any) -> None:
    """Make a layer's penalties those of lanes. It is not built yet: its weights take them over."""
    for kind in KINDS:
        if getattr(layer, kind, None) is not None:
            setattr(layer, kind, LanePenalty(getattr(layer, kind)))


def _simplest(penalty: Any) -> Any:
    import keras

    factors = {name: value for name in factors_of(penalty) if (value := float(getattr(penalty, name))) > 0}
    kind = next((kind for kind, names in FACTORS.items() if names == tuple(factors)), None)
    return None if kind is None else getattr(keras.regularizers, kind)(**factors)
