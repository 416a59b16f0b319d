"""One built model of a signature: what its lanes start from, and the code that their program is traced from."""

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
from keras_sweep.process.user_code import is_user_error
from keras_sweep.space.distributions import Value
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import averages
from keras_sweep.training.build_trial import ROWS, compile_model, make_optimizer
from keras_sweep.training.checkpoint import Arrays, TrainingState
from keras_sweep.training.compiling import Effort
from keras_sweep.training.lanes.lane_numbers import LaneNumbers, Numbers, SharedStructure, use_lane_numbers
from keras_sweep.training.lanes.signature import PLACEHOLDER, OptimizerVariant, Signature, thaw_arguments
from keras_sweep.training.lanes.structure import OwnModel, build_structure_model, make_own_model, resize_arrays
from keras_sweep.training.losses import compile_arguments, row_weights
from keras_sweep.training.row_values import right_rows
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Weights


class Template:
    """A model as `fit` would find it: seeded, built, compiled, its metrics built and reset.

    Not to be made by two threads at once: it seeds the process's global generators.
    """

    def __init__(self, spec: SweepSpec, signature: Signature, data: SearchData) -> None:
        """Raises ModelError, as `compile_model` does."""
        self.signature, spec = signature, replace(spec, own=())  # of which it has the names
        plan = _make_plan(signature, signature.variants[0])
        if signature.structure:
            with without_tensorflow():
                keras.utils.set_random_seed(plan.seed)
                self.model = build_structure_model(signature.structure)
            self.model.compile(optimizer=make_optimizer(plan), **compile_arguments(spec, plan.loss_arguments, data))
        else:
            self.model = compile_model(spec, plan, data)
        self.shared = SharedStructure.from_model(self.model, signature.structure) if signature.structure else None
        self.order = DataOrder(np.random.get_state(), len(data.train))
        train = data.train
        weights: Any = signature.class_weight
        self._weighs_rows = data.weighs
        self.row_weights = row_weights(dict(weights) if isinstance(weights, tuple) else weights, data)
        self._first_batch = each(
            lambda array: array[: plan.batch_size].copy(), train.x
        )  # a view would keep all rows alive
        one_batch = (self._first_batch, train.y[: plan.batch_size])
        self.model._symbolic_build(data_batch=one_batch)  # noqa: SLF001  # Keras 3.15: as `fit` builds the metrics
        self.model.reset_metrics()
        self.trainable = _copy_values(self.model.trainable_variables)
        self.other = _copy_values(self.model.non_trainable_variables)
        self.metrics = _copy_values(self.model.metrics_variables)
        # Where each of `model.weights` stands among the trainable and then the other variables.
        both = [id(variable) for variable in (*self.model.trainable_variables, *self.model.non_trainable_variables)]
        self._weight_places = [both.index(id(variable)) for variable in self.model.weights]
        # Where the moving average of each trainable variable stands among the optimizer's; None where there is none.
        slots = [id(variable) for variable in self.model.optimizer.variables]
        found = {id(variable): slots.index(id(average)) for variable, average in averages(self.model.optimizer)}
        self._average_places = [found.get(id(variable)) for variable in self.model.trainable_variables]
        self.tracing = threading.Lock()  # layers keep things in Python while they are traced
        named = spec.objective.name.removeprefix("val_") not in spec.metric_arguments
        self.find_right_rows = partial(right_rows, spec.objective.name if named else "")

    @cached_property
    def optimizer_kinds(self) -> list[Any]:
        """An optimizer of each of the signature's variants, to look at: they are never built."""
        return self.make_optimizers()

    def make_optimizers(self) -> list[Any]:
        """New optimizers of the signature's variants, not built."""
        return [make_optimizer(_make_plan(self.signature, variant)) for variant in self.signature.variants]

    def placeholder_numbers(self, lanes: int) -> Numbers:
        """Numbers of lanes in the right shapes, to trace a program with."""
        per_lane = np.full((len(self.signature.per_lane), 2, lanes), PLACEHOLDER, np.float32)
        batch = np.int32(self.signature.batch_size) if self.signature.masked else None
        model = None if self.shared is None else self.shared.placeholder_numbers(lanes)
        return Numbers(np.zeros(lanes, np.float32), np.zeros(lanes, np.int32), per_lane, model, batch)

    def make_forward(self, *, training: bool) -> Callable[..., Any]:
        """The first half of `fit`'s own step on one lane: loss; variables and metrics after the batch; outputs."""
        model = self.model
        scale = [variable.value for variable in model.optimizer.variables]  # read by loss scaling alone

        def forward(
            trainable: Any, other: Any, metrics: Any, own: Any, x: Any, y: Any, weights: Any = None, counted: Any = None
        ) -> Any:
            given = weights if self._weighs_rows else None  # class weights weigh in no metric
            if counted is not None:
                # Keras divides the sum of the losses by the number of all rows, so those that count weigh more.
                grown = counted * (len(counted) / counted.sum())
                weights = grown if weights is None else grown * weights
            with use_lane_numbers(model, self.shared, own):
                loss, (unscaled, y_pred, other, metrics) = model.compute_loss_and_updates(
                    trainable, other, metrics, x, y, weights, training=training, optimizer_variables=scale
                )
            unscaled, y_pred = jax.lax.stop_gradient((unscaled, y_pred))
            if counted is not None:
                by = counted if given is None else counted * given
                metrics = self.update_metrics(
                    metrics, unscaled, counted.sum(), lambda one: one.update_state(y, y_pred, sample_weight=by)
                )
                return loss, (other, metrics, y_pred)
            _, metrics = model._update_metrics_variables(  # noqa: SLF001  # Keras 3.15: what its `train_step` calls
                metrics, unscaled, x, y, y_pred, given
            )
            return loss, (other, metrics, y_pred)

        return forward

    def test(self, trainable: Any, other: Any, metrics: Any, own: Any, *batch: Any) -> Any:
        """Traced: of one lane the other variables and the metrics after a batch of validation rows; which are right."""
        _, (other, metrics, outputs) = self.make_forward(training=False)(trainable, other, metrics, own, *batch)
        return other, metrics, self.find_right_rows(batch[1], outputs)

    def update_metrics(self, metrics: Any, loss: Any, rows: Any, update: Callable[[Any], Any]) -> list[Any]:
        """Traced: the metrics after a batch of so many rows; `update` is called with each but that of the loss.

        As Keras 3.15's `Model._update_metrics_variables` on JAX, by which the loss counts all rows alike.
        """
        mapping = list(zip(self.model.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self.model._loss_tracker.update_state(loss, sample_weight=rows)  # noqa: SLF001  # Keras 3.15: as above
            for metric in self.model._compile_metrics.metrics:  # noqa: SLF001  # Keras 3.15: those by name
                update(metric)
        return [scope.get_current_value(variable) for variable, _ in mapping]

    def average(self, trainable: Sequence[Any], optimizer: Sequence[Any]) -> list[Any]:
        """The trainable variables by which a lane is scored: with `use_ema` their averages, which `fit` leaves."""
        return [
            variable if place is None else optimizer[place]
            for variable, place in zip(trainable, self._average_places, strict=True)
        ]

    @cached_property
    def has_convolution(self) -> bool:
        """Whether the model has a convolution anywhere.

        XLA on the CPU compiles a convolution inside a loop, or one that is mapped over lanes, to code that is three to
        fifteen times slower (jax-ml/jax#12868), so such a model trains one lane at a time and step by step.
        """
        return "conv_general_dilated" in self._traced_call

    @cached_property
    def has_loop(self) -> bool:
        """Whether the model has a loop anywhere, as recurrent layers go through the steps of a series."""
        return "scan[" in self._traced_call or "while[" in self._traced_call

    @cached_property
    def _traced_call(self) -> str:
        """The model's call in training on a batch, as JAX traces it."""

        def call(trainable: Any, other: Any, x: Any) -> Any:
            return self.model.stateless_call(trainable, other, x, **_training_argument(self.model, training=True))

        return str(jax.make_jaxpr(call)(list(self.trainable), list(self.other), self._first_batch))

    @cached_property
    def layer_outputs(self) -> int:
        """About how many numbers its layers put out for a row; as many as its weights where they do not say."""
        try:
            return sum(math.prod(layer.output.shape[1:]) for layer in self.model.layers) or 1
        except (AttributeError, TypeError, ValueError):  # a layer of a subclassed model has no output of its own
            return max(int(self.model.count_params()), 1)

    @cached_property
    def _predict_program(self) -> Any:
        """The program of `predict`."""
        mode = _training_argument(self.model, training=False)

        def call(own: Any, *state_and_x: Any) -> Any:
            with use_lane_numbers(self.model, self.shared, own):
                return self.model.stateless_call(*state_and_x, **mode)[0]

        return jax.jit(call, compiler_options=None if self.has_convolution else Effort.MEDIUM.options)

    def predict(self, state: TrainingState, x: Any, own: OwnModel | None = None) -> Array:
        """The model's outputs with a lane's variables, and its own numbers if it shares a structure; [N, ...]."""
        trainable = self.average(state.trainable, state.optimizer)
        numbers = None if own is None else LaneNumbers.from_model(own)
        parts = [
            self._predict_program(numbers, trainable, list(state.other), cut(x, start, start + ROWS))
            for start in range(0, len(leaves(x)[0]), ROWS)
        ]
        return np.concatenate([np.asarray(part) for part in parts])

    def weights(self, state: TrainingState, own: OwnModel | None = None) -> Weights:
        """What `fit` leaves to a lane, in the order of `model.get_weights()`."""
        both: Arrays = (*self.average(state.trainable, state.optimizer), *state.other)
        if own is not None:
            both = resize_arrays(both, (*own.trainable, *own.other))
        return tuple(both[place] for place in self._weight_places if both[place].size)  # none of a layer that it lacks


class DataOrder:
    """Row indices of any epoch, as `keras.Model.fit` draws them on the JAX backend.

    `fit` takes each epoch's order from NumPy's global generator, and draws one permutation that it throws away before
    the first epoch, because its symbolic build opens the iterator once.
    """

    def __init__(self, state: Any, rows: int) -> None:
        """Begin at a state of the global generator (`numpy.random.get_state()`), as it is when `fit` is called."""
        self.rows = rows  # how many, N
        self._random = np.random.RandomState()
        self._random.set_state(state)
        self._random.permutation(rows)
        self._states = [self._random.get_state()]  # [e] is the state before epoch e, 2.5 kB each
        self._lock = threading.Lock()

    def draw_epoch(self, index: int) -> Array:
        """[N] row indices of epoch `index`, counted from 0. May be called from several threads."""
        with self._lock:
            for epoch in range(min(index, len(self._states) - 1), index + 1):
                self._random.set_state(self._states[epoch])
                order = self._random.permutation(self.rows)
                if epoch + 1 == len(self._states):
                    self._states.append(self._random.get_state())
            return order.astype(np.int32)


def _training_argument(model: Any, *, training: bool) -> dict[str, bool]:
    """The argument `training`, as `fit` gives it: where the model's `call` takes it."""
    return {"training": training} if "training" in model.call_signature_parameters else {}


def _make_plan(signature: Signature, variant: OptimizerVariant) -> TrainingPlan:
    return TrainingPlan(
        thaw_arguments(signature.model),
        variant.optimizer,
        {**thaw_arguments(variant.constants), **dict.fromkeys(variant.per_lane, PLACEHOLDER)},
        batch_size=signature.batch_size,
        seed=signature.seed,
        loss_arguments=thaw_arguments(signature.loss),
    )


def build_own_model(
    spec: SweepSpec, arguments: Mapping[str, Value], seed: int, data: SearchData, **how: Any
) -> OwnModel | None:
    """The model of these arguments, built and taken apart as `make_own_model` says; None where it can't be built.

    Not to be called by two threads at once: it seeds the process's global generators.
    """
    if isinstance(data.train.x, dict | tuple):  # what is taken apart is a chain of layers, from one array on
        return None
    with without_tensorflow():
        keras.utils.set_random_seed(seed)
    order = np.random.get_state()
    try:
        model = build_model(spec, arguments, data)
    except BaseException as error:  # it is met again, and reported, where the trial's template is made
        if not is_user_error(error):
            raise
        return None
    # A model that draws from NumPy's generator while it is built moves the order of the rows.
    if any(not np.array_equal(a, b) for a, b in zip(order, np.random.get_state(), strict=True)):
        return None
    with without_tensorflow():
        return make_own_model(model, **how)


def _copy_values(variables: Any) -> Arrays:
    return tuple(np.array(variable.value) for variable in variables)
