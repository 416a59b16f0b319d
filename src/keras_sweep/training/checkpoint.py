"""Where training stands, on disk: after a stop or a kill it goes on from there and ends with the same bits."""

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
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.result import Suggestion

VERSION = 5
CHECKPOINT_SECONDS = 60.0  # between two checkpoints
FILE = "training.npz"  # of what trains now, in the folder of checkpoints

Arrays: TypeAlias = tuple[npt.NDArray[np.generic], ...]


class TrainingState(NamedTuple):
    """A trial's variables after an epoch."""

    trainable: Arrays  # in the order of `model.trainable_variables`
    other: Arrays = ()  # in the order of `model.non_trainable_variables`: moving averages, seeds of dropout
    optimizer: Arrays = ()  # of `fit`: `optimizer.variables`; of a lane: as its layout has them, without learning rate
    right: tuple[Any, ...] = ()  # bits of the validation rows, packed: whether it was right; if known
    generators: tuple[Any, ...] = ()  # of `fit`: where those of the process stand, as JSON in bytes


Checkpoint: TypeAlias = tuple[dict[str, Any], list[TrainingState | None]]  # facts (JSON), and states


class Damaged(Exception):
    """The file can't be read, or is not what it should be."""


def write(path: Path, facts: Mapping[str, Any], states: Sequence[TrainingState | None]) -> None:
    """Write facts (JSON) and training states, whole or not at all; a missing folder is made. Raises RecordError."""
    counts = [None if state is None else list(map(len, state)) for state in states]
    arrays = [array for state in states if state is not None for part in state for array in part]
    write_arrays(path, arrays, text=json.dumps({"version": VERSION, "counts": counts, "facts": facts}))


def read(path: Path) -> Checkpoint | None:
    """What `write` wrote; None where there is no file. Raises Damaged: it is cut off, altered, of another version."""
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
        raise Damaged(f"{path} has version {version}, not {VERSION}")
    remaining = iter(arrays)
    states = [
        None if counts is None else TrainingState(*(tuple(islice(remaining, count)) for count in counts))
        for counts in header["counts"]
    ]
    return header["facts"], states


def read_kept_epochs(folder: Path) -> dict[int, int]:
    """Of each trial that stands in the folder's file: after how many epochs it does."""
    with suppress(Damaged):
        if (checkpoint := read(folder / FILE)) is not None:
            return {int(number): len(rows) for number, rows in checkpoint[0]["rows"].items()}
    return {}


@dataclass(eq=False)
class LatestCheckpoint:
    """The file that training goes on from. If it can't be written or read, a notice says so.

    Its facts hold "rows": of each trial, by its number, the curve, an epoch a row.
    """

    folder: Path  # of the file; made if there is none
    spec: SweepSpec
    data: SearchData
    notice: Callable[[str], None]  # is called with what the user should know, a sentence
    seconds: float  # after which it is due again
    lane_limit: int = 0  # of trials that `fit` trains 0

    def __post_init__(self) -> None:
        self._path, self._last_write = self.folder / FILE, time.monotonic()

    def write(
        self, trials: Sequence[Suggestion], facts: Mapping[str, Any], states: Sequence[TrainingState | None]
    ) -> None:
        try:
            write(self._path, {"digest": self._digest(trials), **facts}, states)
        except RecordError as error:  # a full disk costs the checkpoint, not the sweep
            self.notice(f"no checkpoint could be written: {error.message}")

    def read(self, trials: Sequence[Suggestion]) -> Checkpoint | None:
        """What was written, if it was of these trials, which begin to train now."""
        self._last_write = time.monotonic()
        try:
            checkpoint = read(self._path)
        except Damaged as damage:
            self.notice(f"a checkpoint is not usable, so its trials train from their start: {damage}")
            return None
        return checkpoint if checkpoint is not None and checkpoint[0]["digest"] == self._digest(trials) else None

    def is_due(self) -> bool:
        """Whether it is time to write. Then it is not for a while."""
        now = time.monotonic()
        if now - self._last_write <= self.seconds:
            return False
        self._last_write = now
        return True

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def _digest(self, trials: Sequence[Suggestion]) -> str:
        """Of what the numbers of training depend on: the model, the data, packages, the trials and their lanes."""
        import keras

        spec, backend = self.spec, keras.backend.backend()
        model = (repr(spec.model), spec.loss, spec.metrics, repr(spec.objective), spec.objective.take_best)
        packages = (keras.__version__, backend, importlib.metadata.version(backend))
        configurations = [(trial.number, sorted(trial.params.items()), trial.continues) for trial in trials]
        arguments = repr((spec.training, spec.loss_arguments, spec.metric_arguments, *spec.outputs.items()))
        inputs = (model, arguments, self.data.fingerprint, packages, configurations, self.lane_limit)
        return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def join_states(states: Sequence[TrainingState]) -> TrainingState:
    """The states of a trial's folds as one."""
    return TrainingState(*(tuple(chain.from_iterable(parts)) for parts in zip(*states, strict=True)))


def split_state(state: TrainingState, count: int) -> list[TrainingState]:
    """The states that `joined` made one of, `count` in all."""
    parts = state._replace(right=())
    return [
        TrainingState(*(part[len(part) * i // count : len(part) * (i + 1) // count] for part in parts))
        for i in range(count)
    ]
