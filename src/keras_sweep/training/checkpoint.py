"""Training states on disk, beside what else is to be known when training goes on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import DamagedArrays, read_text_and_arrays, write_arrays
from keras_sweep.files.atomic import make_private
from keras_sweep.files.plain import os_errors
from keras_sweep.space.sweep_spec import SweepSpec

VERSION = 3


def digest_of(spec: SweepSpec, data: SearchData, *parts: object) -> str:
    """A digest of what the numbers of training depend on: the model, the data, packages, and the parts (JSON)."""
    import keras

    backend = keras.backend.backend()
    about = (repr(spec.model), spec.loss, spec.metrics, repr(spec.objective), spec.take_best)
    packages = (keras.__version__, backend, importlib.metadata.version(backend))
    return hashlib.sha256(json.dumps((about, data.fingerprint, packages, parts)).encode()).hexdigest()


class Damaged(Exception):
    """The file can't be read, or is not what it should be."""


def write(path: Path, facts: Mapping[str, Any], states: Sequence[TrainingState | None]) -> None:
    """Write facts (JSON) and training states, whole or not at all; the folder is made if there is none.

    Raises RecordError.
    """
    there = [state for state in states if state is not None]
    counts = [[len(part) for part in _parts(state)] if state is not None else None for state in states]
    arrays = [array for state in there for part in _parts(state) for array in part]
    make_private(path.parent)
    write_arrays(path, arrays, text=json.dumps({"version": VERSION, "counts": counts, "facts": facts}))


def read(path: Path) -> tuple[dict[str, Any], list[TrainingState | None]]:
    """What `write` wrote.

    Raises:
        Damaged: the file is cut off, altered, or of another version.
        FileNotFoundError: there is none.
    """
    try:
        with os_errors():
            text, arrays = read_text_and_arrays(path)
    except FileNotFoundError:
        raise
    except (OSError, DamagedArrays) as error:
        raise Damaged(f"{path} can't be read: {error}") from error
    try:
        about = json.loads(text)
        version = about["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{path} is no checkpoint") from error
    if version != VERSION:
        raise Damaged(f"{path} has version {version}, not {VERSION}")
    following = iter(arrays)
    states: list[TrainingState | None] = []
    for counts in about["counts"]:
        parts = (tuple(islice(following, count)) for count in counts or ())
        states.append(TrainingState(*parts) if counts is not None else None)
    return about["facts"], states


def read_facts(path: Path) -> Any:
    """The facts that `write` wrote, without the states. Raises as `read`."""
    return read(path)[0]


class LatestCheckpoint:
    """The one file that training goes on from. Where it can't be written or read, a notice says so, and no more."""

    def __init__(self, path: Path, name: str, notice: Callable[[str], None] | None, *, damaged: str) -> None:
        self._path, self._name, self._damaged = path, name, damaged
        self._notice = notice or (lambda _: None)

    def write(self, facts: Mapping[str, Any], states: Sequence[TrainingState | None]) -> None:
        try:
            write(self._path, facts, states)
        except RecordError as error:  # a full disk costs the checkpoint, not the sweep
            self._notice(f"no {self._name} could be written: {error.message}")

    def read(self, digest: str) -> tuple[dict[str, Any], list[TrainingState | None]] | None:
        """What was written, if its facts have this digest."""
        try:
            facts, states = read(self._path)
        except FileNotFoundError:
            return None
        except Damaged as damage:
            self._notice(f"a {self._name} is not usable, so {self._damaged}: {damage}")
            return None
        return (facts, states) if facts["digest"] == digest else None

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _parts(state: TrainingState) -> tuple[Arrays, ...]:
    return state.trainable, state.other, state.optimizer, state.right


Arrays: TypeAlias = tuple[npt.NDArray[np.generic], ...]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A trial's variables after an epoch."""

    trainable: Arrays  # in the order of `model.trainable_variables`
    other: Arrays  # in the order of `model.non_trainable_variables`: moving averages, seeds of dropout
    optimizer: Arrays  # of `fit`: `optimizer.variables`; of a lane: as its layout keeps them, without the learning rate
    right: Arrays = ()  # packed bits of the validation rows, 1 where the row was right; nothing where that is not known


def joined(states: Sequence[TrainingState]) -> TrainingState:
    """The states of a trial's folds as one."""
    return TrainingState(*(tuple(chain.from_iterable(each)) for each in zip(*map(_parts, states), strict=True)))


def parted(state: TrainingState, count: int) -> list[TrainingState]:
    """The states that `joined` made one of, `count` in all."""
    return [
        TrainingState(*(part[len(part) * i // count : len(part) * (i + 1) // count] for part in _parts(state)[:3]))
        for i in range(count)
    ]
