"""Training states on disk: arrays without pickle, in files that are whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.search_data import SearchData
from keras_sweep.files.plain_file import open_plain
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.training_state import TrainingState

VERSION = 3


def digest_of(spec: SweepSpec, data: SearchData, *parts: object) -> str:
    """A digest of what the numbers of training depend on: the model, the data, packages, and the parts (JSON)."""
    import keras

    backend = keras.backend.backend()
    about = (repr(spec.model), spec.loss, spec.metrics, repr(spec.objective), spec.take_best)
    packages = (keras.__version__, backend, version(backend))
    return hashlib.sha256(json.dumps((about, data.fingerprint, packages, parts)).encode()).hexdigest()


class Damaged(Exception):
    """The file can't be read, or is not what it should be."""


def write(path: Path, facts: Mapping[str, Any], states: Sequence[TrainingState | None]) -> None:
    """Write facts (JSON) and training states in one step: a reader finds the old file or the new one, never a part."""
    arrays: dict[str, Any] = {}
    counts: list[list[int] | None] = []
    for index, state in enumerate(states):
        if state is None:
            counts.append(None)
            continue
        parts = (state.trainable, state.other, state.optimizer, state.right)
        counts.append([len(part) for part in parts])
        for place, array in enumerate(array for part in parts for array in part):
            arrays[f"{index}_{place}"] = array
    text = json.dumps({"version": VERSION, "counts": counts, "facts": facts})
    arrays["facts"] = np.frombuffer(text.encode(), np.uint8)
    arrays["digest"] = np.frombuffer(_digest(arrays), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with partial.open("xb") as file:  # a new file: nothing is written through a link
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> tuple[dict[str, Any], list[TrainingState | None]]:
    """What `write` wrote.

    Raises:
        Damaged: the file is cut off, altered, or of another version.
        FileNotFoundError: there is none.
    """
    try:
        # np.load leaves a file open that it opened by name and could not read
        with open_plain(path) as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        digest = arrays.pop("digest").tobytes()
        if digest != _digest(arrays):
            raise Damaged(f"{path} was altered")
        facts = json.loads(arrays["facts"].tobytes())
        if facts["version"] != VERSION:
            raise Damaged(f"{path} has version {facts['version']}, not {VERSION}")
        return facts["facts"], [_state(arrays, index, counts) for index, counts in enumerate(facts["counts"])]
    except (FileNotFoundError, Damaged):
        raise
    except Exception as error:  # zipfile and NumPy raise nearly anything for a damaged file
        raise Damaged(f"{path} can't be read: {error or type(error).__name__}") from error


def read_facts(path: Path) -> Any:
    """The facts that `write` wrote, without the states and without a look at the digest. Raises as `read`."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return json.loads(file["facts"].tobytes())["facts"]
    except FileNotFoundError:
        raise
    except Exception as error:
        raise Damaged(f"{path} can't be read: {error or type(error).__name__}") from error


def _state(arrays: Mapping[str, Any], index: int, counts: Sequence[int] | None) -> TrainingState | None:
    if counts is None:
        return None
    flat = iter(range(sum(counts)))
    parts = [tuple(arrays[f"{index}_{next(flat)}"] for _ in range(count)) for count in counts]
    return TrainingState(*parts)


def _digest(arrays: Mapping[str, Any]) -> bytes:
    """SHA-256 over names, shapes, types and bytes."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        total.update(array.tobytes())
    return total.digest()
