"""A compiled program: one epoch of T lanes in one call, and their validation in another. S steps, B rows a batch.

A model that convolves is trained by a call each step instead. How the variables of all lanes lie in memory, and what a
step does to them, is the affair of a layout: `Flat`, or `Stacked` where that is not right. With folds a lane is the
training of each fold, in step: groups, rungs, the best epoch and states that are kept know nothing of folds.
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
from keras_sweep.data.search_data import SearchData
from keras_sweep.training.checkpoint import TrainingState, join_states, split_state
from keras_sweep.training.compiling import Effort
from keras_sweep.training.folds import join_scores, rows_together
from keras_sweep.training.lanes.flat import FlatLayout, State, can_use_flat_layout
from keras_sweep.training.lanes.lane_numbers import Numbers
from keras_sweep.training.lanes.stacked import StackedLayout
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.lanes.validation import choose_validation_batch

Logs: TypeAlias = dict[str, Any]  # metric name -> [T]
Layout: TypeAlias = FlatLayout | StackedLayout


@dataclass(frozen=True)
class DeviceData:
    """The rows of both splits, put on the device once and read by every program."""

    x: Any
    y: Any
    validation: tuple[Any, ...]  # x, y and, where rows weigh unlike, what each counts
    train: Any = None  # numbers of the rows of x that are trained on; None: all

    @classmethod
    def from_search_data(cls, data: SearchData) -> list[DeviceData]:
        """Put the rows on the device, with folds those of each; what folds share is put there once.

        On the CPU rows that lie well enough stay where they are.
        """
        x, y = jax.device_put((data.train.x, data.train.y))
        if not data.folds:
            once = data.validation is data.train  # where the winner is trained on all rows
            arrays = data.validation.arrays
            return [cls(x, y, (x, y, *jax.device_put(arrays[2:])) if once else jax.device_put(arrays))]
        return [
            cls(
                x if fold.rows is None else jax.device_put(fold.rows.x),
                y,
                jax.device_put((fold.rows or data.train).take(fold.held).arrays),
                fold.train,
            )
            for fold in data.folds
        ]

    @property
    def shapes(self) -> Any:
        """What a program of these rows is compiled for."""
        rows = len(self.y) if self.train is None else len(self.train)
        return rows, *(array.shape for one in (self.x, self.y, *self.validation) for array in leaves(one))


def choose_layout(template: Template, lanes: int) -> Layout:
    """The faster of the layouts that are right for a signature."""
    return FlatLayout(template, lanes) if can_use_flat_layout(template) else StackedLayout(template, lanes)


class Program:
    """Trains the lanes of one signature. Compiled when made, for this number of lanes."""

    def __init__(
        self, template: Template, lanes: int, data: DeviceData, *, independent_rows: bool, effort: Effort
    ) -> None:
        """T lanes; whether each validation row stands alone in this model, and what compiling is worth."""
        self.lanes = lanes
        self._set_data(template, data)
        self._batch_size = template.signature.batch_size
        rows = len(data.validation[1])
        self._validation_batch = choose_validation_batch(
            template, independent_rows=independent_rows, rows=rows, lanes=lanes
        )
        self._keeps_state = not independent_rows  # keep what validation changes beside the metrics, as `fit` does
        self._compile_options: Any = effort.options
        state = self.layout.stack([self.layout.initial_state()] * lanes)
        numbers, rows = template.placeholder_numbers(lanes), template.order.rows
        batches = self._cut_batches(np.zeros(rows, np.int32))
        rates = np.zeros((rows, lanes), np.float32) if template.signature.scheduled else None
        stepwise = numbers._replace(rates=rates)
        with template.tracing:
            traced = jax.jit(self._validate_rows).lower(state, numbers, *data.validation)
        # Of a program that is worth all effort validation is worth less: products are all that takes time there.
        quick = effort is Effort.FULL and not template.has_convolution
        options: Any = Effort.MEDIUM.options if quick else self._compile_options
        with ThreadPoolExecutor(1) as meanwhile:
            validate = meanwhile.submit(traced.compile, options)
            if template.signature.masked:
                self._epoch_program = self._compile(
                    self._train_masked_epoch, state, stepwise, *batches, self._training_rows
                )
            elif template.has_convolution:
                self._epoch_program = self._compile_steps(state, stepwise, *batches)
            else:
                self._epoch_program = self._compile(self._train_epoch, state, stepwise, *batches, self._training_rows)
            self._validation_program = validate.result()

    def with_data(self, template: Template, data: DeviceData) -> Program:
        """The program for a template and rows that differ from its own only in numbers: weights, an order, the rows."""
        if template is self._template and data is self._data:
            return self
        other = copy.copy(self)
        other._set_data(template, data)  # noqa: SLF001  # of its own copy
        return other

    def _set_data(self, template: Template, data: DeviceData) -> None:
        self._template, self.layout, self._data = template, choose_layout(template, self.lanes), data
        weights: Any = template.row_weights  # what each row counts in the loss; None where all count the same
        if weights is not None:
            of_all = np.zeros(len(data.y), np.float32)
            of_all[slice(None) if data.train is None else data.train] = weights  # of a fold's rows among all
            weights = jax.device_put(of_all)
        self._training_rows = data.x, data.y, weights

    def order(self, epoch: int) -> Any:
        """[N] the rows in the order in which epoch `epoch`, counted from 0, trains on them."""
        order = self._template.order.draw_epoch(epoch)
        return order if self._data.train is None else self._data.train[order]

    def epoch(self, state: State, numbers: Numbers, order: Any, rates: Any = None) -> tuple[State, Logs]:
        """One epoch over all training rows in this order. `state` is used up; logs are those of `fit`.

        `rates` is called with N, and returns [N, T] learning rates of each step, or None, as `Group` has them.
        """
        numbers = numbers._replace(rates=rates and rates(len(order)))
        state, logs = self._epoch_program(state, numbers, *self._cut_batches(order), self._training_rows)
        return state, {name: np.asarray(values) for name, values in logs.items()}

    def validate(self, state: State, numbers: Numbers) -> tuple[State, Logs, Any, Any]:
        """The state after it, logs of `evaluate` on the N validation rows, [T] whether the lane's weights are finite.

        Last [T, N] whether the lane gets the row right; None where the objective is no such share.
        """
        other, logs, finite, right = self._validation_program(state, numbers, *self._data.validation)
        if self._keeps_state:
            state = (state[0], other, state[2])
        logs = {name: np.asarray(values) for name, values in logs.items()}
        return state, logs, np.asarray(finite), None if right is None else np.asarray(right)

    def _cut_batches(self, order: Any) -> tuple[Any, ...]:
        """The order cut into [S, B] and the short last batch; as it is where steps are masked."""
        if self._template.signature.masked:
            return (order,)
        whole = len(order) // self._batch_size * self._batch_size
        return order[:whole].reshape(-1, self._batch_size), order[whole:]

    def _compile(self, traced: Callable[..., Any], *arguments: Any, uses_up: tuple[int, ...] = (0,)) -> Any:
        with self._template.tracing:
            lowered = jax.jit(traced, donate_argnums=uses_up).lower(*arguments)
        return lowered.compile(self._compile_options)

    def _compute_logs(self, metrics: list[Any]) -> Logs:
        """Traced: metric name -> [T], of those metrics that are one number."""
        model = self._template.model

        def one(metrics: list[Any]) -> dict[str, Any]:
            with keras.StatelessScope(state_mapping=list(zip(model.metrics_variables, metrics, strict=True))):
                results = model.get_metrics_result()
            each = [of.items() if isinstance(of, dict) else [(name, of)] for name, of in results.items()]
            return {name: jnp.reshape(value, ()) for name, value in chain(*each) if jnp.size(value) == 1}

        # the barrier keeps XLA from turning a division by a known count into a product, which rounds differently
        return dict(jax.vmap(one)(jax.lax.optimization_barrier(metrics)))

    def _train_epoch(self, state: State, numbers: Numbers, steps: Any, tail: Any, data: Any) -> tuple[State, Logs]:
        """Traced: an epoch of batches of one length, and a shorter one."""
        prepared, metrics = self._begin_epoch(numbers)

        def body(carry: tuple[State, list[Any]], step: tuple[Any, Any]) -> tuple[Any, None]:
            return self._step(*carry, prepared, step[0], data, step[1]), None

        carry, whole = (state, metrics), steps.shape[0]
        if whole:
            carry, _ = jax.lax.scan(body, carry, (steps, jax.tree.map(lambda each: each[:whole], numbers.rates)))
        if tail.shape[0]:
            carry, _ = body(carry, (tail, jax.tree.map(lambda each: each[whole], numbers.rates)))
        state, metrics = carry
        return state, self._compute_logs(metrics)

    def _train_masked_epoch(self, state: State, numbers: Numbers, order: Any, data: Any) -> tuple[State, Logs]:
        """Traced: an epoch of batches of whatever length, in steps of more rows, of which the further ones weigh 0."""
        prepared, metrics = self._begin_epoch(numbers)
        size = numbers.batch_size

        def body(step: Any, carry: tuple[State, list[Any]]) -> tuple[State, list[Any]]:
            start = step * size
            length = jnp.minimum(size, len(order) - start)
            place = jnp.arange(self._batch_size)
            rows = _take_rows(order, start + jnp.minimum(place, length - 1))  # further ones are the last one again
            counted = (place < length).astype(jnp.float32)
            rates = None if numbers.rates is None else _take_rows(numbers.rates, step)
            return self._step(*carry, prepared, rows, data, rates, counted)

        steps = (len(order) + size - 1) // size
        state, metrics = jax.lax.fori_loop(0, steps, body, (state, metrics))
        return state, self._compute_logs(metrics)

    def _compile_steps(
        self, state: State, numbers: Numbers, steps: Any, tail: Any
    ) -> Callable[..., tuple[State, Logs]]:
        """An epoch of a call each step."""
        begin = jax.jit(self._begin_epoch).lower(numbers).compile()
        prepared, metrics = begin(numbers)
        rates = None if numbers.rates is None else numbers.rates[0]
        programs = {
            len(batch): self._compile(
                self._step, state, metrics, prepared, batch, self._training_rows, rates, uses_up=(0, 1)
            )
            for batch in (*steps[:1], tail)  # one of each length
            if len(batch)
        }
        end = self._compile(self._compute_logs, metrics, uses_up=())

        def epoch(state: State, numbers: Numbers, steps: Any, tail: Any, data: Any) -> tuple[State, Logs]:
            prepared, metrics = begin(numbers)
            each = [None] * (len(steps) + 1) if numbers.rates is None else numbers.rates
            for batch, rates in zip([*steps, tail] if len(tail) else steps, each, strict=False):
                state, metrics = programs[len(batch)](state, metrics, prepared, batch, data, rates)
            return state, end(metrics)

        return epoch

    def _begin_epoch(self, numbers: Numbers) -> tuple[Any, list[Any]]:
        """Traced: the numbers as a step takes them, if they are the same in each, and metrics before the first step."""
        metrics = [jnp.broadcast_to(value, (self.lanes, *value.shape)) for value in self._template.metrics]
        return (self.layout.prepare(numbers) if numbers.rates is None else numbers), metrics

    def _step(
        self, state: State, metrics: Any, prepared: Any, rows: Any, data: Any, rates: Any = None, counted: Any = None
    ) -> tuple[State, list[Any]]:
        """Traced: a step on these rows, of which those count that `counted` says; `rates` [T] are this step's own."""
        if rates is not None:
            prepared = self.layout.prepare(prepared._replace(learning_rates=rates))
        x, y, weights = jax.tree.map(lambda array: _take_rows(array, rows), data)
        return self.layout.step(state, metrics, prepared, x, y, weights, counted)

    def _validate_rows(self, state: State, numbers: Numbers, *held: Any) -> tuple[list[Any], Logs, Any, Any]:
        rows, size = held[1].shape[0], min(self._validation_batch, held[1].shape[0])
        whole = rows // size
        prepared, metrics = self._begin_epoch(numbers)

        def test(carry: Any, batch: Any) -> Any:
            other, metrics = carry
            before = (state[0], other if self._keeps_state else state[1], state[2])
            (_, other, _), metrics, right = self.layout.test(before, metrics, prepared, *batch)
            return (other if self._keeps_state else [], metrics), right

        def body(carry: Any, index: Any) -> Any:
            batch = jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, index * size, size), held)
            return test(carry, batch)

        before = (state[1] if self._keeps_state else [], metrics)
        carry, right = jax.lax.scan(body, before, jnp.arange(whole))  # right: [whole, T, B]
        if right is not None:
            right = jnp.moveaxis(right, 0, 1).reshape(self.lanes, -1)
        if rows > whole * size:
            carry, last = test(carry, [cut(arrays, whole * size) for arrays in held])
            right = None if right is None else jnp.concatenate([right, last], axis=1)
        other, metrics = carry
        return other, self._compute_logs(metrics), self.layout.find_finite_lanes(state), right


