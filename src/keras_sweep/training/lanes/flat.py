"""Train lanes in the flat layout: a single array holds a variable of all lanes. Optimizers work element by element.

In shapes, T is the number of lanes, B the number of rows in a batch. XLA updates all lanes in a single loop.

Softmax regression, a model with a single dense layer, has its own training step. The rows of a batch are the last axis,
where Keras has the C classes. Softmax, loss and accuracy of a row are loops over the few classes. XLA computes rows
side by side, and the matrix product uses the kernels as they are stored. A step of four lanes takes a seventh less time
on a CPU. The arithmetic matches Keras's, operation by operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import ops

from keras_sweep.process.compiling import use_fast_initializers
from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, PerLaneValue, set_attributes
from keras_sweep.training.lanes.signature import is_elementwise
from keras_sweep.training.lanes.structure import OwnModel, resize_arrays
from keras_sweep.training.lanes.template import Template

# Device arrays of all lanes: trainable variables, other variables, optimizer variables.
State: TypeAlias = tuple[list[Any], list[Any], list[Any]]
LOSS = "sparse_categorical_crossentropy"  # of softmax regression


def can_use_flat_layout(template: Template) -> bool:
    """Return whether `FlatLayout` can train the template's model.

    Each optimizer must update weights independently. Weight constraints, convolutions and loss scaling are unsupported.
    """
    variables = template.model.trainable_variables
    plain = all(
        value.constraint is None and not getattr(value, "overwrite_with_gradient", False) for value in variables
    )
    scales = hasattr(template.model.optimizer, "inner_optimizer")
    return plain and not (scales or template.has_convolution) and all(map(is_elementwise, template.optimizer_kinds))


@dataclass(frozen=True)
class _ArrayLayout:
    """Stores a variable of all lanes in an array: 2-D variables [in, out] as [out * lanes, in], others as a vector."""

    shape: tuple[int, ...]  # of a lane. Arrays are NumPy's, or JAX's during tracing
    lanes: int

    def to_array(self, view: Any) -> Any:
        # XLA emits the gradient of a kernel in this shape.
        return view.reshape(self.shape[0], -1).T if len(self.shape) == 2 else view.ravel()

    def to_view(self, array: Any) -> Any:
        """Return the stored `array` as a view [*shape, lanes], where `shape` is the variable's shape in a lane."""
        return (array.T if len(self.shape) == 2 else array).reshape(*self.shape, self.lanes)

    def broadcast(self, values: Any) -> Any:
        """Repeat `values` [lanes] for each element of the stored array. A kernel gets a column [out * lanes, 1]."""
        if len(self.shape) == 2:
            return jnp.broadcast_to(values, (self.shape[1], self.lanes)).reshape(-1, 1)
        return jnp.broadcast_to(values, (*self.shape, self.lanes)).ravel()

    def stack(self, arrays: Sequence[Any]) -> Any:
        return jax.device_put(np.ascontiguousarray(self.to_array(np.stack(arrays, axis=-1))))

    def copy_lane(self, array: Any, index: int) -> Any:
        return np.array(self.to_view(np.asarray(array))[..., index], order="C")


