"""Lanes as the first axis of every variable: `fit`'s own step mapped over them.

Right for every optimizer, two to three times slower than `Flat` for those that work element by element.
"""

from collections.abc import Callable, Sequence
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
    """Lanes are the first axis of every variable, and `fit`'s own training step is mapped over it. Used as `Flat`."""

    def __init__(self, template: Template, lanes: int) -> None:
        self._model = template.model
        self._template = template
        self._lanes = lanes
        optimizer = self._model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # the outer of loss scaling has its own
        rate = inner._learning_rate  # noqa: SLF001  # Keras 3.15: the public one is its value, not the variable
        self._rate_place = next((i for i, variable in enumerate(optimizer.variables) if variable is rate), None)

    def initial_state(self, own: OwnModel | None = None) -> TrainingState:
        """A lane before its first epoch. No structure is shared here."""
        assert own is None
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
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, weights: Any = None, counted: Any = None
    ) -> tuple[State, list[Any]]:
        assert counted is None  # no step is masked here
        trainable, other, slots = state
        slots = [numbers if place == self._rate_place else slot for place, slot in enumerate(slots)]

        batch = (x, y) if weights is None else (x, y, weights)

        def one(trainable: Any, other: Any, slots: Any, metrics: Any) -> Any:
            _, after = self._model.train_step((trainable, other, slots, metrics), batch)
            return after

        trainable, other, slots, metrics = self._map_over_lanes(one)(trainable, other, slots, metrics)
        return (list(trainable), list(other), list(slots)), list(metrics)

    def test(self, state: State, metrics: list[Any], numbers: Any, *batch: Any) -> tuple[State, list[Any], Any]:
        del numbers  # of the optimizer alone
        trainable, other, slots = state
        scored = self._template.average(trainable, slots)
        one = self._map_over_lanes(lambda *lane: self._template.test(*lane, None, *batch))
        other, metrics, right = one(scored, other, metrics)
        return (trainable, list(other), slots), list(metrics), right

    def _map_over_lanes(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one lane as one of all lanes; a lane alone is not mapped, so that it is `fit`'s own program."""
        if self._lanes > 1:
            mapped: Callable[..., Any] = jax.vmap(one)
            return mapped

        def alone(*arguments: Any) -> Any:
            return jax.tree.map(lambda array: array[None], one(*jax.tree.map(lambda array: array[0], arguments)))

        return alone

    def find_finite_lanes(self, state: State) -> Any:
        finite = [jnp.isfinite(array).reshape(self._lanes, -1).all(1) for array in state[0]]
        return jnp.stack([jnp.ones(self._lanes, bool), *finite]).all(0)
