"""The same training but for its rounding: how far `fit` moves then is how far no two ways to train can be told apart.

Where a learning rate is so high that training is chaotic, a difference in the last digit grows with each step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LAST_DIGIT = 2.0**-23  # of float32


def draws_at_random(model: Any) -> bool:
    """Whether layers draw random numbers in training, as dropout does: a row's draw goes by its place in the batch."""
    return any(str(variable.path).endswith("seed_generator_state") for variable in model.variables)


def disturb(model: Any, order: int) -> None:
    """Make a compiled model train otherwise by its rounding alone.

    The rows of each batch change places, which reorders the sums over them; of a model whose layers draw at random,
    where that would be another training, the last digit of the first weights changes.

    Args:
        model: built and compiled, not yet trained.
        order: which of many other orders, counted from 1.
    """
    if draws_at_random(model):
        _nudge(model, order)
    else:
        _reorder(model, order)


def _reorder(model: Any, order: int) -> None:
    import keras

    step = model.train_step

    def turned(part: Any) -> Any:
        return part if part is None else keras.ops.roll(keras.ops.flip(part, axis=0), order - 1, axis=0)

    def train_step(*arguments: Any) -> Any:
        *state, batch = arguments  # JAX passes the state of all variables first
        return step(*state, keras.tree.map_structure(turned, batch))

    model.train_step = train_step


def _nudge(model: Any, order: int) -> None:
    random = np.random.default_rng(order)
    model.set_weights(
        [
            (weight * (1 + LAST_DIGIT * random.choice([-1.0, 1.0], weight.shape))).astype(weight.dtype)
            if np.issubdtype(weight.dtype, np.floating)
            else weight
            for weight in model.get_weights()
        ]
    )
