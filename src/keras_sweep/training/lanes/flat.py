"""Each variable of all lanes as one array, for optimizers that work element by element. T lanes, B rows a batch.

Such an optimizer does not know lanes then, and XLA updates all of them in one loop.

A step of softmax regression has the rows of a batch last, which suits a CPU better than Keras's classes last. Softmax,
loss and accuracy of a row are loops over its few classes (C). With rows last XLA computes the rows of a batch side by
side, and the product takes the kernels as they lie here: a step of four lanes takes a seventh less time. The
arithmetic is that of Keras, operation by operation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import ops

from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, PerLaneValue, set_attributes
from keras_sweep.training.lanes.signature import is_elementwise
from keras_sweep.training.lanes.structure import OwnModel, resize_arrays
from keras_sweep.training.lanes.template import Template

State: TypeAlias = tuple[list[Any], list[Any], list[Any]]  # trainable, other, optimizer: device arrays of all lanes
LOSS = "sparse_categorical_crossentropy"  # of softmax regression


def can_use_flat_layout(template: Template) -> bool:
    """Whether a signature is laid out flat: its optimizers and variables are plain enough, and nothing convolves."""
    variables = template.model.trainable_variables
    plain = all(one.constraint is None and not getattr(one, "overwrite_with_gradient", False) for one in variables)
    scales_loss = hasattr(template.model.optimizer, "inner_optimizer")  # as Keras does under `mixed_float16`
    return (
        plain
        and not (scales_loss or template.has_convolution)
        and all(map(is_elementwise, template.example_optimizers))
    )


@dataclass(frozen=True)
class _ArrayLayout:
    """How one variable of all lanes lies: a kernel [in, out] as [out * T, in], any other one as a vector.

    XLA emits the gradients of kernels so. Arrays are NumPy's, or JAX's while they are traced.
    """

    shape: tuple[int, ...]  # of one lane
    lanes: int

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        if len(self.shape) == 2:
            return self.shape[1] * self.lanes, self.shape[0]
        return (math.prod(self.shape) * self.lanes,)

    def to_array(self, view: Any) -> Any:
        """[*shape, T] as the array."""
        return view.reshape(self.shape[0], -1).T if len(self.shape) == 2 else view.ravel()

    def to_view(self, array: Any) -> Any:
        """The array as [*shape, T]; the transposition is one of strides, not of bytes."""
        return (array.T if len(self.shape) == 2 else array).reshape(*self.shape, self.lanes)

    def broadcast(self, values: Any) -> Any:
        """Traced: [T] values, to go with the array: a column beside a kernel, which costs no memory traffic."""
        if len(self.shape) == 2:
            return jnp.broadcast_to(values, (self.shape[1], self.lanes)).reshape(-1, 1)
        return jnp.broadcast_to(values, (*self.shape, self.lanes)).ravel()

    def stack(self, arrays: Sequence[Any]) -> Any:
        return jax.device_put(np.ascontiguousarray(self.to_array(np.stack(arrays, axis=-1))))

    def copy_lane(self, array: Any, index: int) -> Any:
        """A copy of the variable in one lane."""
        return np.array(self.to_view(np.asarray(array))[..., index], order="C")


class FlatLayout:
    """Every variable of all lanes is one array, with an optimizer of its own, built on that array.

    Where lanes use different optimizers each of them updates its own lanes of the array: that costs less than a program
    for each.
    """

    def __init__(self, template: Template, lanes: int) -> None:
        self._template = template
        self._lanes = lanes
        self._layouts = [_ArrayLayout(tuple(map(int, value.shape)), lanes) for value in template.trainable]
        self._learning_rate: Any = None  # a learning rate that is an array, set while the program is traced
        self._is_softmax = is_softmax_regression(template)
        self._variables = [
            keras.Variable(np.zeros(place.array_shape, value.dtype), dtype=str(value.dtype), name=f"variable_{i}")
            for i, (place, value) in enumerate(zip(self._layouts, template.trainable, strict=True))
        ]
        self._optimizers = [self._build_optimizers(variable) for variable in self._variables]  # [variable][variant]
        # Of each optimizer variable: where the trainable variable lies that it follows, or None if lanes share it.
        self._slot_layouts = [
            place if tuple(slot.shape) == place.array_shape else None
            for place, optimizers in zip(self._layouts, self._optimizers, strict=True)
            for optimizer in optimizers
            for slot in optimizer.variables
        ]

    def _build_optimizers(self, variable: Any) -> list[Any]:
        optimizers = self._template.make_optimizers()
        for optimizer in optimizers:
            optimizer.learning_rate = lambda: self._learning_rate
            optimizer.build([variable])
        return optimizers

    @cached_property
    def _initial_slots(self) -> Arrays:
        """The optimizers' variables of a lane before its first step; they do not depend on the lane."""
        return tuple(
            np.array(slot.value)
            for variable in self._template.model.trainable_variables
            for optimizer in self._build_optimizers(variable)
            for slot in optimizer.variables
        )

    def initial_state(self, own: OwnModel | None = None) -> TrainingState:
        """A lane before its first epoch; of a model that shares a structure if it is given."""
        trainable, other = self._template.trainable, self._template.other
        if own is not None:
            trainable, other = resize_arrays(own.trainable, trainable), resize_arrays(own.other, other)
        return TrainingState(trainable, other, self._initial_slots)

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        trainable, other, slots, *_ = (list(zip(*parts, strict=True)) for parts in zip(*lanes, strict=True))
        return (
            [place.stack(arrays) for place, arrays in zip(self._layouts, trainable, strict=True)],
            [jax.device_put(np.stack(arrays)) for arrays in other],
            [
                jax.device_put(arrays[0].copy()) if place is None else place.stack(arrays)
                for place, arrays in zip(self._slot_layouts, slots, strict=True)
            ],
        )

    def copy_lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""
        trainable, other, slots = state
        return TrainingState(
            tuple(place.copy_lane(array, index) for place, array in zip(self._layouts, trainable, strict=True)),
            tuple(np.array(np.asarray(array)[index]) for array in other),
            tuple(
                np.array(slot) if place is None else place.copy_lane(slot, index)
                for place, slot in zip(self._slot_layouts, slots, strict=True)
            ),
        )

    def _to_views(self, trainable: list[Any]) -> list[Any]:
        return [place.to_view(array) for place, array in zip(self._layouts, trainable, strict=True)]

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        signature = self._template.signature
        variants = range(len(signature.variants)) if len(signature.variants) > 1 else ()
        per_lane = list(zip(signature.per_lane, numbers.per_lane, strict=True))
        of_optimizer = jax.lax.optimization_barrier(
            [
                (
                    place.broadcast(numbers.learning_rates),
                    [place.broadcast(numbers.variants == variant) for variant in variants],
                    {name: [place.broadcast(values) for values in pair] for name, pair in per_lane},
                )
                for place in self._layouts
            ]
        )
        return of_optimizer, numbers.model, self._make_width_masks(numbers.model)

    def _make_width_masks(self, own: LaneNumbers | None) -> list[Any] | None:
        """Of each variable, as it lies, what is in the lane's own model; None where no layer lies in a wider one."""
        shared = self._template.shared_structure
        if own is None or shared is None or not shared.inputs:
            return None
        masks, lengths = [], shared.find_lengths(own.widths)
        for place, axes in zip(self._layouts, shared.axes, strict=True):
            inside = jnp.ones((*place.shape, self._lanes), bool)
            for axis, which in enumerate(axes):
                if which is not None:
                    inside &= jax.lax.broadcasted_iota(jnp.int32, inside.shape, axis) < lengths[which]
            masks.append(place.to_array(inside))
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
            forward = self._template.make_forward(training=True)  # Keras's own code, mapped over lanes
            axes = ([-1] * len(trainable), 0, 0, -1, None, None, None, None)

            def loss(trainable: list[Any]) -> Any:
                losses, (other_after, metrics_after, _) = jax.vmap(forward, in_axes=axes)(
                    self._to_views(trainable), other, metrics, of_model, x, y, weights, counted
                )
                return losses.sum(), (other_after, metrics_after)

            gradients, (other, metrics) = jax.grad(loss, has_aux=True)(trainable)
        # The gradient of what makes a layer wider than the lane's own is zero, so that it stays zero.
        if inside is not None:
            gradients = [jnp.where(mask, each, 0) for mask, each in zip(inside, gradients, strict=True)]
        new_trainable, new_slots = self._apply_gradients(trainable, slots, gradients, of_optimizer)
        return (new_trainable, list(other), new_slots), list(metrics)

    def _apply_gradients(self, trainable: Any, slots: Any, gradients: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        """Traced: the trainable variables and the optimizers' after a step.

        Where lanes have several optimizers, each is given what the one before it left, and changes its own lanes.
        """
        new_trainable, new_slots, remaining = [], [], list(slots)
        variants = self._template.signature.variants
        for variable, optimizers, value, gradient, (rate, masks, per_lane) in zip(
            self._variables, self._optimizers, trainable, gradients, numbers, strict=True
        ):
            self._learning_rate = rate
            for optimizer, variant, mask in zip(optimizers, variants, masks or [None], strict=True):
                count = len(optimizer.variables)
                before, remaining = remaining[:count], remaining[count:]
                state = list(zip((variable, *optimizer.variables), (value, *before), strict=True))
                with set_attributes([(optimizer, name, PerLaneValue(*per_lane[name])) for name in variant.per_lane]):
                    value, *after = _update_lanes(optimizer, state, gradient, mask)
                new_slots.extend(after)
            new_trainable.append(value)
        self._learning_rate = None
        return new_trainable, new_slots

    def test(self, state: State, metrics: list[Any], numbers: Any, *batch: Any) -> tuple[State, list[Any], Any]:
        """Traced: one more batch of validation rows (x, y and, where rows weigh unlike, weights), which may change the
        other variables as in `fit`; metrics.

        Last [T, B] whether each row is right, as `template.right` tells; None where it can't.
        """
        trainable, other, slots = state
        one = jax.vmap(lambda *lane: self._template.test(*lane, *batch), in_axes=([-1] * len(trainable), 0, 0, -1))
        other, metrics, right = one(self._to_views(trainable), other, metrics, numbers[1])
        return (trainable, list(other), slots), list(metrics), right

    def find_finite_lanes(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        views = [jnp.isfinite(view).all(tuple(range(view.ndim - 1))) for view in self._to_views(state[0])]
        return jnp.stack([jnp.ones(self._lanes, bool), *views]).all(0)


def _update_lanes(optimizer: Any, state: list[tuple[Any, Any]], gradient: Any, mask: Any) -> list[Any]:
    """Traced: the values of a variable and of its optimizer's after a step, in the lanes that a mask is true of.

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
            if mask is not None and assigned.shape == variable.shape:  # else all lanes share it
                value = jnp.where(mask, value, self.get_current_value(assigned))
            super().add_update((assigned, value))

    with OwnLanes(state_mapping=state) as scope:
        optimizer.apply([gradient])
    if not scope.told:  # then each optimizer would have updated the lanes of all
        raise AttributeError("keras.StatelessScope has no `add_update`")
    return [scope.get_current_value(each) for each, _ in state]


def is_softmax_regression(template: Template) -> bool:
    """Whether the model is one plain dense layer with softmax, and loss and metrics are of labels that are numbers."""
    model = template.model
    if template.row_weights is not None:
        return False
    if (
        template.shared_structure is not None
        or template.other
        or type(model) is not keras.Sequential
        or model.loss != LOSS
    ):
        return False
    *before, last = model.layers
    if type(last) is not keras.layers.Dense or not all(type(layer) is keras.layers.Flatten for layer in before):
        return False
    scored = model._compile_metrics.metrics  # noqa: SLF001  # Keras 3.15: those by name
    return (
        last.activation is keras.activations.softmax
        and len(last.input.shape) == 2
        and last.compute_dtype == last.variable_dtype == "float32"
        and len(last.trainable_variables) == len(last.variables) == 1 + last.use_bias  # none is frozen or added
        and not (last.kernel_regularizer or last.bias_regularizer or last.activity_regularizer)
        and all(type(metric) is keras.metrics.SparseCategoricalAccuracy for metric in scored)
    )


def softmax_gradients(
    template: Template, lanes: int, trainable: list[Any], metrics: list[Any], x: Any, y: Any
) -> tuple[list[Any], list[Any]]:
    """Traced: of one batch the gradients, lying as the variables do, and the metrics after it, [T] each.

    The variables are the kernels [C * T, in] and, if there are any, the biases [C * T]. Labels are [B] or [B, 1].
    """
    classes, rows = template.model.layers[-1].units, len(x)
    x = x.reshape(rows, -1).astype("float32")
    labels = y.reshape(rows).astype("int32")
    truth = jnp.broadcast_to(ops.one_hot(labels, classes, axis=0)[:, None], (classes, lanes, rows))

    def loss(trainable: list[Any]) -> Any:
        kernels, *biases = trainable
        logits = jax.lax.dot_general(kernels, x, (((1,), (1,)), ((), ())))  # [C * T, B]
        for bias in biases:
            logits = logits + bias[:, None]
        outputs = ops.softmax(logits.reshape(truth.shape), axis=0)
        losses = ops.categorical_crossentropy(truth, outputs, axis=0).sum(1) / rows  # [T]
        return losses.sum(), (losses, outputs)

    def updated(metrics: Any, loss: Any, right: Any) -> list[Any]:
        update = partial(keras.metrics.Mean.update_state, values=right)
        return template.update_metrics(metrics, loss, rows, update)

    gradients, (losses, outputs) = jax.grad(loss, has_aux=True)(trainable)
    right = (jnp.argmax(outputs, axis=0) == labels).astype(outputs.dtype)  # [T, B]
    return gradients, jax.vmap(updated)(metrics, losses, right)
