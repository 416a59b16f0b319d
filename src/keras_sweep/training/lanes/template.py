"""Build the template of a signature: the model that a program is traced from, and that its lanes start from."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import jax
import keras
import numpy as np

from keras_sweep.data.arrays import Array, cut, each, leaves
from keras_sweep.data.search_data import SearchData
from keras_sweep.models.build import build_model
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.process.compiling import Effort, use_fast_initializers
from keras_sweep.process.user_code import user_errors
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import averages
from keras_sweep.training.build_trial import (
    ROWS,
    compile_model,
    has_masks,
    make_optimizer,
    read_mask,
    training_argument,
)
from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, SharedStructure, use_lane_numbers
from keras_sweep.training.lanes.signature import PLACEHOLDER, OptimizerVariant, Signature, from_key
from keras_sweep.training.lanes.structure import OwnModel, build_structure_model, make_own_model, resize_arrays
from keras_sweep.training.losses import compile_arguments, row_weights
from keras_sweep.training.row_values import right_rows
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Weights


class Template:
    """A built and compiled model, with its state at the start of `fit`. Programs are traced from the template.

    Never create two templates in parallel: each template seeds the random generators of the process.
    """

    @use_fast_initializers()
    def __init__(self, spec: SweepSpec, signature: Signature, data: SearchData) -> None:
        """Build the signature's model for these data. Raise ModelError if the model can't be built."""
        self.signature, spec = signature, replace(spec, own=())  # `spec.loss` and `spec.metrics` are set
        plan = _make_plan(signature, signature.variants[0])
        if signature.structure:
            with without_tensorflow():
                keras.utils.set_random_seed(plan.seed)
                self.model = build_structure_model(signature.structure)
            self.model.compile(optimizer=make_optimizer(plan), **compile_arguments(spec, plan.loss_arguments, data))
        else:
            self.model = compile_model(spec, plan, data)
        self.shared = SharedStructure.from_model(self.model, signature.structure) if signature.structure else None
        self.key = data.seed if spec.model.kind != "dense" else 0  # a program of another key may compute with its seed
        self.order = DataOrder(np.random.get_state(), len(data.train))
        train = data.train
        weights: Any = signature.class_weight
        self._weighs_rows = data.weighs
        self.row_weights = row_weights(dict(weights) if isinstance(weights, tuple) else weights, data)
        self._first_batch = each(lambda array: array[: plan.batch_size].copy(), train.x)  # a view would keep all rows
        one_batch = (self._first_batch, train.y[: plan.batch_size])
        self.model._symbolic_build(data_batch=one_batch)  # noqa: SLF001  # Keras 3.15: as `fit` builds the metrics
        self.model.reset_metrics()
        self.trainable = _copy_values(self.model.trainable_variables)
        self.other = _copy_values(self.model.non_trainable_variables)
        self.metrics = _copy_values(self.model.metrics_variables)
        # The index of each of `model.weights` among the trainable and then the other variables.
        ids = [id(variable) for variable in (*self.model.trainable_variables, *self.model.non_trainable_variables)]
        self._weight_places = [ids.index(id(variable)) for variable in self.model.weights]
        # The index of each trainable variable's moving average among the optimizer variables, or None.
        slot_ids = [id(variable) for variable in self.model.optimizer.variables]
        places = {id(variable): slot_ids.index(id(average)) for variable, average in averages(self.model.optimizer)}
        self._average_places = [places.get(id(variable)) for variable in self.model.trainable_variables]
        self.tracing = threading.Lock()  # layers change Python attributes during tracing
        has_known_metric = spec.objective.name.removeprefix("val_") not in spec.metric_arguments
        self.find_right_rows = partial(right_rows, spec.objective.name if has_known_metric else "")

    @cached_property
    def optimizer_kinds(self) -> list[Any]:
        """An unbuilt Keras optimizer for each `OptimizerVariant` of the signature, only for inspection."""
        return self.make_optimizers()

    def make_optimizers(self) -> list[Any]:
        return [make_optimizer(_make_plan(self.signature, variant)) for variant in self.signature.variants]

    def make_numbers(self, lanes: int) -> Numbers:
        """Return placeholders in the shapes that the numbers of `lanes` lanes have, for tracing a program."""
        per_lane = np.full((len(self.signature.per_lane), 2, lanes), PLACEHOLDER, np.float32)
        batch = np.int32(self.signature.batch_size) if self.signature.masked else None
        model = None if self.shared is None else self.shared.make_numbers(lanes)
        return Numbers(np.zeros(lanes, np.float32), np.zeros(lanes, np.int32), per_lane, model, batch)

    def make_forward(self, *, training: bool) -> Callable[..., Any]:
        """Return a function that computes a lane's loss, metrics and outputs on a batch, like `fit`. Traced by JAX.

        The function takes: trainable, non-trainable and metric variables, the lane's own numbers (dropout rates, ...),
        x, y, row weights, mask [rows] (0 for padding). It returns (loss, (non-trainable, metric variables, outputs)).
        """
        model = self.model
        optimizer_variables = [variable.value for variable in model.optimizer.variables]  # only loss scaling reads them

        def forward(
            trainable: Any, other: Any, metrics: Any, lane: Any, x: Any, y: Any, weights: Any = None, mask: Any = None
        ) -> Any:
            metric_weights = weights if self._weighs_rows else None  # metrics ignore class weights
            if mask is not None:
                # Keras divides the sum of the losses by the number of all rows, padding included.
                scaled = mask * (len(mask) / mask.sum())
                weights = scaled if weights is None else scaled * weights
            with use_lane_numbers(model, self.shared, lane):
                loss, (unscaled, y_pred, other, metrics) = model.compute_loss_and_updates(
                    trainable, other, metrics, x, y, weights, training=training, optimizer_variables=optimizer_variables
                )
            if training:
                # The copies have no mask. So training metrics count masked labels, as in `fit` on JAX, where the
                # outputs leave `jax.value_and_grad` without their masks. Validation keeps the masks, as `evaluate`.
                unscaled, y_pred = jax.lax.stop_gradient((unscaled, y_pred))
            if mask is not None:
                masked = mask if metric_weights is None else mask * metric_weights
                metrics = self.update_metrics(
                    metrics, unscaled, mask.sum(), lambda metric: metric.update_state(y, y_pred, sample_weight=masked)
                )
                return loss, (other, metrics, y_pred)
            _, metrics = model._update_metrics_variables(  # noqa: SLF001  # Keras 3.15: as in `train_step`
                metrics, unscaled, x, y, y_pred, metric_weights
            )
            return loss, (other, metrics, y_pred)

        return forward

    def test(self, trainable: Any, other: Any, metrics: Any, lane: Any, *batch: Any) -> Any:
        """Evaluate a lane on `batch`: x, y and perhaps row weights. Return (`other`, `metrics`, right) after the batch.

        `other`: the non-trainable variables. `lane`: the lane's own numbers; None if all models are equal.
        `right` [rows]: whether the row is predicted correctly; None if the objective is no accuracy of whole rows, or
        if the outputs have a mask.
        """
        _, (other, metrics, outputs) = self.make_forward(training=False)(trainable, other, metrics, lane, *batch)
        right = self.find_right_rows(batch[1], outputs)
        return other, metrics, None if right is None or read_mask(outputs) is not None else right

    def update_metrics(self, metrics: Any, loss: Any, rows: Any, update: Callable[[Any], Any]) -> list[Any]:
        """Return the metric variables after a batch of `rows` rows. Call `update` with each metric except the loss."""
        # As Keras 3.15's `Model._update_metrics_variables` on JAX: the loss metric weights a batch by its rows.
        mapping = list(zip(self.model.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self.model._loss_tracker.update_state(loss, sample_weight=rows)  # noqa: SLF001  # Keras 3.15: as above
            for metric in self.model._compile_metrics.metrics:  # noqa: SLF001  # Keras 3.15: metrics by name
                update(metric)
        return [scope.get_current_value(variable) for variable, _ in mapping]

    def average(self, trainable: Sequence[Any], optimizer: Sequence[Any]) -> list[Any]:
        """Return the weights to score: `trainable` or, with `use_ema`, the averages among the `optimizer` variables."""
        return [
            variable if index is None else optimizer[index]
            for variable, index in zip(trainable, self._average_places, strict=True)
        ]

    @cached_property
    def has_convolution(self) -> bool:
        """Whether the model has a convolution. If so, each lane trains alone, with a call for each step."""
        # On a CPU, convolutions in a loop or mapped over lanes are 3 to 15 times slower: jax-ml/jax#12868.
        return "conv_general_dilated" in self._jaxpr_text

    @cached_property
    def has_masks(self) -> bool:
        """Whether an output of the model has a mask. Callers must not hold `tracing`."""
        with self.tracing:
            return has_masks(self.model, self._first_batch)

    @cached_property
    def has_loop(self) -> bool:
        """Whether the model has a loop, like a recurrent layer over the steps of a series."""
        return "scan[" in self._jaxpr_text or "while[" in self._jaxpr_text

    @cached_property
    def _jaxpr_text(self) -> str:
        def call(trainable: Any, other: Any, x: Any) -> Any:
            return self.model.stateless_call(trainable, other, x, **training_argument(self.model, training=True))

        return str(jax.make_jaxpr(call)(list(self.trainable), list(self.other), self._first_batch))

    @cached_property
    def layer_outputs(self) -> int:
        """Roughly how many numbers all layers output per row. If a shape is unknown, the number of weights."""
        try:
            return sum(math.prod(layer.output.shape[1:]) for layer in self.model.layers) or 1
        except (AttributeError, TypeError, ValueError):  # a subclassed model has layers without outputs
            return max(int(self.model.count_params()), 1)

    @cached_property
    def _predict_program(self) -> Any:
        mode = training_argument(self.model, training=False)

        def call(lane_numbers: Any, *state_and_x: Any) -> Any:
            with use_lane_numbers(self.model, self.shared, lane_numbers):
                return self.model.stateless_call(*state_and_x, **mode)[0]

        return jax.jit(call, compiler_options=None if self.has_convolution else Effort.MEDIUM.options)

    def predict(self, state: TrainingState, x: Any, own_model: OwnModel | None = None) -> Array:
        """Return outputs [rows, ...] of a lane's model on `x`. `own_model`: the model; None if all models are equal."""
        trainable = self.average(state.trainable, state.optimizer)
        numbers = None if own_model is None else LaneNumbers.from_model(own_model)
        parts = [
            self._predict_program(numbers, trainable, list(state.other), cut(x, start, start + ROWS))
            for start in range(0, len(leaves(x)[0]), ROWS)
        ]
        return np.concatenate([np.asarray(part) for part in parts])

    def weights(self, state: TrainingState, own_model: OwnModel | None = None) -> Weights:
        """Return a lane's weights, like `model.get_weights()`. `own_model`: the model; None if all models are equal."""
        arrays: Arrays = (*self.average(state.trainable, state.optimizer), *state.other)
        if own_model is not None:
            arrays = resize_arrays(arrays, (*own_model.trainable, *own_model.other))
        return tuple(arrays[index] for index in self._weight_places if arrays[index].size)  # absent layers have none


