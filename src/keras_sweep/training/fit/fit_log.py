"""What `fit` tells of a trial while it trains, the curve and the time; where it is stopped, and goes on."""

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import array_of, scored_weights
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.controls import Controls
from keras_sweep.training.outcome import curve_of, diverged, read_numbers, scored_epoch, trial_objective
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import EpochEnded, PhaseBegan, TrialResumed
from keras_sweep.trial.plan import TrainingPlan
from keras_sweep.trial.result import Curve, Seconds, Suggestion, Weights

SET_LATER = "its weights were set after the last epoch"  # the reason of a trial that is scored by these weights
Evaluate = Callable[[], Mapping[str, Any]]  # scores a model on the validation rows, as `keras.Model.evaluate`


@dataclass(eq=False)
class FitLog:
    """What `fit` tells as it trains a trial: curve, time, best weights, and why it stopped."""

    spec: SweepSpec
    suggestion: Suggestion
    plan: TrainingPlan
    model: Any  # what trains, compiled
    watch: Watch
    started: float  # `time.perf_counter()` when the trial began, before its model was built
    checkpoint: LatestCheckpoint | None  # where it stood, if it was stopped before, and where it is kept
    every: bool = False  # keep the weights of every epoch, in place of the scored epoch's
    may_be_set: bool = False  # code of the user's runs beside the training, which may set other weights
    rows: list[dict[str, float]] = field(default_factory=list)  # the curve, an epoch a row
    weights: dict[int, Weights] = field(default_factory=dict)  # after an epoch, where they may not be those at the end
    left: Weights = ()  # what `fit` left
    pruned_at: int | None = None
    diverged: bool = False
    stopped_early: bool = False
    interrupted: bool = False
    end_row: dict[str, float] | None = None  # scores the weights that `fit` left, in place of what the curve says
    reason: str | None = None  # why there is an `end_row`
    is_validation_score: bool = True  # the value is what its model scores on the validation rows

    def __post_init__(self) -> None:
        self._rungs = self.watch.judge.rungs(self.plan.epochs)
        self._controls: Controls | None = None
        self._first_rate = 0.0
        self._before = Seconds(sampler=self.suggestion.sampler_seconds)  # until the checkpoint
        self._begins: tuple[TrainingState, dict[str, Any]] | None = None  # where the checkpoint stands
        self._validate_seconds = 0.0
        self._tested: Weights = ()  # what is validated now, where other weights may be set later
        self._epochs: list[tuple[float, float]] = []  # seconds of training and of validation, since it began or went on
        self._test_started = self._epoch_ended = time.perf_counter()
        self._first_batch: float | None = None
        kept = self.checkpoint.read([self.suggestion]) if self.checkpoint else None
        if kept is not None:
            facts, (state, *others) = kept
            assert state is not None
            self.rows = facts["rows"][str(self.suggestion.number)]
            self._before = replace(Seconds(**facts["seconds"]), sampler=self._before.sampler)
            self._begins = (state, facts["generators"])
            weights = [other.trainable for other in others if other is not None]
            if any(weights):
                self.weights = dict(enumerate(weights, start=1 if self.every else self.scored_epoch(len(self.rows))))

    def callback(self) -> Any:
        """What `fit` is to call: a Keras callback."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_train_begin=lambda *_, **__: self._go_on(),
            on_train_batch_end=lambda *_, **__: self._end_batch(),
            on_test_begin=lambda *_, **__: self._begin_test(),
            on_test_end=lambda *_, **__: self._end_test(),
            on_epoch_end=self._end_epoch,
        )

    @property
    def scored_rows(self) -> list[dict[str, float]]:
        """The rows, with the `end_row` as the last."""
        return self.rows if self.end_row is None else [*self.rows[:-1], self.end_row]

    @property
    def curve(self) -> Curve:
        return curve_of(self.scored_rows)

    def scored_epoch(self, epochs: int) -> int:
        """The epoch by which the trial is scored where it ends after so many."""
        controls = Controls.of(self.plan.training, self._first_rate, self.rows[:epochs])
        values = curve_of(self.rows[:epochs])[self.spec.objective.name]
        restored = None if controls is None else controls.restored
        return scored_epoch(trial_objective(self.spec.objective, self.suggestion), values, restored)

    def end(self, evaluate: Evaluate) -> None:
        """Take the weights that `fit` left. A trial that is scored by its last epoch is scored by these weights.

        If they are not the weights that the epoch was validated with, `evaluate` scores the model on the same rows.
        """
        self.left = tuple(self.model.get_weights())
        validated = self.weights.get(len(self.rows), ()) if self.may_be_set else ()
        chosen = trial_objective(self.spec.objective, self.suggestion).take_best or self._restored is not None
        if chosen or self.interrupted or self.diverged or self.pruned_at is not None:
            return
        if not all(map(np.array_equal, validated, self.left)):
            scores = {f"val_{name}": value for name, value in read_numbers(evaluate()).items()}
            self.end_row, self.reason = {**self.rows[-1], **scores}, SET_LATER
            self.diverged = diverged(list(scores.values()))

    def ended(self, epochs: int, *, pruned: bool = False) -> tuple[Curve, int, Weights]:
        """The curve of the trial had it ended after so many epochs, the epoch that is scored, and its weights."""
        if self.end_row is not None and epochs == len(self.rows) and not pruned:
            return self.curve, max(epochs, 1), self.left
        epoch = self.scored_epoch(epochs)
        return curve_of(self.rows[:epochs]), epoch, self.weights.get(epoch, self.left)

    @property
    def seconds(self) -> Seconds:
        """The trial's time until now."""
        return self._before + Seconds(**self.spent)

    @property
    def spent(self) -> dict[str, float]:
        """Seconds by part since the trial began, or went on.

        Compiling lasts until the first batch; then a shorter last batch is compiled, and validation: that is what the
        first epoch takes more than those after it.
        """
        now = time.perf_counter()
        compiling = (self._first_batch or now) - self.started
        training = max(now - self.started - compiling - self._validate_seconds, 0.0)
        late, late_validation = (_first_beyond([one[part] for one in self._epochs]) for part in (0, 1))
        return {
            "compile": compiling + late + late_validation,
            "train": max(training - late, 0.0),
            "validate": self._validate_seconds - late_validation,
        }

    @property
    def _restored(self) -> int | None:
        return None if self._controls is None else self._controls.restored

    @property
    def stopped(self) -> bool:
        """Whether it trains no further."""
        return self.diverged or self.pruned_at is not None or self.stopped_early

    def _go_on(self) -> None:
        if self.plan.training.watches:
            self._first_rate = float(self.model.optimizer.learning_rate)
            self._controls = Controls.of(self.plan.training, self._first_rate, self.rows)
        if self._begins is None:
            return
        state, generators = self._begins  # now that `fit` has built the model and drawn the order that it throws away
        for variables, arrays in zip(_variables(self.model), state[:3], strict=True):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)
        set_generator_states(generators)
        for done, row in enumerate(self.rows, start=1):  # the engine has forgotten them
            if done in self._rungs and self.spec.objective.name in row:
                self.watch.judge.rung(done, {self.suggestion.number: row[self.spec.objective.name]})
        self.watch.emit(TrialResumed(self.suggestion.number, self.curve))

    def _end_batch(self) -> None:
        if self._first_batch is None:
            self._first_batch = time.perf_counter()
            self.watch.emit(PhaseBegan("train", 1, 1))

    def _begin_test(self) -> None:
        self._test_started = time.perf_counter()
        if self.may_be_set:
            self._tested = tuple(self.model.get_weights())

    def _end_test(self) -> None:
        self._validate_seconds += time.perf_counter() - self._test_started

    def _end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        now, validating = time.perf_counter(), self._validate_seconds - sum(seconds for _, seconds in self._epochs)
        began = self._epoch_ended if self._epochs else self._first_batch or now
        self._epochs.append((now - began - validating, validating))
        self._epoch_ended = now
        row = read_numbers(logs or {})
        if self._controls is not None and not diverged(list(row.values())):
            row = self._controls.after(row)
            self.stopped_early = self._controls.stops
            if self.plan.training.reduce_lr_on_plateau is not None:  # else it may be a schedule
                self.model.optimizer.learning_rate = self._controls.learning_rate
        self.rows.append(row)
        done = epoch + 1
        tested, self._tested = self._tested, ()
        self.watch.emit(EpochEnded(self.suggestion.number, done, row))
        objective = trial_objective(self.spec.objective, self.suggestion)
        value = row.get(objective.name)
        if diverged(list(row.values())):
            self.diverged = True
        elif value is not None:
            kept = bool(tested) or self.every or objective.take_best or self._restored is not None
            scored = self.every or scored_epoch(objective, self.curve[objective.name], self._restored) == done
            if kept and scored:
                before = self.weights if self.every else {}
                self.weights = {**before, done: tested or scored_weights(self.model)}
            stops_there = done in self._rungs and self.watch.judge.rung(done, {self.suggestion.number: value})
            if stops_there and not self.stopped_early:
                self.pruned_at = done
        ended = self.stopped or done == self.plan.epochs
        self.interrupted = not ended and self.watch.stopping()
        if self.checkpoint is not None and not ended and (self.interrupted or self.checkpoint.is_due()):
            self._write(self.checkpoint)
        if self.stopped or self.interrupted:
            self.model.stop_training = True

    def _write(self, checkpoint: LatestCheckpoint) -> None:
        rows, generators = {self.suggestion.number: self.rows}, generator_states()
        facts = {"rows": rows, "seconds": asdict(self.seconds), "generators": generators}
        state = TrainingState(*(tuple(map(array_of, variables)) for variables in _variables(self.model)))
        kept = [TrainingState(weights, (), ()) for weights in self.weights.values()]
        checkpoint.write([self.suggestion], facts, [state, *kept])


def _first_beyond(seconds: Sequence[float]) -> float:
    """How much longer the first took than those after it on average; 0 where it is alone."""
    first, *later = seconds or (0.0,)
    return max(first - sum(later) / len(later), 0.0) if later else 0.0


def _variables(model: Any) -> tuple[Any, Any, Any]:
    return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables


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
