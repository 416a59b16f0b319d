"""Write and read training checkpoints. A resumed training ends with the same bits as an uninterrupted training."""

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import DamagedArrays, read_text_and_arrays, write_arrays
from keras_sweep.files.plain import plain_errors
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.system import disk
from keras_sweep.trial.result import Suggestion

VERSION = 6
CHECKPOINT_SECONDS = 60.0  # between two checkpoints
FILE = "training.npz"  # the trials in training, inside the checkpoints folder

Arrays: TypeAlias = tuple[npt.NDArray[np.generic], ...]


class TrainingState(NamedTuple):
    """The variables of a trial's model and optimizer after an epoch."""

    trainable: Arrays  # in the order of `model.trainable_variables`
    other: Arrays = ()  # in the order of `model.non_trainable_variables`: moving averages, seeds of dropout
    optimizer: Arrays = ()  # `fit`: `optimizer.variables`; a lane: its layout's variables, without the learning rate
    right: tuple[Any, ...] = ()  # packed bits, True for each correctly predicted validation row, if known
    generators: tuple[Any, ...] = ()  # `fit`: the states of the process's random generators, JSON as bytes


Checkpoint: TypeAlias = tuple[dict[str, Any], list[TrainingState | None]]  # (facts, states)


class Damaged(Exception):
    """The checkpoint file is unreadable, altered or of another version."""


def write(path: Path, facts: Mapping[str, Any], states: Sequence[TrainingState | None]) -> None:
    """Write `facts` (any JSON object) and `states` to `path` atomically. Creates the folder. Raises RecordError."""
    counts = [None if state is None else list(map(len, state)) for state in states]
    arrays = [array for state in states if state is not None for part in state for array in part]
    write_arrays(path, arrays, text=json.dumps({"version": VERSION, "counts": counts, "facts": facts}))


def read(path: Path) -> Checkpoint | None:
    """Return the (facts, states) that `write` wrote; None without a file. Raises Damaged if the file can't be used."""
    try:
        text, arrays = read_text_and_arrays(path)
        header = json.loads(text)
        version = header["version"]
    except RecordError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise Damaged(error.message) from error
    except (DamagedArrays, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path} can't be read: {error}") from error
    if version != VERSION:
        raise Damaged(f"{path} must have version {VERSION}, but got {version}")
    remaining = iter(arrays)
    states = [
        None if counts is None else TrainingState(*(tuple(islice(remaining, count)) for count in counts))
        for counts in header["counts"]
    ]
    return header["facts"], states


def read_kept_epochs(folder: Path) -> dict[int, int]:
    """Return trial number -> trained epochs, from the checkpoint in `folder`; {} without a usable checkpoint."""
    with suppress(Damaged):
        if (checkpoint := read(folder / FILE)) is not None:
            return {int(number): len(rows) for number, rows in checkpoint[0]["rows"].items()}
    return {}


@dataclass(eq=False)
class LatestCheckpoint:
    """The checkpoint file that training resumes from. If writing or reading fails, `notice` receives a sentence."""

    folder: Path  # created if missing
    spec: SweepSpec
    data: SearchData
    notice: Callable[[str], None]  # receives a sentence for the user
    seconds: float  # between two writes
    lane_limit: int = 0  # 0 with `fit`

    def __post_init__(self) -> None:
        self._path, self._last_write = self.folder / FILE, time.monotonic()

    def write(
        self, parts: Sequence[Sequence[Suggestion]], facts: Mapping[str, Any], states: Sequence[TrainingState | None]
    ) -> None:
        """Write `states` and `facts` (JSON) of the generations `parts`. `facts["rows"]`: trial -> metrics per epoch."""
        try:
            write(self._path, {"digests": list(map(self._digest, parts)), **facts}, states)
        except RecordError as error:  # a full disk costs the checkpoint, not the sweep
            self.notice(f"training continues without a checkpoint: {error.message}")

    def read(self, trials: Sequence[Suggestion]) -> Checkpoint | None:
        """Return (facts, states) if the file has the generation `trials`, with this model and these data, else None.

        The clock of `is_due` starts again.
        """
        self._last_write = time.monotonic()
        try:
            checkpoint = read(self._path)
        except Damaged as damage:
            self.notice(f"the checkpoint can't be used, so its trials start again: {damage}")
            return None
        digests = checkpoint[0].get("digests", ()) if checkpoint is not None else ()
        return checkpoint if self._digest(trials) in digests else None

    def is_due(self) -> bool:
        """Return whether `seconds` have passed since the last checkpoint. If so, the clock starts again."""
        now = time.monotonic()
        if now - self._last_write <= self.seconds:
            return False
        self._last_write = now
        return True

    def remove(self) -> None:
        with plain_errors("remove", self._path):
            disk.remove(self._path)

    def _digest(self, trials: Sequence[Suggestion]) -> str:
        """Hash what training results depend on: model, data, package versions, trials and lane limit."""
        import keras

        spec, backend = self.spec, keras.backend.backend()
        model = (repr(spec.model), spec.loss, spec.metrics, repr(spec.objective), spec.objective.take_best)
        packages = (keras.__version__, backend, importlib.metadata.version(backend))
        configurations = [(trial.number, sorted(trial.params.items()), trial.continues) for trial in trials]
        arguments = repr((spec.training, spec.loss_arguments, spec.metric_arguments, *spec.outputs.items()))
        inputs = (model, arguments, self.data.fingerprint, packages, configurations, self.lane_limit)
        return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def join_states(states: Sequence[TrainingState]) -> TrainingState:
    """Concatenate the states of a trial's folds into a single state."""
    return TrainingState(*(tuple(chain.from_iterable(parts)) for parts in zip(*states, strict=True)))


def split_state(state: TrainingState, count: int) -> list[TrainingState]:
    """Undo `join_states`: return the state of each of `count` folds, without values for the field `right`."""
    parts = state._replace(right=())
    return [
        TrainingState(*(part[len(part) * i // count : len(part) * (i + 1) // count] for part in parts))
        for i in range(count)
    ]
