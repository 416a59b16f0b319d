"""Compile and run programs. A program trains an epoch of T lanes in a call, and validates them in another.

S is the number of steps, B the number of rows in a batch. A model with a convolution is trained by a call per step. A
layout (`FlatLayout`, or `StackedLayout` if needed) defines how variables are stored and what a step does to them. With
folds, a lane trains all folds in step. Groups, rungs, best epochs and checkpoints do not know about folds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_sweep.data.arrays import Array, cut, leaves
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.process.compiling import Effort
from keras_sweep.training.checkpoint import TrainingState, join_states, split_state
from keras_sweep.training.folds import join_fold_rows, join_scores
from keras_sweep.training.lanes.cpu_operations import with_cpu_operations
from keras_sweep.training.lanes.flat import FlatLayout, State, can_use_flat_layout
from keras_sweep.training.lanes.lane_numbers import Numbers
from keras_sweep.training.lanes.stacked import StackedLayout
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.lanes.validation import choose_validation_batch

Logs: TypeAlias = dict[str, Any]  # metric name: [T]
Layout: TypeAlias = FlatLayout | StackedLayout


@dataclass(frozen=True)
class DeviceData:
    """Training and validation rows on the device, read by all programs. On a CPU, JAX may use NumPy's memory."""

    x: Any
    y: Any
    validation: tuple[Any, ...]  # x, y and perhaps row weights
    train: Any = None  # indices of training rows in x; None: all

    @classmethod
    def from_search_data(cls, data: SearchData) -> list[DeviceData]:
        """Put the rows on the device. Return an item per fold, or a single item without folds."""
        x, y = jax.device_put((data.train.x, data.train.y))
        if not data.folds:
            shares_rows = data.validation is data.train  # for the refit on all rows
            arrays = data.validation.arrays
            return [cls(x, y, (x, y, *jax.device_put(arrays[2:])) if shares_rows else jax.device_put(arrays))]
        return [
            cls(
                x if fold.rows is None or fold.kind == "seed" else jax.device_put(fold.rows.x),
                y,
                jax.device_put(data.take_held(fold).arrays),
                fold.train,
            )
            for fold in data.folds
        ]

    @property
    def shapes(self) -> Any:
        """The number of training rows, then the shapes of all arrays. A program is compiled for these shapes."""
        rows = len(self.y) if self.train is None else len(self.train)
        return rows, *(array.shape for part in (self.x, self.y, *self.validation) for array in leaves(part))


def choose_layout(template: Template, lanes: int) -> Layout:
    """Choose how to store the lanes' variables: flat if model and optimizer allow it, otherwise stacked (slower).

    A recurrent model alone in a CPU's program is stacked too, unless other models or optimizers share the program.
    """
    signature = template.signature
    shares = signature.structure or signature.per_lane or len(signature.variants) > 1
    # XLA does not vectorize what updates a flat array in a loop. Stacked, an LSTM's step takes a tenth to a third less.
    is_alone = lanes == 1 and not shares and template.has_loop and jax.default_backend() == "cpu"
    return (StackedLayout if is_alone or not can_use_flat_layout(template) else FlatLayout)(template, lanes)


