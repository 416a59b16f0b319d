"""What each trial scored on each validation row, on disk beside its weights: a small file of arrays a trial.

The trial's record holds the digest of its scores, so that a file is never taken for another trial's, nor an altered one
for sound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic
from keras_sweep.files.arrays import DamagedArrays, read_text_and_arrays, write_arrays
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.ranking import can_win, order_key
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind, RowScores, checked

VERSION = 1
BEST_WITH_VALUES = 32  # best trials that keep losses or outputs; right and wrong, a bit a row, is kept of all


class DamagedScores(RecordError):
    """A file of scores is not what was written."""


def scores_file(folder: SweepFolder, number: int) -> Path:
    """Where a trial's scores are kept."""
    return folder.scores / f"{number:06d}.npz"


def save_scores(path: Path, scores: RowScores) -> None:
    """Write them, whole or not at all; the folder is made if there is none. Raises RecordError."""
    atomic.make_private(path.parent)
    write_arrays(path, scores.arrays, text=scores_text(scores))


def load_scores(path: Path, digest: str) -> RowScores:
    """Read the scores of that digest.

    Raises:
        DamagedScores: the file is cut short, altered, or of other scores.
        RecordError: it is missing or can't be read.
    """
    try:
        scores = scores_of(*read_text_and_arrays(path))
        if scores.digest != digest:
            raise ValueError("they are not those that the record tells of")
    except (DamagedArrays, ValueError) as error:
        raise DamagedScores(f"the scores {path} are damaged: {error}") from error
    return scores


def scores_text(scores: RowScores) -> str:
    """What stands before the arrays of scores."""
    return json.dumps({"version": VERSION, "kind": scores.kind.value, "rows": scores.rows})


def scores_of(text: str, arrays: Sequence[object]) -> RowScores:
    """Scores from their text and arrays. Raises ValueError where they are not what `scores_text` was made of."""
    try:
        about = json.loads(text)
        if about["version"] != VERSION or type(about["rows"]) is not int:
            raise ValueError(f"they have version {about['version']}, not {VERSION}")
        return checked(about["kind"], about["rows"], tuple(arrays))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"their text is not what it should be ({error})") from error


def with_scores(results: Iterable[Result], objective: Objective, *, best: int | None = None) -> list[Result]:
    """The trials that have scores on disk: of those that could win, all with bits, and the best with more; by number.

    Those of older versions, and those of a metric that can't be had row by row, have none. `best`: of so many alone.
    """
    candidates = sorted(
        (result for result in results if can_win(result, objective)), key=lambda result: order_key(result, objective)
    )[:best]
    kept = [
        one for rank, one in enumerate(candidates) if one.scores_digest and (rank < BEST_WITH_VALUES or _is_bits(one))
    ]
    return sorted(kept, key=lambda result: result.number)


def _is_bits(result: Result) -> bool:
    return (result.scores_digest or "").startswith(f"{Kind.BITS}:")
