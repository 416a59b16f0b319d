"""One model that a `fit` trains on one set of rows, Keras's own or a HyperModel's, and what it tells of its epochs."""

import json
import math
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.hyper_model import DEFAULT_OBJECTIVE, RETURNED, call_fit, parse_fit_result
from keras_sweep.models.own_compile import can_validate
from keras_sweep.process.user_code import load_python, preserve_process
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.training.averaged_weights import copy_value, get_average_weights, make_swap_callback
from keras_sweep.training.build_trial import keras_schedule
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Scored, make_control_callbacks
from keras_sweep.training.losses import class_weights
from keras_sweep.training.outcome import find_scored_epoch, has_diverged, make_curve, read_numbers, trial_objective
from keras_sweep.training.row_values import CLOSE
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Seconds, Suggestion, Weights

SET_LATER = "its weights were set after the last epoch"  # the reason of a trial that is scored by these weights
After: TypeAlias = Callable[[dict[str, float]], bool]  # is told what an epoch brought; whether training goes on


class FitTraining:
    """A model, compiled, and where its training stands."""

    def __init__(
        self,
        spec: SweepSpec,
        suggestion: Suggestion,
        data: SearchData,  # no folds
        model: Any,  # compiled
        fit: partial[Any] | None,  # that of its HyperModel, if that trains it
        begins: TrainingState | None,  # where training goes on
        started: float,  # when the model began to be built
        emit: Listener,
    ) -> None:
        from keras import Model

        self.rows: list[dict[str, float]] = []  # the curve of these rows, an epoch a row
        self.tested_weights: Weights = ()  # what the last epoch was validated with, where other weights may be set later
        self._testing_weights: Weights = ()  # what is validated now
        self.end_row: dict[str, float] | None = None  # scores the weights that `fit` left, in place of the last row
        self.end_weights: Weights = ()  # what `fit` left
        self.scored = Scored()
        self.has_stopped = False  # whether `after` said that training does not go on
        self.model, self.plan = model, training_plan(spec, suggestion.params)
        self.data = data
        self._spec, self._suggestion, self._emit = spec, suggestion, emit
        self._fit, self._started = fit, started
        if self.plan.schedule is not None:
            rows = data.trained_rows(self.plan.batch_size)
            schedule = keras_schedule(float(self.model.optimizer.learning_rate), *self.plan.schedule.over(rows))
            self.model.optimizer.learning_rate = schedule
        self.first_rate = float(model.optimizer.learning_rate) if self.plan.training.watches and fit is None else 0.0
        has_user_fit = fit is not None or type(model).fit is not Model.fit
        self.can_set_weights = has_user_fit or bool(spec.training.callbacks)  # code of the user's may set other weights
        self._state_to_restore: TrainingState | None = None
        self._known_state = begins
        self._is_fitting = False
        self._validate_seconds = 0.0
        self._epochs: list[tuple[float, float]] = []  # seconds of training and of validation
        self._test_started = self._epoch_ended = time.perf_counter()
        self._first_batch: float | None = None
        self._idle = 0.0  # seconds that it waited for others

    def train(
        self,
        epoch: int,
        until: int,
        after: After,
        rate: Callable[[], float | None] = lambda: None,
        *,
        moves: bool = False,
    ) -> None:
        """Train from one epoch to another by `fit`, or as long as `after` says; raises anything.

        `rate` is the learning rate, where something lets it fall; `moves` says whether the state is wanted in which it
        ends.
        """
        self._state_to_restore, self._known_state = self._known_state or (self.state() if self.rows else None), None
        self._until, self._after, self._rate, self._moves = until, after, rate, moves
        if self._epochs:
            self._idle += time.perf_counter() - self._epoch_ended
            self._epoch_ended = time.perf_counter()
        spec, plan, data = self._spec, self.plan, self.data
        train, batches = data.for_fit(plan.batch_size)
        if not self._epochs:
            self._emit(PhaseBegan("compile", 0, 1))
        weights = class_weights(plan.training.class_weight, data)
        functions: list[Any] = [load_python(callback.python, spec.folder) for callback in spec.training.callbacks]
        callbacks = [make_swap_callback(), *(function() for function in functions), self._make_callback()]
        self._is_fitting = True
        try:
            self._call_fit(train, callbacks, batches, weights, epoch)
        finally:
            self._is_fitting = False

    def _call_fit(self, train: Any, callbacks: list[Any], batches: dict[str, Any], weights: Any, epoch: int) -> None:
        validation = self.data.validation
        self.model.fit(
            train.x,
            train.labels,
            epochs=self._until,
            initial_epoch=epoch,
            **batches,
            verbose=0,
            sample_weight=train.weights,
            validation_data=validation.validation_data if can_validate(self.model) else None,
            validation_batch_size=self.plan.batch_size,
            class_weight=weights,
            callbacks=callbacks,
        )

    def evaluate(self) -> Mapping[str, Any]:
        """Score the model, as it is, on the validation rows."""
        rows, options = self.data.validation, {"batch_size": self.plan.batch_size, "verbose": 0, "return_dict": True}
        scores: Mapping[str, Any] = self.model.evaluate(rows.x, rows.labels, sample_weight=rows.weights, **options)
        return scores

    def end(self, *, is_scored_elsewhere: bool) -> None:
        """Take the weights that `fit` left. A trial that is scored by its last epoch is scored by these weights.

        If they are not the weights that the epoch was validated with, the model is scored on the same rows. `chosen`
        says that the trial is scored by another epoch, or not at all.
        """
        self.end_weights = tuple(self.model.get_weights())
        if not is_scored_elsewhere and not all(map(np.array_equal, self.tested_weights, self.end_weights)):
            scores = {f"val_{name}": value for name, value in read_numbers(self.evaluate()).items()}
            self.end_row, self.scored = {**self.rows[-1], **scores}, Scored(SET_LATER, at_end=True)

    def state(self) -> TrainingState:
        """Where training stands: what it needs to go on, in another process, too."""
        if not self._is_fitting and self._known_state is not None:
            return self._known_state
        generators = json.dumps(generator_states()).encode()
        trainable, other, optimizer = (tuple(map(copy_value, variables)) for variables in self._variables())
        return TrainingState(trainable, other, optimizer, generators=(np.frombuffer(generators, np.uint8),))

    def scored_state(self) -> TrainingState:
        return TrainingState(self.tested_weights or get_average_weights(self.model))

    @property
    def seconds(self) -> Seconds:
        """By part since the model began to be built.

        Compiling lasts until the first batch; then a shorter last batch is compiled, and validation: that is what the
        first epoch takes more than those after it.
        """
        now = (time.perf_counter() if self._is_fitting or not self._epochs else self._epoch_ended) - self._idle
        compiling = (self._first_batch or now) - self._started
        training = max(now - self._started - compiling - self._validate_seconds, 0.0)
        late, late_validation = (_measure_first_excess([epoch[index] for epoch in self._epochs]) for index in (0, 1))
        return Seconds(
            compile=compiling + late + late_validation,
            train=max(training - late, 0.0),
            validate=self._validate_seconds - late_validation,
        )

    def _variables(self) -> tuple[Any, Any, Any]:
        model = self.model
        return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables

    def _make_callback(self) -> Any:
        """What `fit` is to call: a Keras callback."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=lambda *_, **__: self._restore_state(),
            on_train_batch_end=lambda *_, **__: self._end_batch(),
            on_test_begin=lambda *_, **__: self._begin_test(),
            on_test_end=lambda *_, **__: self._end_test(),
            on_epoch_end=self._end_epoch,
        )

    def _restore_state(self) -> None:
        if self._state_to_restore is None:
            return
        state, self._state_to_restore = self._state_to_restore, None
        # Now that `fit` has built the model and drawn the order that it throws away.
        for variables, arrays in zip(self._variables(), state[:3], strict=True):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
        if (rate := self._rate()) is not None:
            self.model.optimizer.learning_rate = rate
        set_generator_states(json.loads(state.generators[0].tobytes()))

    def _end_batch(self) -> None:
        if self._first_batch is None:
            self._first_batch = time.perf_counter()
            self._emit(PhaseBegan("train", 1, 1))

    def _begin_test(self) -> None:
        self._test_started = time.perf_counter()
        if self.can_set_weights:
            self._testing_weights = tuple(self.model.get_weights())

    def _end_test(self) -> None:
        self._validate_seconds += time.perf_counter() - self._test_started

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        now, validating = time.perf_counter(), self._validate_seconds - sum(seconds for _, seconds in self._epochs)
        began = self._epoch_ended if self._epochs else self._first_batch or now
        self._epochs.append((now - began - validating, validating))
        self._epoch_ended = now
        self.tested_weights, self._testing_weights = self._testing_weights, ()
        row = read_numbers(logs or {})
        self.rows.append(row)
        self.has_stopped = not self._after(row)
        if (rate := self._rate()) is not None and not has_diverged(row):  # else it may be a schedule
            self.model.optimizer.learning_rate = rate
        if self._moves and (self.has_stopped or epoch + 1 == self._until):
            self._known_state = self.state()
        if self.has_stopped:
            self.model.stop_training = True


class OwnFitTraining(FitTraining):
    """One curve of all epochs, in the order in which they were trained, whatever numbers they have.

    Each phase, a `model.fit` with the callbacks, stops early by Keras's own: no `Controls` watch all of them. What
    trains on although it was stopped counts no more.
    """

    def _call_fit(self, train: Any, callbacks: list[Any], batches: dict[str, Any], weights: Any, epoch: int) -> None:
        """Have `fit` train the model. The metrics that it returns count, of which the objective may be that of its best
        epoch; without them its best epoch does, as with KerasTuner. Raises anything, and ModelError where it returns a
        number that is not the metric that ranks."""
        del epoch
        fit, data = self._fit, replace(self.data, train=train)
        assert fit is not None
        arguments: dict[str, Any] = {"epochs": self._until} | ({} if weights is None else {"class_weight": weights})
        if "batch_size" in self._suggestion.params or data.stream is not None:  # else it may say so itself
            arguments |= batches
        arguments["callbacks"] = [*make_control_callbacks(self.plan.training), *callbacks]
        hyper_parameters, built_names = fit.args[0], set(fit.args[0].values)
        with preserve_process():
            returned = call_fit(fit, data.train, data.validation, begun=lambda: self.rows, verbose=0, **arguments)
        new_parameters = [
            parameter
            for parameter in hyper_parameters.space
            if parameter.name in hyper_parameters.values and parameter.name not in built_names
        ]
        if unknown := [parameter.name for parameter in new_parameters if type(parameter).__name__ != "Fixed"]:
            raise ModelError(
                f"the model's `fit` asked for {itemize(unknown)} only once it trained, which no trial was to search",
                hint="Ask for it in `build`, or where `fit` begins",
            )
        objective = self._spec.objective
        name = objective.name
        metrics, values = parse_fit_result(returned, objective), make_curve(self.rows).get(name, ())
        number = metrics.pop(DEFAULT_OBJECTIVE, None) if name not in metrics else None
        metrics |= {} if number is None else {name: number}
        best_value = (
            values[find_scored_epoch(trial_objective(objective, self._suggestion), values) - 1] if values else None
        )
        if not self.has_stopped and name in metrics and metrics[name] != best_value:
            is_score = metrics[name] in values[-1:] or self._is_evaluated(name, metrics[name])
            of_keras = name.startswith("val_") or name in ("loss", *self._spec.metrics)
            if number is not None and of_keras and not is_score:
                raise ModelError(
                    f"{RETURNED} the number {number:.6g}, which is not the {name} of its model on the validation rows",
                    hint=f"Rank by the number, `metric: {{name: {DEFAULT_OBJECTIVE}, goal: minimize}}` without "
                    f"`metrics`, or return a dict, {{'{name}': ...}}; then run with --fresh",
                )
            self.end_row = {**dict(*self.rows[-1:]), **metrics}
            self.scored = Scored(None, is_score, at_end=True)

    def _is_evaluated(self, name: str, value: float) -> bool:
        """Whether the model scores that on the validation rows, as far as Keras can say."""
        with suppress(Exception):  # a model that nothing compiled
            return math.isclose(self.evaluate()[name.removeprefix("val_")], value, rel_tol=CLOSE)
        return False

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        del epoch  # phases count anew
        if self.has_stopped:
            self.model.stop_training = True
            return
        if self._first_batch is None:  # a loop of the user's tells of no batches
            self._end_batch()
        super()._end_epoch(len(self.rows), logs)


def _measure_first_excess(seconds: Sequence[float]) -> float:
    """How much longer the first took than those after it on average; 0 where it is alone."""
    first, *later = seconds or (0.0,)
    return max(first - sum(later) / len(later), 0.0) if later else 0.0


def generator_states() -> dict[str, Any]:
    """Where Python's, NumPy's and (if it is imported) PyTorch's global generators stand."""
    numpy: Any = np.random.get_state(legacy=True)
    states: dict[str, Any] = {"python": random.getstate(), "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]]}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes().hex()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    """Put the generators where `generator_states` found them."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    if "torch" in states:
        import torch

        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(states["torch"]), dtype=torch.uint8))