class Program:
    """A compiled program that trains and validates a fixed number of lanes, all with the same `Signature`."""

    def __init__(self, template: Template, lanes: int, data: DeviceData, *, row_wise: bool, effort: Effort) -> None:
        """Compile with XLA's options of `effort`. `row_wise`: validation scores do not depend on batch size."""
        self.lanes = lanes
        self._set_data(template, data)
        self._batch_size = template.signature.batch_size
        rows = len(data.validation[1])
        self._validation_batch = choose_validation_batch(template, row_wise=row_wise, rows=rows, lanes=lanes)
        self._keeps_state = not row_wise  # as in `fit`, keep the variables that validation changes
        self._compile_options: Any = effort.options
        state = self.layout.stack([self.layout.initial_state()] * lanes)
        numbers, rows = template.make_numbers(lanes), template.order.rows
        batches = self._cut_batches(np.zeros(rows, np.int32))
        rates = np.zeros((rows, lanes), np.float32) if template.signature.scheduled else None
        step_numbers = numbers._replace(rates=rates)
        with template.tracing:
            lowered_validation = jax.jit(self._validate_rows).lower(state, numbers, *data.validation)
        # Validation consists of matrix products, which gain little from full effort.
        needs_less_effort = effort is Effort.FULL and not template.has_convolution
        options: Any = Effort.MEDIUM.options if needs_less_effort else self._compile_options
        with ThreadPoolExecutor(1) as executor:
            validation = executor.submit(lowered_validation.compile, options)
            if template.has_convolution:
                self._epoch_program = self._build_steps(state, step_numbers, *batches)
            else:
                train: Any = self._train_masked_epoch if template.signature.masked else self._train_epoch
                self._epoch_program = self._compile(train, state, step_numbers, *batches, self._rows)
            self._validation_program = validation.result()

    def with_data(self, template: Template, data: DeviceData) -> Program:
        """Return this compiled program for `data` of equal shapes, with `template`'s initial weights and row orders."""
        if template is self._template and data is self._data:
            return self
        program = copy.copy(self)
        program._set_data(template, data)  # noqa: SLF001  # a copy
        return program

    def _set_data(self, template: Template, data: DeviceData) -> None:
        self._template, self.layout, self._data = template, choose_layout(template, self.lanes), data
        weights: Any = template.row_weights  # in the loss; None: equal weights
        if weights is not None:
            all_weights = np.zeros(len(data.y), np.float32)
            all_weights[slice(None) if data.train is None else data.train] = weights
            weights = jax.device_put(all_weights)
        self._rows = data.x, data.y, weights

    def order(self, epoch: int) -> Any:
        """Return the indices of the training rows in the order of `epoch`. The first epoch is 0."""
        order = self._template.order.draw_epoch(epoch)
        return order if self._data.train is None else self._data.train[order]

    def epoch(self, state: State, numbers: Numbers, order: Any, rates: Any = None) -> tuple[State, Logs]:
        """Train an epoch on the rows with the indices `order`. Return (state, logs); logs map metric names to [lanes].

        `rates` takes the number of training rows, and returns the learning rates [steps, lanes] or None. Without rates,
        all steps use `numbers.learning_rates`. JAX deletes the arrays of `state`.
        """
        numbers = numbers._replace(rates=rates and rates(len(order)))
        state, logs = self._epoch_program(state, numbers, *self._cut_batches(order), self._rows)
        return state, {name: np.asarray(values) for name, values in logs.items()}

    def validate(self, state: State, numbers: Numbers) -> tuple[State, Logs, Any, Any]:
        """Evaluate all validation rows. Return (state, logs, finite, right). Logs map metric names to [lanes].

        `finite` [lanes]: whether all weights of the lane are finite. `right` [lanes, rows]: whether the lane predicts
        the row correctly. `right` is None if the objective is no accuracy, or if a row can be partly right.
        """
        other, logs, finite, right = self._validation_program(state, numbers, *self._data.validation)
        if self._keeps_state:
            state = (state[0], other, state[2])
        logs = {name: np.asarray(values) for name, values in logs.items()}
        return state, logs, np.asarray(finite), None if right is None else np.asarray(right)

    def _cut_batches(self, order: Any) -> tuple[Any, ...]:
        """Cut row indices into (full batches [steps, rows], short last batch), or (`order`,) for masked steps."""
        if self._template.signature.masked:
            return (order,)
        whole = len(order) // self._batch_size * self._batch_size
        return order[:whole].reshape(-1, self._batch_size), order[whole:]

    def _compile(self, function: Callable[..., Any], *arguments: Any, donated: tuple[int, ...] = (0,)) -> Any:
        with self._template.tracing:
            lowered = jax.jit(function, donate_argnums=donated).lower(*arguments)
        return lowered.compile(self._compile_options)

    def _compute_logs(self, metrics: list[Any]) -> Logs:
        """Return metric name -> values [lanes], for metrics with a single number as result. Traced by JAX."""
        model = self._template.model

        def compute_lane_logs(metrics: list[Any]) -> dict[str, Any]:
            with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, metrics, strict=True))):
                results = model.get_metrics_result()
            pairs = [log.items() if isinstance(log, dict) else [(name, log)] for name, log in results.items()]
            return {name: jnp.reshape(value, ()) for name, value in chain(*pairs) if jnp.size(value) == 1}

        # Without the barrier XLA replaces division by a constant by a product, which rounds differently.
        return dict(jax.vmap(compute_lane_logs)(jax.lax.optimization_barrier(metrics)))

    def _train_epoch(self, state: State, numbers: Numbers, steps: Any, tail: Any, data: Any) -> tuple[State, Logs]:
        """Train on rows of `data`: on full batches with indices `steps` [steps, rows], then on a short batch `tail`."""
        prepared, metrics = self._begin_epoch(numbers)

        def body(carry: tuple[State, list[Any]], step: tuple[Any, Any]) -> tuple[Any, None]:
            return self._step(*carry, prepared, step[0], data, step[1]), None

        carry, whole = (state, metrics), steps.shape[0]
        if whole:
            carry, _ = jax.lax.scan(body, carry, (steps, jax.tree.map(lambda rates: rates[:whole], numbers.rates)))
        if tail.shape[0]:
            carry, _ = body(carry, (tail, jax.tree.map(lambda rates: rates[whole], numbers.rates)))
        state, metrics = carry
        return state, self._compute_logs(metrics)

    def _train_masked_epoch(self, state: State, numbers: Numbers, order: Any, data: Any) -> tuple[State, Logs]:
        """Train on the rows `order`, `numbers.batch_size` rows per step, padded by rows of weight 0. Traced by JAX."""
        prepared, metrics = self._begin_epoch(numbers)
        size = numbers.batch_size

        def body(step: Any, carry: tuple[State, list[Any]]) -> tuple[State, list[Any]]:
            start = step * size
            length = jnp.minimum(size, len(order) - start)
            index = jnp.arange(self._batch_size)
            rows = _take_rows(order, start + jnp.minimum(index, length - 1))  # padded with the last row
            mask = (index < length).astype(jnp.float32)
            rates = None if numbers.rates is None else _take_rows(numbers.rates, step)
            return self._step(*carry, prepared, rows, data, rates, mask)

        steps = (len(order) + size - 1) // size
        state, metrics = jax.lax.fori_loop(0, steps, body, (state, metrics))
        return state, self._compute_logs(metrics)

    def _build_steps(self, state: State, numbers: Numbers, steps: Any, tail: Any) -> Callable[..., tuple[State, Logs]]:
        """Compile a step for these shapes. Return a function like `_train_epoch` that runs the step for each batch."""
        begin = jax.jit(self._begin_epoch).lower(numbers).compile()
        prepared, metrics = begin(numbers)
        rates = None if numbers.rates is None else numbers.rates[0]
        programs = {
            len(batch): self._compile(self._step, state, metrics, prepared, batch, self._rows, rates, donated=(0, 1))
            for batch in (*steps[:1], tail)  # a batch of each length
            if len(batch)
        }
        end = self._compile(self._compute_logs, metrics, donated=())

        def epoch(state: State, numbers: Numbers, steps: Any, tail: Any, data: Any) -> tuple[State, Logs]:
            prepared, metrics = begin(numbers)
            step_rates = [None] * (len(steps) + 1) if numbers.rates is None else numbers.rates
            for batch, rates in zip([*steps, tail] if len(tail) else steps, step_rates, strict=False):
                state, metrics = programs[len(batch)](state, metrics, prepared, batch, data, rates)
            return state, end(metrics)

        return epoch

    def _begin_epoch(self, numbers: Numbers) -> tuple[Any, list[Any]]:
        """Return (numbers, initial metric variables) for `_step`. Numbers are prepared unless rates differ per step."""
        metrics = [jnp.broadcast_to(value, (self.lanes, *value.shape)) for value in self._template.metrics]
        return (self.layout.prepare(numbers) if numbers.rates is None else numbers), metrics

    def _step(
        self, state: State, metrics: Any, prepared: Any, rows: Any, data: Any, rates: Any = None, mask: Any = None
    ) -> tuple[State, list[Any]]:
        """Train a step on the rows of `data` with the indices `rows`. Return (state, metric variables). Traced by JAX.

        `prepared`: the numbers from `_begin_epoch`. `rates` [lanes]: learning rates of this step, if lanes have
        schedules. `mask` [rows]: 0 for padding, 1 otherwise. None: no padding.
        """
        if rates is not None:
            prepared = self.layout.prepare(prepared._replace(learning_rates=rates))
        x, y, weights = jax.tree.map(lambda array: _take_rows(array, rows), data)
        step: Any = self.layout.step
        if self._template.has_convolution and jax.default_backend() == "cpu":
            step = with_cpu_operations(step)
        return step(state, metrics, prepared, x, y, weights, mask)  # type: ignore[no-any-return]

    def _validate_rows(self, state: State, numbers: Numbers, *validation: Any) -> tuple[list[Any], Logs, Any, Any]:
        rows, size = validation[1].shape[0], min(self._validation_batch, validation[1].shape[0])
        whole = rows // size
        prepared, metrics = self._begin_epoch(numbers)

        def test(carry: Any, batch: Any) -> Any:
            other, metrics = carry
            before = (state[0], other if self._keeps_state else state[1], state[2])
            (_, other, _), metrics, right = self.layout.test(before, metrics, prepared, *batch)
            return (other if self._keeps_state else [], metrics), right

        def body(carry: Any, index: Any) -> Any:
            batch = jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, index * size, size), validation)
            return test(carry, batch)

        before = (state[1] if self._keeps_state else [], metrics)
        carry, right = jax.lax.scan(body, before, jnp.arange(whole))  # right: [whole, T, B]
        if right is not None:
            right = jnp.moveaxis(right, 0, 1).reshape(self.lanes, -1)
        if rows > whole * size:
            carry, last = test(carry, [cut(arrays, whole * size) for arrays in validation])
            right = None if right is None else jnp.concatenate([right, last], axis=1)
        other, metrics = carry
        return other, self._compute_logs(metrics), self.layout.find_finite_lanes(state), right


