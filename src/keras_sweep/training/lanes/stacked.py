"""Store lanes as the first axis of every variable, and map Keras's own training step over the lanes.

Every optimizer works. Several lanes of an elementwise optimizer train two to three times slower than in `FlatLayout`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.flat import State
from keras_sweep.training.lanes.lane_numbers import Numbers
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.lanes.template import Template


class StackedLayout:
    """Trains lanes by Keras's own training step and `jax.vmap`. Has the methods of `FlatLayout`."""

    def __init__(self, template: Template, lanes: int) -> None:
        self._model = template.model
        self._template = template
        self._lanes = lanes
        optimizer = self._model.optimizer
        # With loss scaling, the outer optimizer has a learning rate too.
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        rate = inner._learning_rate  # noqa: SLF001  # Keras 3.15: the public attribute is a value, not the variable
        self._rate_place = next((i for i, variable in enumerate(optimizer.variables) if variable is rate), None)

    def initial_state(self, own_model: OwnModel | None = None) -> TrainingState:
        assert own_model is None  # only the flat layout holds different models
        slots = tuple(np.array(variable.value) for variable in self._model.optimizer.variables)
        return TrainingState(self._template.trainable, self._template.other, slots)

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        parts = list(zip(*lanes, strict=True))[:3]
        trainable, other, slots = (
            [jax.device_put(np.stack(arrays)) for arrays in zip(*part, strict=True)] for part in parts
        )
        return trainable, other, slots

    def copy_lane(self, state: State, index: int) -> TrainingState:
        trainable, other, slots = (tuple(np.array(np.asarray(array)[index]) for array in part) for part in state)
        return TrainingState(trainable, other, slots)

    def prepare(self, numbers: Numbers) -> Any:
        return numbers.learning_rates

    def step(
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, weights: Any = None, mask: Any = None
    ) -> tuple[State, list[Any]]:
        assert mask is None
        trainable, other, slots = state
        slots = [numbers if place == self._rate_place else slot for place, slot in enumerate(slots)]
        batch = (x, y) if weights is None else (x, y, weights)
        train_lanes = self._map_over_lanes(lambda *lane: self._model.train_step(lane, batch)[1])
        trainable, other, slots, metrics = train_lanes(trainable, other, slots, metrics)
        return (list(trainable), list(other), list(slots)), list(metrics)

    def test(self, state: State, metrics: list[Any], _: Any, *batch: Any) -> tuple[State, list[Any], Any]:
        trainable, other, slots = state
        scored_variables = self._template.average(trainable, slots)
        test_lanes = self._map_over_lanes(lambda *lane: self._template.test(*lane, None, *batch))
        other, metrics, right = test_lanes(scored_variables, other, metrics)
        return (trainable, list(other), slots), list(metrics), right

    def _map_over_lanes(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Turn a function of a lane into a function of all lanes. A lone lane runs without `vmap`, just as in `fit`."""
        if self._lanes > 1:
            return jax.vmap(call)  # type: ignore[no-any-return]
        take, stack = partial(jax.tree.map, lambda array: array[0]), partial(jax.tree.map, lambda array: array[None])
        return lambda *arguments: stack(call(*take(arguments)))

    def find_finite_lanes(self, state: State) -> Any:
        finite = [jnp.isfinite(array).reshape(self._lanes, -1).all(1) for array in state[0]]
        return jnp.stack([jnp.ones(self._lanes, bool), *finite]).all(0)
