"""A trial's weights, and what it scored on each validation row, on disk: a small file of arrays each.

The trial's record has the digests of both, so that a file is never taken for another trial's, nor an altered one for
sound.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic, disk
from keras_sweep.files.arrays import DamagedArrays, is_array_file, read_arrays, read_text_and_arrays, write_arrays
from keras_sweep.files.plain import plain_errors
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, order_key
from keras_sweep.trial.result import Result, Weights
from keras_sweep.trial.row_scores import Kind, RowScores, arrays_digest

_FILE = re.compile(r"[0-9]{6,}\.npz")
BEST_WITH_VALUES = 32  # best trials that keep losses or outputs; right and wrong, a bit a row, is kept of all


def weights_file(folder: SweepFolder, number: int) -> Path:
    """Where a trial's weights are kept, by `write_arrays`."""
    return folder.weights / f"{number:06d}.npz"


def weights_file_of(folder: SweepFolder, trial: Result) -> Path:
    """Where the weights of a trial or of a finalist are kept."""
    return weights_file(part_of(folder, trial), trial.number)


def part_of(folder: SweepFolder, trial: Result) -> SweepFolder:
    """The part of a sweep's folder that holds the files of a trial, or of a finalist."""
    return folder if trial.suggestion.recipe is None else folder.finalists


def load_weights(path: Path, digest: str | None) -> Weights:
    """Read the weights of that digest to the last bit. Raises RecordError: they are missing, damaged, or others."""
    try:
        weights = read_arrays(path)
        if arrays_digest(weights) != digest:
            raise DamagedArrays("they are not those that the record tells of")
        return weights
    except DamagedArrays as error:
        hint = "`sweep run` of the space file trains the trial again"
        raise RecordError(f"the weights {path} are damaged: {error}", hint=hint) from error


def load_weights_of(folder: SweepFolder, trial: Result) -> Weights:
    """The weights of a trial or of a finalist. Raises as `load_weights`."""
    return load_weights(weights_file_of(folder, trial), trial.weights_digest)


def delete_others(folder: Path, numbers: Iterable[int]) -> None:
    """Remove what `write_arrays` wrote of other trials, and what a killed process left. Raises RecordError."""
    kept = set(numbers)
    with plain_errors("clear", folder):
        atomic.clear_parts(folder)
        for number, path in sorted(list_numbered_files(folder).items()):
            if number not in kept and is_array_file(path):
                disk.remove(path)


def list_numbered_files(folder: Path) -> dict[int, Path]:
    """The files of a folder that bear a trial's number, by it; {} where there is no folder. Raises RecordError."""
    if not folder.is_dir():
        return {}
    with plain_errors("read", folder):
        return {int(path.stem): path for path in folder.iterdir() if _FILE.fullmatch(path.name)}


def scores_file(folder: SweepFolder, number: int) -> Path:
    """Where a trial's scores are kept."""
    return folder.scores / f"{number:06d}.npz"


def save_scores(path: Path, scores: RowScores) -> None:
    """Write them, whole or not at all. Raises RecordError."""
    write_arrays(path, scores.arrays, text=scores_text(scores))


def load_scores_of(folder: SweepFolder, trial: Result) -> RowScores:
    """The scores of a trial or of a finalist. Raises as `load_scores`."""
    return load_scores(scores_file(part_of(folder, trial), trial.number), trial.scores_digest)


def load_scores(path: Path, digest: str | None) -> RowScores:
    """Read the scores of that digest. Raises RecordError: they are missing, damaged, or others."""
    try:
        return scores_of(*read_text_and_arrays(path), digest)
    except (DamagedArrays, ValueError) as error:
        raise RecordError(f"the scores {path} are damaged: {error}") from error


def scores_text(scores: RowScores) -> str:
    """What stands before the arrays of scores."""
    return json.dumps({"version": 1, "kind": scores.kind.value, "rows": scores.rows})


def scores_of(text: str, arrays: Sequence[object], digest: str | None) -> RowScores:
    """Scores from their text and arrays. Raises ValueError where they are not those of that digest."""
    try:
        about = json.loads(text)
        scores = make_scores(about["kind"], about["rows"], tuple(arrays))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"their text is not what it should be ({error})") from error
    if scores.digest != digest:
        raise ValueError("they are not those that the record tells of")
    return scores


def make_scores(kind: str, rows: int, arrays: tuple[Any, ...]) -> RowScores:
    """Scores that were read from a file. Raises ValueError where they are of no such form."""
    scores = RowScores(Kind(kind), rows, arrays)
    forms = {Kind.BITS: [("uint8", -(-rows // 8))], Kind.VALUES: [("float32", rows)]}
    wanted = forms.get(scores.kind, [("float32", rows)] * min(max(len(arrays), 2), 3))
    got = [(str(array.dtype), len(array) if array.ndim else -1) for array in arrays]
    flat = scores.kind is Kind.OUTPUTS or all(array.ndim == 1 for array in arrays)
    if got != wanted or not flat:
        raise ValueError(f"scores of {rows} rows as {scores.kind} can't be {got}")
    return scores


def select_scored(results: Iterable[Result], objective: Objective, *, best: int | None = None) -> list[Result]:
    """The trials, by number, that have scores on disk: of the `best` that could win, the first, and all with bits."""
    able = (result for result in results if can_win(result, objective))
    ranked = sorted(able, key=lambda result: order_key(result, objective))[:best]
    kept = [*ranked[:BEST_WITH_VALUES], *filter(keeps_bits, ranked[BEST_WITH_VALUES:])]
    return sorted((one for one in kept if one.scores_digest), key=lambda result: result.number)


def keeps_bits(result: Result) -> bool:
    """Whether its scores say of each row that it is right or wrong."""
    return (result.scores_digest or "").startswith(f"{Kind.BITS}:")