class FoldedProgram:
    """Runs the programs of all folds like a single program. States and row orders are lists with an item per fold."""

    def __init__(self, programs: Sequence[Program], data: SearchData) -> None:
        self.lanes = programs[0].lanes
        self.layout = self  # a lane's state has the variables of all folds, in order
        self._programs = programs
        self._data = data

    def initial_state(self, own_model: OwnModel | None = None) -> TrainingState:
        assert own_model is None  # folds may have different columns
        return join_states([program.layout.initial_state() for program in self._programs])

    def stack(self, lanes: Sequence[TrainingState]) -> list[Any]:
        folds = zip(*(split_state(lane, len(self._programs)) for lane in lanes), strict=True)
        return [program.layout.stack(states) for program, states in zip(self._programs, folds, strict=True)]

    def copy_lane(self, state: Any, index: int) -> TrainingState:
        return join_states(
            [program.layout.copy_lane(part, index) for program, part in zip(self._programs, state, strict=True)]
        )

    def order(self, epoch: int) -> list[Any]:
        return [program.order(epoch) for program in self._programs]

    def epoch(self, state: Any, numbers: Numbers, order: Any, rates: Any) -> tuple[Any, Logs]:
        parts = zip(self._programs, state, order, strict=True)
        results = [program.epoch(part, numbers, rows, rates) for program, part, rows in parts]
        return [part for part, _ in results], self._join_logs([logs for _, logs in results], order, self._data.train)

    def validate(self, state: Any, numbers: Numbers) -> tuple[Any, Logs, Any, Any]:
        """Evaluate each row by the model of the fold that held it out. Return the same values as `Program.validate`."""
        results = [program.validate(part, numbers) for program, part in zip(self._programs, state, strict=True)]
        states, logs, finite, right = zip(*results, strict=True)
        right_rows = None if right[0] is None else join_fold_rows([fold_right.T for fold_right in right], self._data).T
        validation_logs = self._join_logs(logs, [fold.held for fold in self._data.folds], self._data.validation)
        return list(states), validation_logs, np.all(finite, axis=0), right_rows

    def _join_logs(self, logs: Sequence[Logs], order: Sequence[Array], rows: Rows) -> Logs:
        return {name: join_scores(name, [log[name] for log in logs], order, rows.weights) for name in logs[0]}


def _take_rows(array: Any, rows: Any) -> Any:
    return array.at[rows].get(mode="promise_in_bounds")
