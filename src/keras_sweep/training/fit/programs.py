"""Build and hold the models that `fit` trains: the current trial's model, or a model per fold."""

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.arrays import Arrays
from keras_sweep.data.search_data import SearchData
from keras_sweep.process.backend import clear_session, collect_only_new_garbage
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import build_trained_model, call_model, compile_trial, fits_itself, has_masks
from keras_sweep.training.checkpoint import TrainingState, join_states, split_state
from keras_sweep.training.fit.function import FunctionTraining
from keras_sweep.training.fit.training import FitTraining, OwnFitTraining
from keras_sweep.training.folds import compute_validation_outputs
from keras_sweep.training.lane import Lane
from keras_sweep.training.row_values import find_pooled_metrics
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Seconds, Suggestion, Weights


@dataclass(eq=False)
class LiveTrial:
    """A trial whose models are in memory."""

    suggestion: Suggestion
    epoch: int  # the models' state is after this epoch
    before: Seconds  # spent on the trial before these models were built
    begins: Sequence[TrainingState | None]  # each fold's state to resume from
    moves: bool = False  # whether the trial can resume with these models
    parts: list[FitTraining] = field(default_factory=list)  # the models built until now, a model per fold

    @property
    def has_trained(self) -> bool:
        """Whether each fold's model has trained since the build. If so, `begins`, the state before, is outdated."""
        return len(self.parts) == len(self.begins) and all(part.rows for part in self.parts)

    def state(self) -> TrainingState:
        return join_states([part.state() for part in self.parts])

    @property
    def seconds(self) -> Seconds:
        return sum((part.seconds for part in self.parts), self.before)


class FitPrograms:
    """Builds models, and keeps the last trial's models in memory while the trial may resume."""

    phase = None  # each trial reports its own phase

    def __init__(self, spec: SweepSpec, data: SearchData, *, is_worker: bool = True) -> None:
        import keras

        fits = fits_itself(spec)  # KerasTuner scores these trials by their best epoch
        self.spec = replace(spec, objective=replace(spec.objective, take_best=True, epochs_from=0)) if fits else spec
        self.data = data
        self.is_worker = is_worker
        self.files: Path | None = None  # the folder for files of an objective function; None: they are not kept
        is_pooled = any(fold.kind == "fold" for fold in data.folds)
        self.pooled_metrics = find_pooled_metrics(spec) if is_pooled else ()  # computed over all folds' outputs
        self.compiled = 0  # trials compiled until now
        self.emit: Listener = lambda _: None
        # The state of TensorFlow's shuffle can't be set, nor the state of a user's dataset, callback or `fit`.
        stays = keras.backend.backend() == "tensorflow" or data.stream is not None or fits or spec.training.callbacks
        self.moves = not (stays or spec.function)
        self._live: LiveTrial | None = None

    def find_live(self, lane: Lane, epoch: int) -> LiveTrial | None:
        """Return the lane's trial if its models are in memory, in the state after `epoch`; otherwise None."""
        live = self._live
        return live if live is not None and (live.suggestion, live.epoch) == (lane.suggestion, epoch) else None

    @contextmanager
    def open_trial(self, lane: Lane, epoch: int, begins: TrainingState | None) -> Iterator[LiveTrial]:
        """Yield the lane's trial, in state `begins` after `epoch`. Other threads wait: random generators are global."""
        with _trial_lock:
            live = self.find_live(lane, epoch) if epoch else None
            if live is None and self._live is not None and self.is_worker:
                self._live = None
                gc.collect()  # before the remaining objects are frozen
            with nullcontext() if live is not None or not self.is_worker else collect_only_new_garbage():
                if live is None:
                    self._live = None
                    clear_session(free_memory=True)  # otherwise every trial's graph stays in memory
                    count = max(len(self.data.folds), 1)
                    states = [None] * count if begins is None else split_state(begins, count)
                    live = self._live = LiveTrial(lane.suggestion, epoch, lane.seconds, states)
                    self.compiled += 1
                yield live
                if self.is_worker and not (live.moves and lane.training):
                    self._live = None

    def get_part(self, live: LiveTrial, fold: int) -> FitTraining:
        """Return the training of fold number `fold` (0 without folds). The first call builds the model."""
        if fold == len(live.parts):
            started = time.perf_counter()
            self.emit(PhaseBegan("train" if self.spec.function else "build"))
            if self.spec.function:
                live.parts.append(FunctionTraining(self.spec, live.suggestion, self.files, started))
                return live.parts[fold]
            data = self.data.fold(fold)
            model, fit = compile_trial(self.spec, training_plan(self.spec, live.suggestion.params), data)
            kind = FitTraining if fit is None else OwnFitTraining
            begins, is_refit = live.begins[fold], data.train is data.validation
            name = f"-{self.data.folds[fold].kind}-{fold + 1}" if self.data.folds else "-all-rows" if is_refit else ""
            live.parts.append(kind(self.spec, live.suggestion, data, model, fit, begins, started, self.emit, name))
        return live.parts[fold]

    def forget(self) -> None:
        self._live = None

    def weights(self, lane: Lane, state: TrainingState) -> Weights:
        del lane
        return state.trainable

    def model(self, lane: Lane, state: TrainingState) -> tuple[Any, Arrays]:
        """Return (Keras model in this state, validation inputs). With folds, both are the first fold's."""
        with _trial_lock:
            live = self._live
            if live is None or live.suggestion != lane.suggestion or self.data.folds:
                rows, first = self.data.fold(0), split_state(state, max(len(self.data.folds), 1))[0]
                return build_trained_model(self.spec, lane.suggestion.params, first.trainable, rows), rows.validation.x
            live.parts[0].model.set_weights(list(state.trainable))
            return live.parts[0].model, self.data.validation.x

    def get_architecture(self, lane: Lane, state: TrainingState) -> Any:
        """Return a Keras model with the layers of the lane's model. Its weights may be of another epoch."""
        live = self._live
        is_live = live is not None and live.suggestion == lane.suggestion and live.parts
        return live.parts[0].model if live is not None and is_live else self.model(lane, state)[0]

    def has_masks(self, lane: Lane, state: TrainingState) -> bool:
        """Return whether an output of the lane's model has a mask."""
        with _trial_lock:
            return has_masks(self.get_architecture(lane, state), self.data.fold(0).validation.x)

    def predict(self, lane: Lane, state: TrainingState) -> Arrays:
        """Return the outputs [N, ...] on the validation rows; with folds, the out-of-fold outputs."""
        with _trial_lock:
            if self.data.folds:
                params = lane.suggestion.params
                return compute_validation_outputs(self.spec, params, state.trainable, self.data, call_model)
            return call_model(*self.model(lane, state))


_trial_lock = threading.RLock()  # held by the thread that trains or builds a model, which seeds random generators
