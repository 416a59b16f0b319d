"""What trains the trials of one space by `fit`: the models of the trial that trains now, one a fold."""

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from keras_sweep.data.arrays import Arrays
from keras_sweep.data.search_data import SearchData
from keras_sweep.process.backend import clear_session, only_new_garbage
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import call_model, compile_trial, fits_itself
from keras_sweep.training.checkpoint import TrainingState, join_states, split_state
from keras_sweep.training.fit.training import FitTraining, OwnFitTraining
from keras_sweep.training.folds import fold_outputs, model_of
from keras_sweep.training.lane import Lane
from keras_sweep.training.row_values import metrics_of_all_rows
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Seconds, Suggestion, Weights


@dataclass(eq=False)
class LiveTrial:
    """A trial whose models are there."""

    suggestion: Suggestion
    epoch: int  # after which they stand
    before: Seconds  # that it had trained before they were built
    begins: Sequence[TrainingState | None]  # where they begin, of each fold
    moves: bool = False  # whether it may go on with these models later
    parts: list[FitTraining] = field(default_factory=list)  # of each fold, as far as they are built

    @property
    def has_trained(self) -> bool:
        """Whether its models stand after the epoch, and do not begin there."""
        return len(self.parts) == len(self.begins) and all(part.rows for part in self.parts)

    def state(self) -> TrainingState:
        states = [part.state() for part in self.parts]
        return states[0] if len(states) == 1 else join_states(states)

    @property
    def seconds(self) -> Seconds:
        return sum((part.seconds for part in self.parts), self.before)


class FitPrograms:
    """Builds models, and keeps those of the last trial while it may go on."""

    phase = None  # which each trial says itself

    def __init__(self, spec: SweepSpec, data: SearchData, *, is_worker: bool = True) -> None:
        import keras

        has_own_fit = fits_itself(spec)  # which KerasTuner scores by its best epoch
        self.spec = (
            replace(spec, objective=replace(spec.objective, take_best=True, epochs_from=0)) if has_own_fit else spec
        )
        self.data = data
        self.is_worker = is_worker
        self.pooled_metrics = (
            metrics_of_all_rows(spec) if data.folds else ()
        )  # computed of all folds, after every epoch
        self.compiled = 0  # trials that have compiled what they train with
        self.emit: Listener = lambda _: None
        # TensorFlow's shuffle can't be set to where it stood, nor can a dataset, a callback, or a `fit`, of the user's.
        must_stay = (
            keras.backend.backend() == "tensorflow" or data.stream is not None or has_own_fit or spec.training.callbacks
        )
        self.moves = not must_stay
        self._live: LiveTrial | None = None

    def find_live(self, lane: Lane, epoch: int) -> LiveTrial | None:
        """The trial, if its models are there and stand after this epoch."""
        live = self._live
        return live if live is not None and (live.suggestion, live.epoch) == (lane.suggestion, epoch) else None

    @contextmanager
    def open_trial(self, lane: Lane, epoch: int, begins: TrainingState | None) -> Iterator[LiveTrial]:
        """The trial, to be trained from this epoch on by this thread alone: `fit` draws from generators of the process.

        It goes on with the models that are there, or with others.
        """
        with _trial_lock:
            live = self.find_live(lane, epoch) if epoch else None
            if live is None and self._live is not None and self.is_worker:
                self._live = None
                gc.collect()  # what is frozen is not collected
            with nullcontext() if live is not None or not self.is_worker else only_new_garbage():
                if live is None:
                    self._live = None
                    clear_session(free_memory=True)  # else every trial's graph stays in memory
                    count = max(len(self.data.folds), 1)
                    states = [None] * count if begins is None else split_state(begins, count)
                    live = self._live = LiveTrial(lane.suggestion, epoch, lane.seconds, states)
                    self.compiled += 1
                yield live
                if self.is_worker and not (live.moves and lane.training):
                    self._live = None

    def get_part(self, live: LiveTrial, fold: int) -> FitTraining:
        """The model of a fold, or the only one, which is built when it is first needed."""
        if fold == len(live.parts):
            started = time.perf_counter()
            self.emit(PhaseBegan("build"))
            data = self.data.fold(fold) if self.data.folds else self.data
            model, fit = compile_trial(self.spec, training_plan(self.spec, live.suggestion.params), data)
            kind = FitTraining if fit is None else OwnFitTraining
            begins = live.begins[fold]
            live.parts.append(kind(self.spec, live.suggestion, data, model, fit, begins, started, self.emit))
        return live.parts[fold]

    def forget(self) -> None:
        self._live = None

    def weights(self, lane: Lane, state: TrainingState) -> Weights:
        """What `fit` leaves to a trial in this state; with folds one fold's after the other's."""
        del lane
        return state.trainable

    def model(self, lane: Lane, state: TrainingState) -> tuple[Any, Arrays]:
        """The Keras model of a trial in this state, with folds that of the first, and rows for it."""
        live = self._live
        if live is None or live.suggestion != lane.suggestion or self.data.folds:
            return model_of(self.spec, self.data, lane.suggestion.params, state.trainable)
        live.parts[0].model.set_weights(list(state.trainable))
        return live.parts[0].model, self.data.validation.x

    def predict(self, lane: Lane, state: TrainingState) -> Arrays:
        """[N, ...] its outputs on the validation rows; with folds each of the fold that left it out."""
        if self.data.folds:
            return fold_outputs(self.spec, self.data, lane.suggestion.params, [state.trainable])[0]
        return call_model(*self.model(lane, state))


_trial_lock = threading.Lock()  # trains in a process