class FoldedProgram:
    """The program of each fold, one after the other. Used as a `Program`; its state and orders are lists of theirs.

    It is its own layout: a lane's state holds the variables of its first fold, then of its second, and so on.
    """

    def __init__(self, programs: Sequence[Program], data: SearchData) -> None:
        self.lanes = programs[0].lanes
        self.layout = self
        self._programs = programs
        self._data = data

    def initial_state(self, own: OwnModel | None = None) -> TrainingState:
        assert own is None  # a fold may have columns of its own
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
        each = zip(self._programs, state, order, strict=True)
        ended = [program.epoch(part, numbers, rows, rates) for program, part, rows in each]
        return [part for part, _ in ended], self._join_logs([logs for _, logs in ended], order)

    def validate(self, state: Any, numbers: Numbers) -> tuple[Any, Logs, Any, Any]:
        """Metrics and right rows are of all rows, each scored by the fold that left it out."""
        ended = [program.validate(part, numbers) for program, part in zip(self._programs, state, strict=True)]
        states, logs, finite, right = zip(*ended, strict=True)
        together = None if right[0] is None else rows_together([each.T for each in right], self._data).T
        held = self._join_logs(logs, [fold.held for fold in self._data.folds])
        return list(states), held, np.all(finite, axis=0), together

    def _join_logs(self, logs: Sequence[Logs], rows: Sequence[Array]) -> Logs:
        weights = self._data.train.weights
        return {name: join_scores(name, [log[name] for log in logs], rows, weights) for name in logs[0]}


def _take_rows(array: Any, rows: Any) -> Any:
    return array.at[rows].get(mode="promise_in_bounds")
