"""The trial that `fit` trains, on disk: after a kill it goes on from there and ends with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import checkpoint
from keras_sweep.training.fit.random_states import generator_states, set_generator_states
from keras_sweep.training.training_state import TrainingState
from keras_sweep.trial.result import Suggestion, Weights

FILE = "trial.npz"
BACKENDS = ("jax", "torch")  # TensorFlow's shuffle can't be set to where it stood, so its trials begin anew


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """Where a trial stands after an epoch, beside its model and the random generators."""

    rows: list[dict[str, float]]  # the curve, an epoch a row
    best_weights: Weights  # of the best epoch so far, where that is what counts
    seconds: dict[str, float]  # "compile", "train", "validate"
    every_weights: Sequence[Weights] = ()  # of each epoch, where they are kept


class FitCheckpoint:
    """Writes and reads the one checkpoint of a sweep that trains by `fit`."""

    def __init__(self, folder: Path, spec: SweepSpec, data: SearchData, notice: Callable[[str], None] | None) -> None:
        self._path = folder / FILE
        self._spec = spec
        self._data = data
        self._notice = notice or (lambda _: None)

    def write(self, suggestion: Suggestion, model: Any, progress: TrialProgress) -> None:
        """Write where a trial stands. Called at the end of an epoch."""
        state = TrainingState(
            _arrays(model.trainable_variables),
            _arrays(model.non_trainable_variables),
            _arrays(model.optimizer.variables),
        )
        facts = {
            "digest": self._digest(suggestion),
            "rows": progress.rows,
            "seconds": progress.seconds,
            "generators": generator_states(),
        }
        try:
            kept = [TrainingState(weights, (), ()) for weights in (progress.best_weights, *progress.every_weights)]
            checkpoint.write(self._path, facts, [state, *kept])
        except RecordError as error:  # a full disk costs the checkpoint, not the sweep
            self._notice(f"no checkpoint could be written: {error.message}")

    def read(self, suggestion: Suggestion) -> tuple[TrialProgress, Callable[[Any], None]] | None:
        """Where this trial stood, and what puts a built model and the generators there; None if nothing usable is kept.

        What it returns is to be called once `fit` has built the model and drawn the order that it throws away.
        """
        try:
            facts, (state, best, *every) = checkpoint.read(self._path)
        except FileNotFoundError:
            return None
        except checkpoint.Damaged as damage:
            self._notice(f"a checkpoint is not usable, so its trial trains from its start: {damage}")
            return None
        if facts["digest"] != self._digest(suggestion):
            return None  # of another trial
        assert state is not None
        assert best is not None

        def restore(model: Any) -> None:
            _assign(model.trainable_variables, state.trainable)
            _assign(model.non_trainable_variables, state.other)
            _assign(model.optimizer.variables, state.optimizer)
            set_generator_states(facts["generators"])

        weights = [each.trainable for each in every if each is not None]
        return TrialProgress(facts["rows"], best.trainable, facts["seconds"], weights), restore

    def remove(self) -> None:
        """The trial is over."""
        self._path.unlink(missing_ok=True)

    def _digest(self, suggestion: Suggestion) -> str:
        return checkpoint.digest_of(self._spec, self._data, suggestion.number, sorted(suggestion.params.items()))


def _arrays(variables: Any) -> Weights:
    import keras

    return tuple(np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables)


def _assign(variables: Any, arrays: Weights) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
