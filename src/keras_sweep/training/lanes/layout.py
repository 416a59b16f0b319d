"""How the variables of all lanes lie in memory, and one training step on them. T lanes, B rows a batch.

Two layouts behind one interface. `Flat` keeps each variable of all lanes as one array: an optimizer that works element
by element then does not know lanes, and XLA updates them in one loop. `Stacked` puts lanes first and maps
`fit`'s own step over them: right for every optimizer, two to three times slower for the elementwise ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import numpy as np

from keras_sweep.training.lanes.per_lane_values import PLACEHOLDER, PerLaneValue
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.training_state import Arrays, TrainingState

State: TypeAlias = tuple[list[Any], list[Any], list[Any]]  # trainable, other, optimizer: device arrays of all lanes

ELEMENTWISE = frozenset(
    {"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adadelta", "Adagrad", "Nadam", "Ftrl", "Lion"}
)  # of keras.optimizers: each element's update reads that element alone


class Layout(Protocol):
    """The step of a program, and the way from lanes to its arrays and back."""

    def initial(self) -> TrainingState:
        """A lane before its first epoch."""
        ...

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        ...

    def lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""
        ...

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        ...

    def step(self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes."""
        ...

    def test(self, state: State, metrics: list[Any], x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one more batch of validation rows, which may change the other variables as in `fit`; metrics."""
        ...

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        ...


Numbers: TypeAlias = tuple[Any, Any, Any]
"""[T] learning rates; [T] which of the signature's updates lanes use; [F, 2, T] own numbers, and one less each."""


def no_numbers(template: Template, lanes: int) -> Numbers:
    """Numbers of the right shapes, to trace a program with."""
    own = np.full((len(template.signature.own), 2, lanes), PLACEHOLDER, np.float32)
    return np.zeros(lanes, np.float32), np.zeros(lanes, np.int32), own


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


def flat(template: Template) -> bool:
    """Whether a signature is laid out flat: its optimizers and variables are plain enough, and nothing convolves."""
    plain = all(
        variable.constraint is None and not getattr(variable, "overwrite_with_gradient", False)
        for variable in template.model.trainable_variables
    )
    plain = plain and not template.scales_loss and not template.convolves
    return plain and all(elementwise(optimizer) for optimizer in template.optimizers())


def layout_of(template: Template, lanes: int) -> Layout:
    """The faster of the layouts that are right for a signature."""
    return Flat(template, lanes) if flat(template) else Stacked(template, lanes)


class _Rate:
    """A learning rate that is an array, set while the program is traced."""

    value: Any = None

    def __call__(self) -> Any:
        return self.value


@contextmanager
def _having(optimizer: Any, own: Mapping[str, PerLaneValue]) -> Iterator[None]:
    """Inside, the optimizer has lanes' own numbers."""
    for name, number in own.items():
        setattr(optimizer, name, number)
    try:
        yield
    finally:
        for name in own:
            setattr(optimizer, name, PLACEHOLDER)


class Flat:
    """Every variable of all lanes is one array: kernels [out * T, in], as XLA emits their gradients, others a vector.

    Rates are a column beside a kernel, so that they cost no memory traffic. Each variable has its own optimizer, built
    on that array. Where lanes use different optimizers each of them computes its update of the whole array and a lane
    takes its own: that costs less than a program for each.
    """

    def __init__(self, template: Template, lanes: int) -> None:
        import keras

        self._model = template.model
        self._template = template
        self._lanes = lanes
        self._shapes = [tuple(int(n) for n in value.shape) for value in template.trainable]
        self._rate = _Rate()
        flat = [
            keras.Variable(np.zeros(self._lying(shape), value.dtype), name=f"variable_{i}")
            for i, (shape, value) in enumerate(zip(self._shapes, template.trainable, strict=True))
        ]
        self._optimizers = [self._built([variable]) for variable in flat]  # [variable][update]
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

    def initial(self) -> TrainingState:
        """A lane before its first epoch."""
        slots = [
            np.array(slot.value)
            for variable in self._model.trainable_variables
            for optimizer in self._built([variable])
            for slot in optimizer.variables
        ]
        return TrainingState(self._template.trainable, self._template.other, tuple(slots))

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        import jax.numpy as jnp

        def vector(arrays: list[Any], shape: tuple[int, ...]) -> Any:
            if len(shape) == 2:
                return jnp.asarray(np.stack([array.T for array in arrays], axis=1).reshape(self._lying(shape)))
            return jnp.asarray(np.stack(arrays, axis=-1).ravel())

        trainable = [
            vector([lane.trainable[index] for lane in lanes], shape) for index, shape in enumerate(self._shapes)
        ]
        other = [jnp.asarray(np.stack(arrays)) for arrays in zip(*(lane.other for lane in lanes), strict=True)]
        slots = [
            jnp.array(lanes[0].optimizer[place])
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

    def step(self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes."""
        import jax

        trainable, other, slots = state
        axes = ([-1] * len(trainable), 0, 0, None, None)

        def loss(trainable: list[Any]) -> Any:
            losses, after = jax.vmap(_forward(self._model, training=True), in_axes=axes)(
                self._views(trainable), other, metrics, x, y
            )
            return losses.sum(), after

        gradients, (other, metrics) = jax.grad(loss, has_aux=True)(trainable)
        new_trainable, new_slots = self._apply(trainable, slots, gradients, numbers)
        return (new_trainable, list(other), new_slots), list(metrics)

    def _apply(self, trainable: Any, slots: Any, gradients: Any, numbers: Any) -> tuple[list[Any], list[Any]]:
        import jax.numpy as jnp

        new_trainable, new_slots, place = [], [], 0
        variants = self._template.signature.variants
        for optimizers, vector, gradient, (rate, masks, own) in zip(
            self._optimizers, trainable, gradients, numbers, strict=True
        ):
            self._rate.value = rate
            kept = vector
            for choice, (optimizer, update) in enumerate(zip(optimizers, variants, strict=True)):
                count = len(optimizer.variables)
                with _having(optimizer, {name: PerLaneValue(*own[name]) for name in update.own}):
                    (updated,), after = optimizer.stateless_apply(slots[place : place + count], [gradient], [vector])
                place += count
                new_slots.extend(after)
                kept = updated if len(optimizers) == 1 else jnp.where(masks[choice], updated, kept)
            new_trainable.append(kept)
        self._rate.value = None
        return new_trainable, new_slots

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them, computed once an epoch."""
        import jax

        rates, choices, own = numbers
        signature = self._template.signature
        many = len(signature.variants) > 1
        return jax.lax.optimization_barrier(
            [
                (
                    self._spread(rates, shape),
                    [self._spread(choices == choice, shape) for choice in range(len(signature.variants)) if many],
                    {
                        name: [self._spread(values, shape) for values in pair]
                        for name, pair in zip(signature.own, own, strict=True)
                    },
                )
                for shape in self._shapes
            ]
        )

    def test(self, state: State, metrics: list[Any], x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one more batch of validation rows."""
        import jax

        trainable, other, slots = state
        axes = ([-1] * len(trainable), 0, 0, None, None)
        _, (other, metrics) = jax.vmap(_forward(self._model, training=False), in_axes=axes)(
            self._views(trainable), other, metrics, x, y
        )
        return (trainable, list(other), slots), list(metrics)

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        import jax.numpy as jnp

        views = [jnp.isfinite(view).all(tuple(range(view.ndim - 1))) for view in self._views(state[0])]
        return jnp.stack([jnp.ones(self._lanes, bool), *views]).all(0)


class Stacked:
    """Lanes are the first axis of every variable, and `fit`'s own training step is mapped over it."""

    def __init__(self, template: Template, lanes: int) -> None:
        self._model = template.model
        self._template = template
        self._lanes = lanes
        optimizer = self._model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # the outer of loss scaling has its own
        rate = inner._learning_rate  # noqa: SLF001  # Keras 3.15: the public one is its value, not the variable
        places = [i for i, variable in enumerate(optimizer.variables) if variable is rate]
        self._rate_place = places[0] if places else None

    def initial(self) -> TrainingState:
        """A lane before its first epoch."""
        slots = tuple(np.array(variable.value) for variable in self._model.optimizer.variables)
        return TrainingState(self._template.trainable, self._template.other, slots)

    def stack(self, lanes: Sequence[TrainingState]) -> State:
        """Device arrays of these lanes."""
        import jax.numpy as jnp

        def stacked(parts: Sequence[Arrays]) -> list[Any]:
            return [jnp.asarray(np.stack(arrays)) for arrays in zip(*parts, strict=True)]

        return (
            stacked([lane.trainable for lane in lanes]),
            stacked([lane.other for lane in lanes]),
            stacked([lane.optimizer for lane in lanes]),
        )

    def lane(self, state: State, index: int) -> TrainingState:
        """A copy of one lane."""
        trainable, other, slots = (tuple(np.array(np.asarray(array)[index]) for array in part) for part in state)
        return TrainingState(trainable, other, slots)

    def prepare(self, numbers: Numbers) -> Any:
        """Traced: the numbers as the step takes them."""
        return numbers[0]

    def step(self, state: State, metrics: list[Any], numbers: Any, x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one batch, shared by all lanes."""
        rates = numbers
        trainable, other, slots = state
        if self._rate_place is not None:
            slots = [rates if place == self._rate_place else slot for place, slot in enumerate(slots)]

        def one(trainable: Any, other: Any, slots: Any, metrics: Any) -> Any:
            _, after = self._model.train_step((trainable, other, slots, metrics), (x, y))
            return after

        trainable, other, slots, metrics = self._mapped(one)(trainable, other, slots, metrics)
        return (list(trainable), list(other), list(slots)), list(metrics)

    def test(self, state: State, metrics: list[Any], x: Any, y: Any) -> tuple[State, list[Any]]:
        """Traced: one more batch of validation rows."""
        trainable, other, slots = state

        def one(trainable: Any, other: Any, metrics: Any) -> Any:
            _, (_, other, metrics) = self._model.test_step((trainable, other, metrics), (x, y))
            return other, metrics

        scored = self._template.averaged(trainable, slots)
        other, metrics = self._mapped(one)(scored, other, metrics)
        return (trainable, list(other), slots), list(metrics)

    def _mapped(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one lane as one of all lanes; a lane alone is not mapped, so that it is `fit`'s own program."""
        import jax

        if self._lanes > 1:
            mapped: Callable[..., Any] = jax.vmap(one)
            return mapped

        def alone(*arguments: Any) -> Any:
            return jax.tree.map(lambda array: array[None], one(*jax.tree.map(lambda array: array[0], arguments)))

        return alone

    def finite(self, state: State) -> Any:
        """Traced: [T] whether all trainable variables of a lane are finite."""
        import jax.numpy as jnp

        finite = [jnp.isfinite(array).reshape(self._lanes, -1).all(1) for array in state[0]]
        return jnp.stack([jnp.ones(self._lanes, bool), *finite]).all(0)


def _forward(model: Any, *, training: bool) -> Callable[..., Any]:
    """The first half of `fit`'s own step, on one lane: loss, then what the batch did to variables and metrics."""
    import jax

    scale = [variable.value for variable in model.optimizer.variables]  # read by loss scaling alone

    def forward(trainable: Any, other: Any, metrics: Any, x: Any, y: Any) -> Any:
        loss, (unscaled, y_pred, other, metrics) = model.compute_loss_and_updates(
            trainable, other, metrics, x, y, None, training=training, optimizer_variables=scale
        )
        unscaled, y_pred = jax.lax.stop_gradient((unscaled, y_pred))
        _, metrics = model._update_metrics_variables(  # noqa: SLF001  # Keras 3.15: what its `train_step` calls on JAX
            metrics, unscaled, x, y, y_pred, None
        )
        return loss, (other, metrics)

    return forward
