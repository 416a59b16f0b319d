"""Train a model with Keras's `fit` or a HyperModel's `fit`, and collect the metrics, times and states of its epochs."""

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
from keras_sweep.process.backend import import_keras
from keras_sweep.process.user_code import load_python, preserve_process, select_accepted
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize
from keras_sweep.system.processes import limit_process
from keras_sweep.training.averaged_weights import copy_value, get_average_weights, make_swap_callback
from keras_sweep.training.build_trial import compile_model, keras_schedule
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lane import Scored, make_control_callbacks
from keras_sweep.training.losses import class_weights
from keras_sweep.training.outcome import find_scored_epoch, has_diverged, make_curve, read_numbers, trial_objective
from keras_sweep.training.row_values import CLOSE
from keras_sweep.training.workers.task import Task
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import CallbackTrial, training_plan
from keras_sweep.trial.result import Seconds, Suggestion, Weights

SET_LATER = "its weights were set after the last epoch"  # a result's reason if these weights are scored
After: TypeAlias = Callable[[dict[str, float]], bool]  # receives an epoch's metrics; returns whether to train on


class FitTraining:
    """A compiled model and the progress of its training."""

    tested_weights: Weights = ()  # validated in the last epoch; only kept if `can_set_weights`
    end_row: dict[str, float] | None = None  # replaces the last row if that does not score `end_weights`
    end_weights: Weights = ()  # after `fit` returned
    scored = Scored()
    has_stopped = False  # whether `after` has ended the training

    def __init__(
        self,
        spec: SweepSpec,
        suggestion: Suggestion,
        data: SearchData,  # without folds
        model: Any,  # compiled
        fit: partial[Any] | None,  # the HyperModel's `fit`, if it trains the model
        begins: TrainingState | None,  # the state to resume from
        started: float,  # `time.perf_counter()` at the start of the build
        emit: Listener,
        part: str = "",  # of the trial: a fold, or a refit, as `CallbackTrial.name` ends
    ) -> None:
        from keras import Model

        self.rows: list[dict[str, float]] = []  # the curve, a row per epoch
        self._testing_weights: Weights = ()  # validated in the current epoch
        self.model, self.plan = model, training_plan(spec, suggestion.params)
        self.data = data
        self._spec, self._suggestion, self._emit = spec, suggestion, emit
        self._trial = CallbackTrial.from_suggestion(suggestion, part)
        self._fit, self._started = fit, started
        if self.plan.schedule is not None:
            rows = len(data.train) if data.stream is None else data.stream.steps * self.plan.batch_size
            schedule = keras_schedule(float(self.model.optimizer.learning_rate), *self.plan.schedule.over(rows))
            self.model.optimizer.learning_rate = schedule
        self.first_rate = float(model.optimizer.learning_rate) if self.plan.training.is_watched and fit is None else 0.0
        has_user_fit = fit is not None or type(model).fit is not Model.fit
        self.can_set_weights = has_user_fit or bool(spec.training.callbacks)  # the user's code may set other weights
        self._state_to_restore: TrainingState | None = None
        self._known_state = begins
        self._is_fitting = False
        self._validate_seconds = 0.0
        self._epochs: list[tuple[float, float]] = []  # (training, validation) seconds per epoch
        self._test_started = self._epoch_ended = time.perf_counter()
        self._first_batch: float | None = None
        self._idle = 0.0  # seconds spent waiting for other trials

    def train(
        self,
        epoch: int,
        until: int,
        after: After,
        rate: Callable[[], float | None] = lambda: None,
        *,
        moves: bool = False,
    ) -> None:
        """Train the epochs after `epoch` up to `until`, or until `after(metrics)` is False. Raises errors of user code.

        `rate` returns the next learning rate, or None if no callback sets it. `moves`: keep the state to resume later.
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
        made = [function(**select_accepted(function, {"trial": self._trial})) for function in functions]
        callbacks = [make_swap_callback(), *made, self._make_callback()]
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
        rows, options = self.data.validation, {"batch_size": self.plan.batch_size, "verbose": 0, "return_dict": True}
        scores: Mapping[str, Any] = self.model.evaluate(rows.x, rows.labels, sample_weight=rows.weights, **options)
        return scores

    def end(self, *, is_scored_elsewhere: bool) -> None:
        """Store the weights that the model has after `fit`. The user's code may have set them after the last epoch.

        If these weights differ from the validated weights, evaluate the model again: the new metrics score the trial.
        With `is_scored_elsewhere`, another epoch or no epoch scores the trial, and the model is not evaluated.
        """
        self.end_weights = tuple(self.model.get_weights())
        if not is_scored_elsewhere and not all(map(np.array_equal, self.tested_weights, self.end_weights)):
            scores = {f"val_{name}": value for name, value in read_numbers(self.evaluate()).items()}
            self.end_row, self.scored = {**self.rows[-1], **scores}, Scored(SET_LATER, at_end=True)

    def state(self) -> TrainingState:
        """Return all that training needs to resume, even in another process."""
        if not self._is_fitting and self._known_state is not None:
            return self._known_state
        generators = json.dumps(generator_states()).encode()
        trainable, other, optimizer = (tuple(map(copy_value, variables)) for variables in self._variables())
        return TrainingState(trainable, other, optimizer, generators=(np.frombuffer(generators, np.uint8),))

    def scored_state(self) -> TrainingState:
        return TrainingState(self.tested_weights or get_average_weights(self.model))

    @property
    def seconds(self) -> Seconds:
        """Seconds of compiling, training and validation since the build began.

        Compiling lasts until the first batch. A shorter last batch and validation compile later. So the time by which
        the first epoch is longer than other epochs counts as compiling, too.
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
        # Not earlier: until now, `fit` has built the model and drawn an order of rows that is not used.
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
        if (rate := self._rate()) is not None and not has_diverged(row):  # without a rate, a schedule may control it
            self.model.optimizer.learning_rate = rate
        if self._moves and (self.has_stopped or epoch + 1 == self._until):
            self._known_state = self.state()
        if self.has_stopped:
            self.model.stop_training = True


