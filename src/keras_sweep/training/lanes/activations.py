"""Activations that differ among lanes: each lane takes its own of those that the space offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.plan import MODEL_PREFIX

ELEMENTWISE = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"}
    | {"tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign"}
)  # of keras.activations: each output is of one input alone, and at zero it and its derivative are finite


def offered_activations(spec: SweepSpec) -> tuple[str, ...]:
    """Those that trials of this space choose among, by Keras's names; () where there is no choice.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    import keras

    named = set()
    for parameter in spec.space.parameters:
        if not parameter.name.startswith(MODEL_PREFIX) or not isinstance(parameter.distribution, Categorical):
            continue
        for choice in parameter.distribution.choices:
            try:
                name = keras.activations.get(choice).__name__ if isinstance(choice, str) else ""
            except (AttributeError, ValueError):  # it names something else
                continue
            named |= {name} & ELEMENTWISE
    return tuple(sorted(named)) if len(named) > 1 else ()


class ChosenActivation:
    """Of several activations the one of a lane, traced."""

    def __init__(self, names: Sequence[str], choice: Any) -> None:
        self._names = names
        self._choice = choice

    def __call__(self, inputs: Any) -> Any:
        import jax.numpy as jnp
        import keras

        outputs = jnp.zeros_like(inputs)
        for place, name in enumerate(self._names):
            mine = self._choice == place
            # the others see zeros: what overflows there would be no number in the gradient, though it is not taken
            outputs = jnp.where(mine, keras.activations.get(name)(jnp.where(mine, inputs, 0.0)), outputs)
        return outputs