class FlatLayout:
    """Trains a program's lanes. Each array holds a model variable of all lanes. Lanes may have different optimizers."""

    def __init__(self, template: Template, lanes: int) -> None:
        self._template = template
        self._lanes = lanes
        self._layouts = [_ArrayLayout(tuple(map(int, weights.shape)), lanes) for weights in template.trainable]
        self._traced_rate: Any = None  # array, set during tracing
        self._variables = [
            keras.Variable(
                layout.stack([np.zeros_like(weights)] * lanes), dtype=str(weights.dtype), name=f"variable_{i}"
            )
            for i, (layout, weights) in enumerate(zip(self._layouts, template.trainable, strict=True))
        ]
        self._optimizers = [self._build_optimizers(variable) for variable in self._variables]  # [variable][variant]
        # For each optimizer variable, the layout of its trainable variable. None if lanes share the optimizer variable.
        self._slot_layouts = [
            layout if optimizer_variable.shape == variable.shape else None
            for layout, variable, optimizers in zip(self._layouts, self._variables, self._optimizers, strict=True)
            for optimizer in optimizers
            for optimizer_variable in optimizer.variables
        ]

    @use_fast_initializers()
    def _build_optimizers(self, variable: Any) -> list[Any]:
        optimizers = self._template.make_optimizers()
        for optimizer in optimizers:
            optimizer.learning_rate = lambda: self._traced_rate
            optimizer.build([variable])
        return optimizers

    @cached_property
    def _initial_slots(self) -> Arrays:
        optimizers = chain.from_iterable(self._optimizers)
        slots = [slot.value for optimizer in optimizers for slot in optimizer.variables]
        return self.copy_lane(([variable.value for variable in self._variables], [], slots), 0).optimizer

    def initial_state(self, own_model: OwnModel | None = None) -> TrainingState:
        """Return a lane's state before its first epoch. `own_model`: the lane's model; None if all models are equal."""
        trainable, other = self._template.trainable, self._template.other
        if own_model is not None:
            trainable, other = resize_arrays(own_model.trainable, trainable), resize_arrays(own_model.other, other)
        return TrainingState(trainable, other, self._initial_slots)

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        trainable, other, slots, *_ = (list(zip(*variables, strict=True)) for variables in zip(*lanes, strict=True))
        return (
            [layout.stack(arrays) for layout, arrays in zip(self._layouts, trainable, strict=True)],
            [jax.device_put(np.stack(arrays)) for arrays in other],
            [
                jax.device_put(arrays[0].copy()) if layout is None else layout.stack(arrays)
                for layout, arrays in zip(self._slot_layouts, slots, strict=True)
            ],
        )

    def copy_lane(self, state: State, index: int) -> TrainingState:
        trainable, other, slots = state
        return TrainingState(
            tuple(layout.copy_lane(array, index) for layout, array in zip(self._layouts, trainable, strict=True)),
            tuple(np.array(np.asarray(array)[index]) for array in other),
            tuple(
                np.array(slot) if layout is None else layout.copy_lane(slot, index)
                for layout, slot in zip(self._slot_layouts, slots, strict=True)
            ),
        )

    def _to_views(self, trainable: list[Any]) -> list[Any]:
        return [layout.to_view(array) for layout, array in zip(self._layouts, trainable, strict=True)]

    def prepare(self, numbers: Numbers) -> Any:
        """Convert the lanes' numbers (learning rates, ...) to the form that `step` and `test` take. Traced by JAX."""
        signature = self._template.signature
        variants = range(len(signature.variants)) if len(signature.variants) > 1 else ()
        per_lane = list(zip(signature.per_lane, numbers.per_lane, strict=True))
        optimizer_numbers = jax.lax.optimization_barrier(
            [
                (
                    layout.broadcast(numbers.learning_rates),
                    [layout.broadcast(numbers.variants == variant) for variant in variants],
                    {name: [layout.broadcast(values) for values in pair] for name, pair in per_lane},
                )
                for layout in self._layouts
            ]
        )
        return optimizer_numbers, numbers.model, self._make_width_masks(numbers.model)

    def _make_width_masks(self, lane_numbers: LaneNumbers | None) -> list[Any] | None:
        """Return a mask per trainable variable, false for padding of a narrow layer, or None if no layer is padded."""
        shared = self._template.shared
        if lane_numbers is None or shared is None or not shared.inputs:
            return None
        masks, lengths = [], shared.find_lengths(lane_numbers.widths)
        for layout, axes in zip(self._layouts, shared.axes, strict=True):
            inside = jnp.ones((*layout.shape, self._lanes), bool)
            for axis, length_index in enumerate(axes):
                if length_index is not None:
                    inside &= jax.lax.broadcasted_iota(jnp.int32, inside.shape, axis) < lengths[length_index]
            masks.append(layout.to_array(inside))
        return masks

    def step(
        self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any, weights: Any = None, mask: Any = None
    ) -> tuple[State, list[Any]]:
        """Train all lanes on the batch `x`, `y`. Return (state, metric variables) after this batch. Traced by JAX.

        `numbers` come from `prepare`. `weights` [rows] weight the rows' losses. `mask` [rows] is 0 for padding, else 1.
        """
        trainable, other, slots = state
        optimizer_numbers, model_numbers, width_masks = numbers
        if is_softmax_regression(self._template):
            gradients, metrics = softmax_gradients(self._template, self._lanes, trainable, metrics, x, y)
        else:
            forward = self._template.make_forward(training=True)
            axes = ([-1] * len(trainable), 0, 0, -1, None, None, None, None)

            def loss(trainable: list[Any]) -> Any:
                losses, (other_after, metrics_after, _) = jax.vmap(forward, in_axes=axes)(
                    self._to_views(trainable), other, metrics, model_numbers, x, y, weights, mask
                )
                return losses.sum(), (other_after, metrics_after)

            gradients, (other, metrics) = jax.grad(loss, has_aux=True)(trainable)
        # The extra weights of a widened layer get gradient zero, so these weights stay zero.
        if width_masks is not None:
            gradients = [jnp.where(mine, gradient, 0) for mine, gradient in zip(width_masks, gradients, strict=True)]
        new_trainable, new_slots = self._apply(trainable, slots, gradients, optimizer_numbers)
        return (new_trainable, list(other), new_slots), list(metrics)

    def _apply(self, trainable: Any, slots: Any, gradients: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        new_trainable, new_slots, remaining = [], [], list(slots)
        variants = self._template.signature.variants
        for variable, optimizers, value, gradient, (rate, masks, per_lane) in zip(
            self._variables, self._optimizers, trainable, gradients, numbers, strict=True
        ):
            self._traced_rate = rate
            # Each optimizer changes its own lanes. This costs less than a program for each optimizer.
            for optimizer, variant, mask in zip(optimizers, variants, masks or [None], strict=True):
                count = len(optimizer.variables)
                before, remaining = remaining[:count], remaining[count:]
                state = list(zip((variable, *optimizer.variables), (value, *before), strict=True))
                with set_attributes([(optimizer, name, PerLaneValue(*per_lane[name])) for name in variant.per_lane]):
                    value, *after = _update_lanes(optimizer, state, gradient, mask)
                new_slots.extend(after)
            new_trainable.append(value)
        self._traced_rate = None
        return new_trainable, new_slots

    def test(self, state: State, metrics: list[Any], numbers: Any, *batch: Any) -> tuple[State, list[Any], Any]:
        """Evaluate all lanes on a batch (x, y, perhaps row weights). Return (state, metric variables, right). Traced.

        `numbers` come from `prepare`. `right` [lanes, rows]: whether the lane predicts the row correctly. It is None if
        the objective is no accuracy, or if a row can be partly right. As in `fit`, non-trainable variables may change.
        """
        trainable, other, slots = state
        test = jax.vmap(lambda *lane: self._template.test(*lane, *batch), in_axes=([-1] * len(trainable), 0, 0, -1))
        other, metrics, right = test(self._to_views(trainable), other, metrics, numbers[1])
        return (trainable, list(other), slots), list(metrics), right

    def find_finite_lanes(self, state: State) -> Any:
        views = [jnp.isfinite(view).all(tuple(range(view.ndim - 1))) for view in self._to_views(state[0])]
        return jnp.stack([jnp.ones(self._lanes, bool), *views]).all(0)


def _update_lanes(optimizer: Any, state: list[tuple[Any, Any]], gradient: Any, mask: Any) -> list[Any]:
    """Apply an optimizer to a trainable variable in the lanes where `mask` is true (None: all lanes). Traced by JAX.

    `state`: (Keras variable, value) of the trainable variable, then of each optimizer variable. Return the new values.
    """
    (variable, _), *_ = state

    class MaskedScope(keras.StatelessScope):  # type: ignore[misc]
        was_updated = False

        # Keras 3.15: `Variable.assign` calls this method.
        def add_update(self, update: tuple[Any, Any]) -> None:
            self.was_updated = True
            updated_variable, value = update
            # A variable of another shape is shared by all lanes. With a mask at each assignment, XLA reads a lane only
            # for the lane's optimizer. A mask on the final values would keep old and new values in memory.
            if mask is not None and updated_variable.shape == variable.shape:
                value = jnp.where(mask, value, self.get_current_value(updated_variable))
            super().add_update((updated_variable, value))

    with MaskedScope(state_mapping=state) as scope:
        optimizer.apply([gradient])
    if not scope.was_updated:  # otherwise each optimizer would silently update all lanes
        raise AttributeError("this version of Keras lacks `StatelessScope.add_update`, which lanes need")
    return [scope.get_current_value(trained_variable) for trained_variable, _ in state]


def is_softmax_regression(template: Template) -> bool:
    """Return whether `softmax_gradients` can train the model: only a softmax layer, integer labels, no row weights."""
    model = template.model
    if template.row_weights is not None:
        return False
    if template.shared is not None or template.other or type(model) is not keras.Sequential or model.loss != LOSS:
        return False
    *earlier_layers, last = model.layers
    if type(last) is not keras.layers.Dense or not all(type(layer) is keras.layers.Flatten for layer in earlier_layers):
        return False
    metrics = model._compile_metrics.metrics  # noqa: SLF001  # Keras 3.15: metrics by name
    return (
        last.activation is keras.activations.softmax
        and len(last.input.shape) == 2
        and last.compute_dtype == last.variable_dtype == "float32"
        and len(last.trainable_variables) == len(last.variables) == 1 + last.use_bias
        and not (last.kernel_regularizer or last.bias_regularizer or last.activity_regularizer)
        and all(type(metric) is keras.metrics.SparseCategoricalAccuracy for metric in metrics)
    )


def softmax_gradients(
    template: Template, lanes: int, trainable: list[Any], metrics: list[Any], x: Any, y: Any
) -> tuple[list[Any], list[Any]]:
    """Return the gradients of the loss on the batch `x`, `y`, and the metric variables [lanes] after it. Traced by JAX.

    `trainable`: the kernel [classes * lanes, in] and perhaps the bias [classes * lanes]. Gradients have the same
    shapes. `metrics`: the metric variables [lanes] before this batch. `y`: labels [rows] or [rows, 1].
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

    def update_lane_metrics(metrics: Any, loss: Any, right: Any) -> list[Any]:
        update = partial(keras.metrics.Mean.update_state, values=right)
        return template.update_metrics(metrics, loss, rows, update)

    gradients, (losses, outputs) = jax.grad(loss, has_aux=True)(trainable)
    right = (jnp.argmax(outputs, axis=0) == labels).astype(outputs.dtype)  # [T, B]
    return gradients, jax.vmap(update_lane_metrics)(metrics, losses, right)
