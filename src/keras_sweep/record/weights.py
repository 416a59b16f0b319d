"""A trial's weights on disk, as a file of arrays in the order of `keras.Model.get_weights`.

The trial's record holds the digest of its weights, as of its scores, so that a file is never taken for another trial's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic, disk
from keras_sweep.files.arrays import DamagedArrays, is_array_file, read_arrays, write_arrays
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.trial.row_scores import arrays_digest

if TYPE_CHECKING:
    from keras_sweep.trial.result import Result, Weights

_FILE = re.compile(r"[0-9]{6,}\.npz")


class DamagedWeights(RecordError):
    """A weights file is not what was written: train the trial again, or do without."""


def weights_file(folder: SweepFolder, number: int) -> Path:
    """Where a trial's weights are kept."""
    return folder.weights / f"{number:06d}.npz"


def weights_file_of(folder: SweepFolder, trial: Result) -> Path:
    """Where the weights of a trial or of a finalist are kept."""
    return weights_file(part_of(folder, trial), trial.number)


def part_of(folder: SweepFolder, trial: Result) -> SweepFolder:
    """The part of a sweep's folder that holds the files of a trial, or of a finalist."""
    return folder if trial.suggestion.recipe is None else folder.finalists


def save_weights(path: Path, weights: Weights) -> None:
    """Write a model's arrays, whole or not at all; the folder is made if there is none. Raises RecordError."""
    if not path.parent.parent.exists():  # of finalists, of a mean
        atomic.make_private(path.parent.parent)
    atomic.make_private(path.parent)
    write_arrays(path, weights)


def load_weights(path: Path, digest: str | None) -> Weights:
    """Read the weights of that digest, as a trial's record has it, to the last bit.

    Raises:
        DamagedWeights: the file is cut short, altered, too large, or of other weights.
        RecordError: it is missing or can't be read.
    """
    try:
        weights = read_arrays(path)
        if arrays_digest(weights) != digest:
            raise DamagedArrays("they are not those that the record tells of")
        return weights
    except DamagedArrays as error:
        raise DamagedWeights(
            f"the weights {path} are damaged: {error}", hint="`sweep run` of the space file trains the trial again"
        ) from error


def delete_others(folder: Path, numbers: Iterable[int]) -> None:
    """Remove a folder's files of arrays that are of all other trials, and what a killed process left half-written.

    What `write_arrays` did not write stays, whatever it is called. Raises RecordError.
    """
    if not folder.is_dir():
        return
    names = {f"{number:06d}.npz" for number in numbers}
    with plain_errors("clear", folder):
        atomic.clear_parts(folder)
        for path in sorted(folder.iterdir()):
            if _FILE.fullmatch(path.name) and path.name not in names and is_array_file(path):
                disk.remove(path)


def saved_trials(folder: SweepFolder) -> list[int]:
    """The numbers of the trials whose weights are there, in order. Raises RecordError."""
    return sorted(numbered_files(folder.weights))


def numbered_files(folder: Path) -> dict[int, Path]:
    """The files of a folder that bear a trial's number, by it; {} where there is no folder. Raises RecordError."""
    if not folder.is_dir():
        return {}
    with plain_errors("read", folder):
        return {int(path.stem): path for path in folder.iterdir() if _FILE.fullmatch(path.name)}
