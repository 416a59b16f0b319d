"""Each variable of all lanes as one array, for optimizers that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, PerLaneValue, per_lane_values
from keras_sweep.training.lanes.layout import Numbers, State
from keras_sweep.training.lanes.masked import updated_metrics
from keras_sweep.training.lanes.softmax_regression import SoftmaxRegression, is_softmax_regression
from keras_sweep.training.lanes.structure import OwnModel, in_shapes
from keras_sweep.training.lanes.template import Template

ELEMENTWISE = frozenset(
    {"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adadelta", "Adagrad", "Nadam", "Ftrl", "Lion"}
)  # of keras.optimizers: each element's update reads that element alone


def elementwise(optimizer: Any) -> bool:
    """Whether each element's update depends on that element's past alone."""
    import keras

    name = type(optimizer).__name__
    if name not in ELEMENTWISE or type(optimizer) is not getattr(keras.optimizers, name, None):
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
    plain = plain and not template.scales_loss and not template.convolves
    return plain and all(elementwise(optimizer) for optimizer in template.optimizer_kinds)


class _Rate:
    """A learning rate that is an array, set while the program is traced."""

    value: Any = None

    def __call__(self) -> Any:
        return self.value


class Flat:
    """Every variable of all lanes is one array: kernels [out * T, in], as XLA emits their gradients, others a vector.

    Rates are a column beside a kernel, so that they cost no memory traffic. Each variable has its own optimizer, built
    on that array. Where lanes use different optimizers each of them updates its own lanes of the array: that costs less
    than a program for each.
    """

    def __init__(self, template: Template, lanes: int) -> None:
        import keras

        self._model = template.model
        self._template = template
        self._lanes = lanes
        self._shapes = [tuple(int(n) for n in value.shape) for value in template.trainable]
        self._rate = _Rate()
        self._softmax = SoftmaxRegression(template, lanes) if is_softmax_regression(template) else None
        self._variables = flat = [
            keras.Variable(np.zeros(self._lying(shape), value.dtype), dtype=str(value.dtype), name=f"variable_{i}")
            for i, (shape, value) in enumerate(zip(self._shapes, template.trainable, strict=True))
        ]
        self._optimizers = [self._built([variable]) for variable in flat]  # [variable][variant]
        # of each optimizer variable: the trainable variable that it follows, or None if lanes share it
        self._slots: list[int | None] = [
            index if tuple(slot.shape) == tuple(flat[index].shape) else None
            for index, optimizers in enumerate(self._optimizers)
            for optimizer in optimizers
            for slot in optimizer.variables
        ]

    def _lying(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which a variable of all lanes is kept."""
        if len(shape) == 2:
            return shape[1] * self._lanes, shape[0]
        return (math.prod(shape) * self._lanes,)

    def _built(self, variables: list[Any]) -> list[Any]:
        optimizers = self._template.optimizers()
        for optimizer in optimizers:
            optimizer.learning_rate = self._rate
            optimizer.build(variables)
        return optimizers

    @cached_property
    def _initial_slots(self) -> Arrays:
        """The optimizers' variables of a lane before its first step; they do not depend on the lane."""
        return tuple(
            np.array(slot.value)
            for variable in self._model.trainable_variables
            for optimizer in self._built([variable])
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
        import jax

        def vector(arrays: list[Any], shape: tuple[int, ...]) -> Any:
            if len(shape) == 2:
                return jax.device_put(np.stack([array.T for array in arrays], axis=1).reshape(self._lying(shape)))
            return jax.device_put(np.stack(arrays, axis=-1).ravel())

        trainable = [
            vector([lane.trainable[index] for lane in lanes], shape) for index, shape in enumerate(self._shapes)
        ]
        other = [jax.device_put(np.stack(arrays)) for arrays in zip(*(lane.other for lane in lanes), strict=True)]
        slots = [
            jax.device_put(lanes[0].optimizer[place].copy())
            if index is None
            else vector([lane.optimizer[place] for lane in lanes], self._shapes[index])
            for place, index in enumerate(self._slots)
        ]
        return trainable, other, slots

    def lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""

        def part(vector: Any, shape: tuple[int, ...]) -> Any:
            if len(shape) == 2:
                return np.array(np.asarray(vector).reshape(shape[1], self._lanes, shape[0])[:, index].T, order="C")
            return np.array(np.asarray(vector).reshape(*shape, self._lanes)[..., index])

        trainable, other, slots = state
        return TrainingState(
            tuple(part(vector, shape) for vector, shape in zip(trainable, self._shapes, strict=True)),
            tuple(np.array(np.asarray(array)[index]) for array in other),
            tuple(
                np.array(slot) if place is None else part(slot, self._shapes[place])
                for slot, place in zip(slots, self._slots, strict=True)
            ),
        )

    def _views(self, trainable: list[Any]) -> list[Any]:
        """Each array as [*shape, T]; the transposition is one of strides, not of bytes."""
        return [
            vector.T.reshape(shape[0], shape[1], self._lanes)
            if len(shape) == 2
            else vector.reshape(*shape, self._lanes)
            for vector, shape in zip(trainable, self._shapes, strict=True)
        ]

    def _spread(self, values: Any, shape: tuple[int, ...]) -> Any:
        """[T] values to go with a variable of this shape: a column beside a kernel, else a vector."""
        import jax.numpy as jnp

        if len(shape) == 2:
            return jnp.broadcast_to(values, (shape[1], self._lanes)).reshape(-1, 1)
        return jnp.broadcast_to(values, (*shape, self._lanes)).ravel()

    def step(
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, counted: Any = None
    ) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes; where steps are masked, [B] is 1 for its rows, 0 for further ones."""
        import jax.numpy as jnp

        trainable, other, slots = state
        of_optimizer, of_model, inside = numbers
        if self._softmax is not None:
            gradients, metrics = self._softmax.gradients(trainable, metrics, x, y)
        else:
            gradients, other, metrics = self._gradients(trainable, other, metrics, of_model, x, y, counted)
        if inside is not None:  # what makes a layer wider than the lane's own stays zero
            gradients = [jnp.where(mask, each, 0) for mask, each in zip(inside, gradients, strict=True)]
        new_trainable, new_slots = self._apply(trainable, slots, gradients, of_optimizer)
        return (new_trainable, list(other), new_slots), list(metrics)

    def _gradients(
        self, trainable: list[Any], other: list[Any], metrics: list[Any], of_model: Any, x: Any, y: Any, counted: Any
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Traced: of one batch the gradients, by Keras's own code mapped over lanes, and the others after it."""
        import jax

        axes = ([-1] * len(trainable), 0, 0, -1, None, None, None)

        def loss(trainable: list[Any]) -> Any:
            losses, (other_after, metrics_after, _) = jax.vmap(_forward(self._template, training=True), in_axes=axes)(
                self._views(trainable), other, metrics, of_model, x, y, counted
            )
            return losses.sum(), (other_after, metrics_after)

        gradients, (other, metrics) = jax.grad(loss, has_aux=True)(trainable)
        return gradients, other, metrics

    def _apply(self, trainable: Any, slots: Any, gradients: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        new_trainable, new_slots, place = [], [], 0
        variants = self._template.signature.variants
        for variable, optimizers, value, gradient, (rate, masks, per_lane) in zip(
            self._variables, self._optimizers, trainable, gradients, numbers, strict=True
        ):
            self._rate.value = rate
            new = value
            for index, (optimizer, variant) in enumerate(zip(optimizers, variants, strict=True)):
                count = len(optimizer.variables)
                before = slots[place : place + count]
                with per_lane_values(optimizer, {name: PerLaneValue(*per_lane[name]) for name in variant.per_lane}):
                    if len(optimizers) == 1:
                        (new,), after = optimizer.stateless_apply(before, [gradient], [value])
                    else:
                        state = list(zip((variable, *optimizer.variables), (new, *before), strict=True))
                        new, *after = _own_update(optimizer, state, gradient, masks[index])
                place += count
                new_slots.extend(after)
            new_trainable.append(new)
        self._rate.value = None
        return new_trainable, new_slots

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        import jax

        signature = self._template.signature
        variants = range(len(signature.variants)) if len(signature.variants) > 1 else ()
        of_optimizer = jax.lax.optimization_barrier(
            [
                (
                    self._spread(numbers.learning_rates, shape),
                    [self._spread(numbers.variants == variant, shape) for variant in variants],
                    {
                        name: [self._spread(values, shape) for values in pair]
                        for name, pair in zip(signature.per_lane, numbers.per_lane, strict=True)
                    },
                )
                for shape in self._shapes
            ]
        )
        return of_optimizer, numbers.model, self._inside(numbers.model)

    def _inside(self, own: LaneNumbers | None) -> list[Any] | None:
        """Of each variable, as it lies, what is in the lane's own model; None where no layer lies in a wider one."""
        import jax
        import jax.numpy as jnp

        shared = self._template.shared
        if own is None or shared is None or not shared.inputs:
            return None
        masks, lengths = [], shared.lengths(own.widths)
        for shape, axes in zip(self._shapes, shared.axes, strict=True):
            inside = jnp.ones((*shape, self._lanes), bool)
            for axis, which in enumerate(axes):
                if which is not None:
                    inside &= jax.lax.broadcasted_iota(jnp.int32, inside.shape, axis) < lengths[which]
            masks.append(inside.reshape(shape[0], -1).T if len(shape) == 2 else inside.ravel())
        return masks

    def test(self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any) -> tuple[State, list[Any], Any]:
        """Traced: one more batch of validation rows."""
        import jax

        forward = _forward(self._template, training=False)

        def one(*lane: Any) -> Any:
            _, (other, metrics, outputs) = forward(*lane, x, y)
            return other, metrics, self._template.right(y, outputs)

        trainable, other, slots = state
        other, metrics, right = jax.vmap(one, in_axes=([-1] * len(trainable), 0, 0, -1))(
            self._views(trainable), other, metrics, numbers[1]
        )
        return (trainable, list(other), slots), list(metrics), right

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        import jax.numpy as jnp

        views = [jnp.isfinite(view).all(tuple(range(view.ndim - 1))) for view in self._views(state[0])]
        return jnp.stack([jnp.ones(self._lanes, bool), *views]).all(0)


def _own_update(optimizer: Any, state: list[tuple[Any, Any]], gradient: Any, mask: Any) -> list[Any]:
    """Traced: the values of a variable and of its optimizer's after a step, in the lanes that the mask is true of.

    In other lanes they stay. That is chosen at each assignment: XLA then passes over a lane's rows only for the
    optimizer that it uses. Chosen at the end, old and new values would both have to be kept.

    Args:
        optimizer: built on the variable alone.
        state: the variable, then the optimizer's, each with its value.
        gradient: of the variable.
        mask: broadcasts to the variable.
    """
    import jax.numpy as jnp
    import keras

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


def _forward(template: Template, *, training: bool) -> Callable[..., Any]:
    """The first half of `fit`'s own step, on one lane: loss; what the batch did to variables and metrics; outputs."""
    import jax

    model = template.model
    scale = [variable.value for variable in model.optimizer.variables]  # read by loss scaling alone

    def forward(trainable: Any, other: Any, metrics: Any, own: Any, x: Any, y: Any, counted: Any = None) -> Any:
        # the loss is a sum over all rows
        weights = None if counted is None else counted * (len(counted) / counted.sum())
        with template.of_lane(own):
            loss, (unscaled, y_pred, other, metrics) = model.compute_loss_and_updates(
                trainable, other, metrics, x, y, weights, training=training, optimizer_variables=scale
            )
        unscaled, y_pred = jax.lax.stop_gradient((unscaled, y_pred))
        if counted is not None:
            return loss, (other, updated_metrics(model, metrics, unscaled, y, y_pred, counted), y_pred)
        _, metrics = model._update_metrics_variables(  # noqa: SLF001  # Keras 3.15: what its `train_step` calls on JAX
            metrics, unscaled, x, y, y_pred, None
        )
        return loss, (other, metrics, y_pred)

    return forward
