"""The trial that `fit` trains, on disk: after a kill it goes on from there and ends with the same numbers."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import checkpoint
from keras_sweep.training.averaged_weights import array_of
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.trial.result import Suggestion, Weights

FILE = "trial.npz"
BACKENDS = ("jax", "torch")  # TensorFlow's shuffle can't be set to where it stood, so its trials begin anew


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """Where a trial stands after an epoch, beside its model and the random generators."""

    rows: list[dict[str, float]]  # the curve, an epoch a row
    best_weights: Weights  # of the best epoch so far, where that is what counts
    seconds: dict[str, float]  # "compile", "train", "validate"


class FitCheckpoint:
    """Writes and reads the one checkpoint of a sweep that trains by `fit`."""

    def __init__(self, folder: Path, spec: SweepSpec, data: SearchData, notice: Callable[[str], None] | None) -> None:
        self._spec = spec
        self._data = data
        self._file = checkpoint.LatestCheckpoint(
            folder / FILE, "checkpoint", notice, damaged="its trial trains from its start"
        )
        self.remove = self._file.remove

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
        self._file.write(facts, [state, TrainingState(progress.best_weights, (), ())])

    def read(self, suggestion: Suggestion) -> tuple[TrialProgress, Callable[[Any], None]] | None:
        """Where this trial stood, and what puts a built model and the generators there; None if nothing usable is kept.

        What it returns is to be called once `fit` has built the model and drawn the order that it throws away.
        """
        found = self._file.read(self._digest(suggestion))
        if found is None:
            return None
        facts, (state, best) = found
        assert state is not None
        assert best is not None

        def restore(model: Any) -> None:
            _assign(model.trainable_variables, state.trainable)
            _assign(model.non_trainable_variables, state.other)
            _assign(model.optimizer.variables, state.optimizer)
            set_generator_states(facts["generators"])

        return TrialProgress(facts["rows"], best.trainable, facts["seconds"]), restore

    def _digest(self, suggestion: Suggestion) -> str:
        return checkpoint.digest_of(self._spec, self._data, suggestion.number, sorted(suggestion.params.items()))


def _arrays(variables: Any) -> Weights:
    return tuple(array_of(variable) for variable in variables)


def _assign(variables: Any, arrays: Weights) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


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
