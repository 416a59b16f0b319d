"""Save a trial's weights, and its scores on the validation rows, each in a small file of arrays.

The trial's record has the digests of both files. So a file of another trial or an altered file is never used.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic
from keras_sweep.files.arrays import DamagedArrays, is_array_file, read_arrays, read_text_and_arrays, write_arrays
from keras_sweep.files.plain import plain_errors
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.system import disk
from keras_sweep.trial.ranking import can_win, order_key
from keras_sweep.trial.result import Result, Weights
from keras_sweep.trial.row_scores import Kind, RowScores, arrays_digest

_FILE = re.compile(r"[0-9]{6,}\.npz")
MOST_COMPARED = 1_000  # best trials
BEST_WITH_VALUES = 32  # best trials that keep losses or outputs; all trials keep right or wrong, a bit per row


def weights_file(folder: SweepFolder, number: int) -> Path:
    return folder.weights / f"{number:06d}.npz"


def weights_file_of(folder: SweepFolder, trial: Result) -> Path:
    return weights_file(select_part(folder, trial), trial.number)


def select_part(folder: SweepFolder, trial: Result) -> SweepFolder:
    """Return the `SweepFolder` whose paths have a trial's files: `folder.finalists` for a finalist, else `folder`."""
    return folder if trial.suggestion.recipe is None else folder.finalists


def load_weights(path: Path, digest: str | None) -> Weights:
    """Read the weights of a trial from the file `path`.
    Raises RecordError if the file is missing or damaged, or the SHA-256 of the weights is not `digest`."""
    try:
        weights = read_arrays(path)
        if arrays_digest(weights) != digest:
            raise DamagedArrays("the weights do not match the digest in the record")
        return weights
    except DamagedArrays as error:
        hint = "`sweep run` with the space file trains the trial again"
        raise RecordError(f"the weights {path} are damaged: {error}", hint=hint) from error


def load_weights_of(folder: SweepFolder, trial: Result) -> Weights:
    return load_weights(weights_file_of(folder, trial), trial.weights_digest)


def delete_others(folder: Path, numbers: Iterable[int]) -> None:
    """Delete all array files in `folder` but the files of trials `numbers`, and partial files. Raises RecordError."""
    numbers_left = set(numbers)
    with plain_errors("clear", folder):
        atomic.clear_parts(folder)
        for number, path in sorted(list_numbered_files(folder).items()):
            if number not in numbers_left and is_array_file(path):
                disk.remove(path)


def list_numbered_files(folder: Path) -> dict[int, Path]:
    """Return trial number -> file for files like `000012.npz`; {} if the folder is missing. Raises RecordError."""
    if not folder.is_dir():
        return {}
    with plain_errors("read", folder):
        return {int(path.stem): path for path in folder.iterdir() if _FILE.fullmatch(path.name)}


def scores_file(folder: SweepFolder, number: int) -> Path:
    return folder.scores / f"{number:06d}.npz"


def save_scores(path: Path, scores: RowScores) -> None:
    write_arrays(path, scores.to_arrays(), text=scores_text(scores))


def load_scores_of(folder: SweepFolder, trial: Result) -> RowScores:
    return load_scores(scores_file(select_part(folder, trial), trial.number), trial.scores_digest)


def load_scores(path: Path, digest: str | None) -> RowScores:
    """Read a trial's score on each validation row from the file `path`.
    Raises RecordError if the file is missing or damaged, or the digest of the scores is not `digest`."""
    try:
        return parse_scores(*read_text_and_arrays(path), digest)
    except (DamagedArrays, ValueError) as error:
        raise RecordError(f"the scores {path} are damaged: {error}") from error


def scores_text(scores: RowScores) -> str:
    """Return the JSON text at the start of a scores file: version, kind, number of rows, and units if not rows."""
    units = {} if scores.units is None else {"units": scores.units.name, "count": scores.units.count}
    return json.dumps({"version": 1, "kind": scores.kind.value, "rows": scores.rows, **units})


def parse_scores(text: str, arrays: Sequence[object], digest: str | None) -> RowScores:
    """Build scores from a scores file's text and arrays.
    Raises ValueError if the content is damaged, or the digest of the scores is not `digest`."""
    try:
        about = json.loads(text)
        scores = make_scores(about["kind"], about["rows"], tuple(arrays), about.get("units"), about.get("count"))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"the text in the file is damaged ({error})") from error
    if scores.digest != digest:
        raise ValueError("the scores differ from those in the record")
    return scores


def make_scores(
    kind: str, rows: int, arrays: tuple[Any, ...], units: str | None = None, count: int | None = None
) -> RowScores:
    """Build scores of `rows` rows from arrays. `kind` is a value of `Kind`, like "bits". If `units` names the units of
    the rows, `count` is their number, and the last array has the unit of each row. Raises ValueError if the arrays do
    not fit."""
    known = None
    if units is not None:
        from keras_sweep.trial.units import Units

        *rest, codes = arrays
        arrays = tuple(rest)
        is_number = isinstance(count, int) and isinstance(units, str) and codes.dtype == "int32"
        if not is_number or codes.shape != (rows,) or not rows or codes.min() < 0 or codes.max() + 1 != count:
            raise ValueError(f"{count} units of {rows} rows do not fit the array of their numbers")
        known = Units(codes, int(count or 0), units)
    scores = RowScores(Kind(kind), rows, arrays, known)
    forms = {Kind.BITS: [("uint8", -(-rows // 8))], Kind.VALUES: [("float32", rows)]}
    expected = forms.get(scores.kind, [("float32", rows)] * min(max(len(arrays), 2), 3))
    forms_read = [(str(array.dtype), len(array) if array.ndim else -1) for array in arrays]
    is_flat = scores.kind is Kind.OUTPUTS or all(array.ndim == 1 for array in arrays)
    if forms_read != expected or not is_flat:
        raise ValueError(f"the {scores.kind} must have (type, length) {expected} for {rows} rows, but got {forms_read}")
    return scores


def select_scored(results: Iterable[Result], objective: Objective, *, best: int | None = None) -> list[Result]:
    """Return the trials that can win and have a scores file, by number, among the `best` best (None: among all).
    Beyond the 32 best trials, only files with a bit per row are kept, since files of losses or outputs are larger."""
    rivals = (result for result in results if can_win(result, objective))
    ranked = sorted(rivals, key=lambda result: order_key(result, objective))[:best]
    with_scores = [*ranked[:BEST_WITH_VALUES], *filter(has_bits, ranked[BEST_WITH_VALUES:])]
    return sorted((result for result in with_scores if result.scores_digest), key=lambda result: result.number)


def has_bits(result: Result) -> bool:
    return (result.scores_digest or "").startswith(f"{Kind.BITS}:")