class OwnFitTraining(FitTraining):
    """Training by a HyperModel's own `fit`, which may call `model.fit` several times.

    The curve has the epochs of all calls, in training order. Keras's own callbacks, instead of `Controls`, may stop a
    call early. Epochs after the trial was stopped do not count. Metrics that the HyperModel's `fit` returns score the
    trial. Without metrics, the best epoch scores the trial, as in KerasTuner.
    """

    def _call_fit(self, train: Any, callbacks: list[Any], batches: dict[str, Any], weights: Any, epoch: int) -> None:
        del epoch
        fit, data = self._fit, replace(self.data, train=train)
        assert fit is not None
        arguments: dict[str, Any] = {"epochs": self._until} | ({} if weights is None else {"class_weight": weights})
        if "batch_size" in self._suggestion.params or data.stream is not None:  # otherwise `fit` may choose its own
            arguments |= batches
        arguments["callbacks"] = [*make_control_callbacks(self.plan.training), *callbacks]
        hyper_parameters, built_names = fit.args[0], set(fit.args[0].values)
        with preserve_process():
            returned = call_fit(fit, data.train, data.validation, begun=lambda: self.rows, verbose=0, **arguments)
        new = [hp for hp in hyper_parameters.space if hp.name in hyper_parameters.values and hp.name not in built_names]
        if unknown := [hp.name for hp in new if type(hp).__name__ != "Fixed"]:
            raise ModelError(
                f"the model's `fit` asks for {itemize(unknown)} after training began, too late for the search",
                hint="Ask for it in `build`, or at the beginning of `fit`",
            )
        objective = self._spec.objective
        name = objective.name
        metrics, values = parse_fit_result(returned, objective), make_curve(self.rows).get(name, ())
        number = metrics.pop(DEFAULT_OBJECTIVE, None) if name not in metrics else None
        metrics |= {} if number is None else {name: number}
        best = values[find_scored_epoch(trial_objective(objective, self._suggestion), values) - 1] if values else None
        if not self.has_stopped and name in metrics and metrics[name] != best:
            is_score = metrics[name] in values[-1:] or self._is_evaluated(name, metrics[name])
            of_keras = name.startswith("val_") or name in ("loss", *self._spec.metrics)
            if number is not None and of_keras and not is_score:
                raise ModelError(
                    f"{RETURNED} the number {number:.6g}, which is not the {name} of the model on the validation rows",
                    hint=f"Rank by the number: use `metric: {{name: {DEFAULT_OBJECTIVE}, goal: minimize}}` without "
                    f"`metrics`. Or return a dict, {{'{name}': ...}}. Then run with `--fresh`",
                )
            self.end_row = {**dict(*self.rows[-1:]), **metrics}
            self.scored = Scored(None, is_score, at_end=True)

    def _is_evaluated(self, name: str, value: float) -> bool:
        """Return whether `evaluate` gives `value` for the metric `name` on the validation rows; False if it fails."""
        with suppress(Exception):  # the model may not be compiled
            return math.isclose(self.evaluate()[name.removeprefix("val_")], value, rel_tol=CLOSE)
        return False

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        del epoch  # each `model.fit` counts from 0 again
        if self.has_stopped:
            self.model.stop_training = True
            return
        if self._first_batch is None:  # a custom training loop reports no batches
            self._end_batch()
        super()._end_epoch(len(self.rows), logs)


def _measure_first_excess(seconds: Sequence[float]) -> float:
    """Return by how much the first value exceeds the mean of the later values; at least 0."""
    first, *later = seconds or (0.0,)
    return max(first - sum(later) / len(later), 0.0) if later else 0.0


def generator_states() -> dict[str, Any]:
    """Return generator name -> JSON state, of the global generators of Python, NumPy and, if imported, PyTorch."""
    numpy: Any = np.random.get_state(legacy=True)
    states: dict[str, Any] = {"python": random.getstate(), "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]]}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes().hex()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    if "torch" in states:
        import torch

        torch.set_rng_state(torch.frombuffer(bytearray.fromhex(states["torch"]), dtype=torch.uint8))


def time_step(task: Task, trial: Suggestion, limit: float) -> float:
    """Return the CPU seconds of a step of `fit`: 50 after ten that compile. The process ends after `limit` seconds."""
    limit_process(limit)
    keras, plan, ended = import_keras(), training_plan(task.spec, trial.params), list[float]()
    rows = task.data.train.take(np.resize(np.arange(len(task.data.train)), 60 * plan.batch_size))
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: ended.append(time.process_time()))
    model = compile_model(task.spec, plan, task.data)
    model.fit(rows.x, rows.labels, plan.batch_size, verbose=0, sample_weight=rows.weights, callbacks=[clock])
    return (ended[-1] - ended[9]) / 50
