"""Each variable of all lanes as one array, for optimizers that work element by element. T lanes, B rows a batch.

Such an optimizer does not know lanes then, and XLA updates all of them in one loop.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, PerLaneValue, holding
from keras_sweep.training.lanes.softmax_regression import is_softmax_regression, softmax_gradients
from keras_sweep.training.lanes.structure import OwnModel, in_shapes
from keras_sweep.training.lanes.template import Template

State: TypeAlias = tuple[list[Any], list[Any], list[Any]]  # trainable, other, optimizer: device arrays of all lanes

# Of keras.optimizers: each element's update reads that element alone.
OPTIMIZERS = frozenset({"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adadelta", "Adagrad", "Nadam", "Ftrl", "Lion"})


def elementwise(optimizer: Any) -> bool:
    """Whether each element's update depends on that element's past alone."""
    name = type(optimizer).__name__
    if name not in OPTIMIZERS or type(optimizer) is not getattr(keras.optimizers, name, None):
        return False
    if not isinstance(optimizer.learning_rate, keras.Variable):  # a schedule
        return False
    by_norm = optimizer.clipnorm or optimizer.global_clipnorm
    scales = optimizer.loss_scale_factor is not None  # one factor scales the loss of all lanes
    return not (by_norm or scales or optimizer.use_ema or optimizer.gradient_accumulation_steps)


def lies_flat(template: Template) -> bool:
    """Whether a signature is laid out flat: its optimizers and variables are plain enough, and nothing convolves."""
    plain = all(
        variable.constraint is None and not getattr(variable, "overwrite_with_gradient", False)
        for variable in template.model.trainable_variables
    )
    scales_loss = hasattr(template.model.optimizer, "inner_optimizer")  # as Keras does under `mixed_float16`
    plain = plain and not scales_loss and not template.convolves
    return plain and all(elementwise(optimizer) for optimizer in template.optimizer_kinds)


@dataclass(frozen=True)
class _Place:
    """How one variable of all lanes lies: a kernel [in, out] as [out * T, in], any other one as a vector.

    XLA emits the gradients of kernels so. Arrays are NumPy's, or JAX's while they are traced.
    """

    shape: tuple[int, ...]  # of one lane
    lanes: int

    @property
    def lying(self) -> tuple[int, ...]:
        """The shape of the array."""
        if len(self.shape) == 2:
            return self.shape[1] * self.lanes, self.shape[0]
        return (math.prod(self.shape) * self.lanes,)

    def laid(self, view: Any) -> Any:
        """The array of what has the form [*shape, T]."""
        return view.reshape(self.shape[0], -1).T if len(self.shape) == 2 else view.ravel()

    def view(self, array: Any) -> Any:
        """The array as [*shape, T]; the transposition is one of strides, not of bytes."""
        return (array.T if len(self.shape) == 2 else array).reshape(*self.shape, self.lanes)

    def spread(self, values: Any) -> Any:
        """Traced: [T] values, to go with the array: a column beside a kernel, which costs no memory traffic."""
        if len(self.shape) == 2:
            return jnp.broadcast_to(values, (self.shape[1], self.lanes)).reshape(-1, 1)
        return jnp.broadcast_to(values, (*self.shape, self.lanes)).ravel()

    def stack(self, arrays: Sequence[Any]) -> Any:
        """The device array of the variable in each lane."""
        return jax.device_put(np.ascontiguousarray(self.laid(np.stack(arrays, axis=-1))))

    def lane(self, array: Any, index: int) -> Any:
        """A copy of the variable in one lane."""
        return np.array(self.view(np.asarray(array))[..., index], order="C")


class Flat:
    """Every variable of all lanes is one array, with an optimizer of its own, built on that array.

    Where lanes use different optimizers each of them updates its own lanes of the array: that costs less than a program
    for each.
    """

    def __init__(self, template: Template, lanes: int) -> None:
        self._template = template
        self._lanes = lanes
        self._places = [_Place(tuple(map(int, value.shape)), lanes) for value in template.trainable]
        self._rate: Any = None  # a learning rate that is an array, set while the program is traced
        self._is_softmax = is_softmax_regression(template)
        self._variables = [
            keras.Variable(np.zeros(place.lying, value.dtype), dtype=str(value.dtype), name=f"variable_{i}")
            for i, (place, value) in enumerate(zip(self._places, template.trainable, strict=True))
        ]
        self._optimizers = [self._built(variable) for variable in self._variables]  # [variable][variant]
        # Of each optimizer variable: where the trainable variable lies that it follows, or None if lanes share it.
        self._slots = [
            place if tuple(slot.shape) == place.lying else None
            for place, optimizers in zip(self._places, self._optimizers, strict=True)
            for optimizer in optimizers
            for slot in optimizer.variables
        ]

    def _built(self, variable: Any) -> list[Any]:
        optimizers = self._template.optimizers()
        for optimizer in optimizers:
            optimizer.learning_rate = lambda: self._rate
            optimizer.build([variable])
        return optimizers

    @cached_property
    def _initial_slots(self) -> Arrays:
        """The optimizers' variables of a lane before its first step; they do not depend on the lane."""
        return tuple(
            np.array(slot.value)
            for variable in self._template.model.trainable_variables
            for optimizer in self._built(variable)
            for slot in optimizer.variables
        )

    def initial(self, own: OwnModel | None = None) -> TrainingState:
        """A lane before its first epoch; of a model that shares a structure if it is given."""
        trainable, other = self._template.trainable, self._template.other
        if own is not None:
            trainable = in_shapes(own.trainable, [value.shape for value in trainable])
            other = in_shapes(own.other, [value.shape for value in other])
        return TrainingState(trainable, other, self._initial_slots)

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        trainable, other, slots, *_ = (list(zip(*parts, strict=True)) for parts in zip(*lanes, strict=True))
        return (
            [place.stack(arrays) for place, arrays in zip(self._places, trainable, strict=True)],
            [jax.device_put(np.stack(arrays)) for arrays in other],
            [
                jax.device_put(arrays[0].copy()) if place is None else place.stack(arrays)
                for place, arrays in zip(self._slots, slots, strict=True)
            ],
        )

    def lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""
        trainable, other, slots = state
        return TrainingState(
            tuple(place.lane(array, index) for place, array in zip(self._places, trainable, strict=True)),
            tuple(np.array(np.asarray(array)[index]) for array in other),
            tuple(
                np.array(slot) if place is None else place.lane(slot, index)
                for place, slot in zip(self._slots, slots, strict=True)
            ),
        )

    def _views(self, trainable: list[Any]) -> list[Any]:
        return [place.view(array) for place, array in zip(self._places, trainable, strict=True)]

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        signature = self._template.signature
        variants = range(len(signature.variants)) if len(signature.variants) > 1 else ()
        per_lane = list(zip(signature.per_lane, numbers.per_lane, strict=True))
        of_optimizer = jax.lax.optimization_barrier(
            [
                (
                    place.spread(numbers.learning_rates),
                    [place.spread(numbers.variants == variant) for variant in variants],
                    {name: [place.spread(values) for values in pair] for name, pair in per_lane},
                )
                for place in self._places
            ]
        )
        return of_optimizer, numbers.model, self._inside(numbers.model)

    def _inside(self, own: LaneNumbers | None) -> list[Any] | None:
        """Of each variable, as it lies, what is in the lane's own model; None where no layer lies in a wider one."""
        shared = self._template.shared
        if own is None or shared is None or not shared.inputs:
            return None
        masks, lengths = [], shared.lengths(own.widths)
        for place, axes in zip(self._places, shared.axes, strict=True):
            inside = jnp.ones((*place.shape, self._lanes), bool)
            for axis, which in enumerate(axes):
                if which is not None:
                    inside &= jax.lax.broadcasted_iota(jnp.int32, inside.shape, axis) < lengths[which]
            masks.append(place.laid(inside))
        return masks

    def step(
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, weights: Any = None, counted: Any = None
    ) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes; `weights` are what its rows count in the loss.

        Where steps are masked, `counted` [B] is 1 for its rows, 0 for further ones.
        """
        trainable, other, slots = state
        of_optimizer, of_model, inside = numbers
        if self._is_softmax:
            gradients, metrics = softmax_gradients(self._template, self._lanes, trainable, metrics, x, y)
        else:
            forward = self._template.forward(training=True)  # Keras's own code, mapped over lanes
            axes = ([-1] * len(trainable), 0, 0, -1, None, None, None, None)

            def loss(trainable: list[Any]) -> Any:
                losses, (other_after, metrics_after, _) = jax.vmap(forward, in_axes=axes)(
                    self._views(trainable), other, metrics, of_model, x, y, weights, counted
                )
                return losses.sum(), (other_after, metrics_after)

            gradients, (other, metrics) = jax.grad(loss, has_aux=True)(trainable)
        # The gradient of what makes a layer wider than the lane's own is zero, so that it stays zero.
        if inside is not None:
            gradients = [jnp.where(mask, each, 0) for mask, each in zip(inside, gradients, strict=True)]
        new_trainable, new_slots = self._apply(trainable, slots, gradients, of_optimizer)
        return (new_trainable, list(other), new_slots), list(metrics)

    def _apply(self, trainable: Any, slots: Any, gradients: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        """Traced: the trainable variables and the optimizers' after a step."""
        new_trainable, new_slots, remaining = [], [], list(slots)
        variants = self._template.signature.variants
        for variable, optimizers, value, gradient, (rate, masks, per_lane) in zip(
            self._variables, self._optimizers, trainable, gradients, numbers, strict=True
        ):
            # Where lanes have several optimizers, each is given what the one before it left, and changes its own lanes.
            self._rate = rate
            new = value
            for index, (optimizer, variant) in enumerate(zip(optimizers, variants, strict=True)):
                count = len(optimizer.variables)
                before, remaining = remaining[:count], remaining[count:]
                with holding([(optimizer, name, PerLaneValue(*per_lane[name])) for name in variant.per_lane]):
                    if len(optimizers) == 1:
                        (new,), after = optimizer.stateless_apply(before, [gradient], [value])
                    else:
                        state = list(zip((variable, *optimizer.variables), (new, *before), strict=True))
                        new, *after = _own_update(optimizer, state, gradient, masks[index])
                new_slots.extend(after)
            new_trainable.append(new)
        self._rate = None
        return new_trainable, new_slots

    def test(self, state: State, metrics: list[Any], numbers: Any, *batch: Any) -> tuple[State, list[Any], Any]:
        """Traced: one more batch of validation rows (x, y and, where rows weigh unlike, weights), which may change the
        other variables as in `fit`; metrics.

        Last [T, B] whether each row is right, as `template.right` tells; None where it can't.
        """
        trainable, other, slots = state
        one = jax.vmap(lambda *lane: self._template.test(*lane, *batch), in_axes=([-1] * len(trainable), 0, 0, -1))
        other, metrics, right = one(self._views(trainable), other, metrics, numbers[1])
        return (trainable, list(other), slots), list(metrics), right

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        views = [jnp.isfinite(view).all(tuple(range(view.ndim - 1))) for view in self._views(state[0])]
        return jnp.stack([jnp.ones(self._lanes, bool), *views]).all(0)


def _own_update(optimizer: Any, state: list[tuple[Any, Any]], gradient: Any, mask: Any) -> list[Any]:
    """Traced: the values of a variable and of its optimizer's after a step, in the lanes that the mask is true of.

    In other lanes they stay. That is chosen at each assignment: XLA then passes over a lane's rows only for the
    optimizer that it uses. Chosen at the end, old and new values would both have to be kept. The optimizer is built on
    the variable alone; `state` has it, then the optimizer's, each with its value.
    """
    (variable, _), *_ = state

    class OwnLanes(keras.StatelessScope):  # type: ignore[misc]
        told = False

        def add_update(self, update: tuple[Any, Any]) -> None:  # Keras 3.15: called by `Variable.assign`
            self.told = True
            assigned, value = update
            if assigned.shape == variable.shape:  # else all lanes share it
                value = jnp.where(mask, value, self.get_current_value(assigned))
            super().add_update((assigned, value))

    with OwnLanes(state_mapping=state) as scope:
        optimizer.apply([gradient])
    if not scope.told:  # then each optimizer would have updated the lanes of all
        raise AttributeError("keras.StatelessScope has no `add_update`")
    return [scope.get_current_value(each) for each, _ in state]
