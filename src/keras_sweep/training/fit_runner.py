"""The plain runner: one trial after another by `model.fit`, on any Keras backend."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.compile import compiled_model
from keras_sweep.training.outcome import best_epoch, diverged, failed, scored
from keras_sweep.training.plan import TrainingPlan, training_plan
from keras_sweep.training.runner import Watch
from keras_sweep.trial import Result, Seconds, Suggestion, Weights


class FitRunner:
    """Trains every trial as the lesson does: seed, build, compile, `fit` with validation after each epoch.

    A suggestion that continues another is trained from its first epoch, which gives the same numbers.
    """

    generation = 1  # nothing is gained by knowing more than the next trial

    def __init__(self, spec: SweepSpec, data: SearchData) -> None:
        import keras

        self.name = f"fit/{keras.backend.backend()}"
        self._spec = spec
        self._data = data

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Iterator[Result]:
        """Yield the wanted trials' results in order."""
        for suggestion in trials:
            if suggestion.number not in wanted:
                continue
            result = self._train(suggestion, watch)
            if result is None:
                return
            yield result

    def _train(self, suggestion: Suggestion, watch: Watch) -> Result | None:
        """The result, or None if the user asked to stop."""
        import keras

        keras.backend.clear_session()  # else every trial's graph stays in memory
        started = time.perf_counter()
        logbook: Any = None
        try:
            plan = training_plan(self._spec, suggestion.params)
            model = compiled_model(self._spec, plan, self._data)
            logbook = _logbook(self._spec, suggestion, plan, watch)
            train, validation = self._data.train, self._data.validation
            model.fit(
                train.x,
                train.y,
                epochs=plan.epochs,
                batch_size=plan.batch_size,
                verbose=0,
                validation_data=(validation.x, validation.y),
                validation_batch_size=plan.batch_size,
                callbacks=[logbook],
            )
        except Exception as error:  # a user's model, or an optimizer, may raise anything
            curve = logbook.curve() if logbook else {}
            return failed(suggestion, f"{type(error).__name__}: {error}", runner=self.name, curve=curve, error=error)
        if logbook.interrupted:
            return None
        curve = logbook.curve()
        seconds = logbook.seconds(suggestion, time.perf_counter() - started)
        if logbook.diverged:
            return failed(suggestion, "diverged", runner=self.name, curve=curve, seconds=seconds)
        if self._spec.objective.name not in curve:
            reason = f"the metric {self._spec.objective.name!r} was not logged, only {sorted(curve)}"
            return failed(suggestion, reason, runner=self.name, curve=curve, seconds=seconds)
        weights = logbook.best_weights if self._spec.take_best else tuple(model.get_weights())

        def predict() -> Any:
            model.set_weights(list(weights))
            return model.predict(validation.x, batch_size=1024, verbose=0)

        return scored(
            self._spec,
            suggestion,
            curve=curve,
            weights=weights,
            seconds=seconds,
            runner=self.name,
            y=validation.y,
            predict=predict,
            pruned_at=logbook.pruned_at,
        )


def _logbook(spec: SweepSpec, suggestion: Suggestion, plan: TrainingPlan, watch: Watch) -> Any:
    """A Keras callback that keeps the curve and the time, and stops training."""
    import keras

    class Logbook(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rows: list[dict[str, float]] = []
            self.best_weights: Weights = ()
            self.pruned_at: int | None = None
            self.diverged = False
            self.interrupted = False
            self.validate_seconds = 0.0
            self.first_batch = time.perf_counter()
            self.started = self.first_batch
            self.test_started = self.first_batch

        def curve(self) -> dict[str, tuple[float, ...]]:
            names = self.rows[0] if self.rows else ()
            return {name: tuple(row[name] for row in self.rows) for name in names}

        def seconds(self, suggestion: Suggestion, total: float) -> Seconds:
            compile_seconds = self.first_batch - self.started
            return Seconds(
                sampler=suggestion.sampler_seconds,
                compile=compile_seconds,
                train=max(total - compile_seconds - self.validate_seconds, 0.0),
                validate=self.validate_seconds,
            )

        def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
            if not self.rows and batch == 0:
                self.first_batch = time.perf_counter()

        def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
            self.test_started = time.perf_counter()

        def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
            self.validate_seconds += time.perf_counter() - self.test_started

        def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
            scalars = {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}
            row = {name: float(value) for name, value in scalars.items()}  # a metric of a vector has no curve
            self.rows.append(row)
            done = epoch + 1
            watch.epoch(suggestion.number, done, row)
            value = row.get(spec.objective.name)
            if diverged(list(row.values())):
                self.diverged = True
            elif watch.stopping():
                self.interrupted = True
            elif value is not None:
                values = self.curve()[spec.objective.name]
                if spec.take_best and best_epoch(spec.objective, values) == done:
                    self.best_weights = tuple(self.model.get_weights())
                if done in watch.rungs(plan.epochs) and watch.rung(done, {suggestion.number: value}):
                    self.pruned_at = done
            if self.diverged or self.interrupted or self.pruned_at:
                self.model.stop_training = True

    return Logbook()
