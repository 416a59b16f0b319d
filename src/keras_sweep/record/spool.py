"""Trials that ended before one with a lower number, kept whole until their turn in the record comes.

A trial is a file as those of weights are, plain arrays and no pickle: first the bytes of a JSON text with all that the
record will hold of it, then its scores of rows and its weights, if they may be kept. A kill leaves the file whole or
absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from keras_sweep.files import atomic, disk
from keras_sweep.files.arrays import DamagedArrays, read_text_and_arrays, write_arrays
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.record import encoding
from keras_sweep.record.row_scores import scores_of, scores_text
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.record.weights import numbered_files
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.row_scores import arrays_digest

if TYPE_CHECKING:
    from keras_sweep.trial.result import Weights

VERSION = 1


class Spool:
    """The trials that wait, by number. Used by the process that holds the sweep's lock."""

    def __init__(self, folder: SweepFolder, *, following: int, notice: Callable[[str], None] | None = None) -> None:
        """Look what an earlier process left.

        Args:
            folder: of the sweep.
            following: the number of the trial that the record takes next; what is below it is recorded already.
            notice: is called with a sentence for each file that is damaged.
        """
        self._folder = folder
        self._notice = notice or (lambda _: None)
        with plain_errors("read", folder.spool):
            atomic.clear_parts(folder.spool)
        self._waiting = numbered_files(folder.spool)
        for number in [one for one in self._waiting if one < following]:  # a kill came between commit and removal
            self.remove(number)

    @property
    def numbers(self) -> list[int]:
        """The trials that wait, in order."""
        return sorted(self._waiting)

    def keep(self, result: Result) -> None:
        """Write a trial; once this returns no kill loses it. Raises RecordError."""
        about: dict[str, Any] = {
            "version": VERSION,
            "number": result.number,
            "state": result.state.value,
            "value": result.value,
            "weights": result.weights is not None,
            "scores": None if result.scores is None else scores_text(result.scores),
            "texts": encoding.encode(result, None),
        }
        path = self._folder.spool / f"{result.number:06d}.npz"
        if not path.parent.parent.exists():  # of finalists
            atomic.make_private(path.parent.parent)
        atomic.make_private(path.parent)
        scores = () if result.scores is None else result.scores.arrays
        write_arrays(path, (*scores, *(result.weights or ())), text=json.dumps({**about, "score_arrays": len(scores)}))
        self._waiting[result.number] = path

    def read(self, number: int) -> Result | None:
        """The trial that was kept; None if there is none. One that is damaged is named and moved aside.

        Raises RecordError: the disk fails.
        """
        path = self._waiting.get(number)
        if path is None:
            return None
        try:
            return _decoded(number, *read_text_and_arrays(path))
        except (DamagedArrays, ValueError) as error:
            del self._waiting[number]
            moved = set_aside(path).name
            self._notice(f"{path} is damaged ({error}): it is {moved} now, and trial {number} is trained again")
            return None

    def remove(self, number: int) -> None:
        """The record has the trial, or it is not to be used. Raises RecordError."""
        path = self._waiting.pop(number, None)
        if path is not None:
            with plain_errors("remove", path):
                disk.remove(path)

    def close(self) -> None:
        """Leave no empty folder behind."""
        if not self._waiting and self._folder.spool.is_dir() and not any(self._folder.spool.iterdir()):
            with plain_errors("remove", self._folder.spool):
                disk.remove_folder(self._folder.spool)


def waiting_beside(folder: SweepFolder, recorded: int, total: int | None) -> list[int]:
    """The trials of a sweep of `total` that wait beside a record of so many, in order. Raises RecordError.

    For who only reads: nothing is opened or removed.
    """
    return [one for one in sorted(numbered_files(folder.spool)) if recorded <= one and (total is None or one < total)]


def _decoded(number: int, text: str, arrays: Weights) -> Result:
    """Raises ValueError where `keep` did not write it."""
    try:
        about = json.loads(text)
        if about["version"] != VERSION:
            raise ValueError(f"it has version {about['version']}, not {VERSION}")
        if about["number"] != number:
            raise ValueError(f"it holds trial {about['number']}")
        value = about["value"]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError("its value is no number")
        result = encoding.decode(number, about["state"], value, about["texts"])
        if (result.value is None) != (result.state is TrialState.FAIL) and result.state is not TrialState.PRUNED:
            raise ValueError(f"its state is {result.state}, and its value {value}")
        count = about.get("score_arrays", 0)  # an older version kept none
        scores = scores_of(about["scores"], arrays[:count]) if count else None
        if scores is not None and scores.digest != result.scores_digest:
            raise ValueError("its scores are not those that it tells of")
        weights = arrays[count:] if about["weights"] else None
        if weights is not None and arrays_digest(weights) != result.weights_digest:
            raise ValueError("its weights are not those that it tells of")
        return replace(result, weights=weights, scores=scores)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its text is not what it should be ({error})") from error