class DataOrder:
    """Draws the row order of any epoch from NumPy's random state, as `keras.Model.fit` does on the JAX backend."""

    def __init__(self, state: Any, rows: int) -> None:
        """Start from `state`: `numpy.random.get_state()` when `fit` is called. `rows`: number of training rows."""
        self.rows = rows  # N
        self._random = np.random.RandomState()
        self._random.set_state(state)
        self._random.permutation(rows)  # extra, because the symbolic build of `fit` opens the iterator once
        self._states = [self._random.get_state()]  # [epochs] before each epoch, 2.5 kB each
        self._lock = threading.Lock()

    def draw_epoch(self, index: int) -> Array:
        """Return the row indices in the order of epoch `index`, counted from 0. Thread-safe."""
        with self._lock:
            for epoch in range(min(index, len(self._states) - 1), index + 1):
                self._random.set_state(self._states[epoch])
                order = self._random.permutation(self.rows)
                if epoch + 1 == len(self._states):
                    self._states.append(self._random.get_state())
            return order.astype(np.int32)


def _make_plan(signature: Signature, variant: OptimizerVariant) -> TrainingPlan:
    return TrainingPlan(
        from_key(signature.model),
        variant.optimizer,
        {**from_key(variant.constants), **dict.fromkeys(variant.per_lane, PLACEHOLDER)},
        batch_size=signature.batch_size,
        seed=signature.seed,
        loss_arguments=from_key(signature.loss),
    )


def build_own_model(
    spec: SweepSpec, arguments: Mapping[str, Value], seed: int, data: SearchData, **how: Any
) -> OwnModel | None:
    """Build a trial's model from the model `arguments`, and return `make_own_model(model, **how)`.

    Return None if the model can't be built or shared. Never build two in parallel: a build seeds global random states.
    """
    if isinstance(data.train.x, dict | tuple):  # a chain of layers has a single input array
        return None
    with without_tensorflow():
        keras.utils.set_random_seed(seed)
    state = np.random.get_state()
    try:
        model = build_model(spec, arguments, data)
    except user_errors():  # reported when the trial's template is created
        return None
    # If building draws from NumPy's generator, the order of the rows changes.
    if any(not np.array_equal(before, after) for before, after in zip(state, np.random.get_state(), strict=True)):
        return None
    with without_tensorflow():
        return make_own_model(model, **how)


def _copy_values(variables: Any) -> Arrays:
    return tuple(np.array(variable.value) for variable in variables)
