"""Compute the winner's outputs on the validation rows. Find the rows that every good trial gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import image_set
from keras_sweep.data.split import read_parts
from keras_sweep.errors import DataError
from keras_sweep.record.candidates import load_scores
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import has_bits, load_weights_of, select_scored
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.winner import as_probabilities, compute_validation_outputs
from keras_sweep.trial.comparison import PAIRED
from keras_sweep.trial.ranking import order_key
from keras_sweep.trial.result import Result

if TYPE_CHECKING:
    import polars as pl

FEWEST_TIES = 5  # with fewer tied trials, the good trials are the best GOOD_TRIALS
GOOD_TRIALS = 10


@dataclass(frozen=True)
class ValidationOutputs:
    data: SearchData
    outputs: npt.NDArray[np.floating]  # [N, C] or [N, 1]
    table: pl.DataFrame | None  # [N] columns as read; None for arrays

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes. () if a row can have no class, or several."""
        return self.data.names_of_classes

    @cached_property
    def chosen(self) -> npt.NDArray[np.intp]:
        """The index of the predicted class, [rows]."""
        return np.asarray(as_probabilities(self.outputs).argmax(axis=1), np.intp)

    @cached_property
    def certainty(self) -> npt.NDArray[np.floating]:
        """The probability of the predicted class, [rows]."""
        return np.asarray(as_probabilities(self.outputs).max(axis=1))


def compute_winner_outputs(sweep: OpenSweep, best: Result) -> ValidationOutputs:
    """Compute the outputs of the winner `best` on the validation rows from saved weights, without opening a model file.
    Raises RecordError if no weights are saved, DataError if the pictures are missing or the model has several outputs.
    Also raises as `OpenSweep.load`."""
    pictures = image_set(sweep.recorded_spec.data)
    if pictures is not None and pictures.find() is None:
        raise DataError(f"the files of {pictures.name} are not on this machine", hint="`sweep data` fetches them")
    spec, data = sweep.load(best)
    outputs = compute_validation_outputs(spec, best, load_weights_of(sweep.folder, best), data)
    if not isinstance(outputs, np.ndarray):
        raise DataError("the predictions of a model with several outputs can't be drawn")
    table: Any = None if data.preprocessing is None else read_parts(spec).validation.x
    if isinstance(table, np.ndarray):  # windows of a series
        table = None
    return ValidationOutputs(data, outputs.reshape(len(outputs), -1), table)


@dataclass(frozen=True, slots=True)
class Missed:
    """Validation rows that all good trials get wrong: wrong labels, or rows too hard for these models."""

    trials: tuple[int, ...]  # good trials, best first
    tied: bool  # whether the good trials are all trials tied with the best; else they are the best few
    rows: tuple[int, ...]  # indices of validation rows, from 0
    total: int  # validation rows


def find_missed_rows(sweep: RecordedSweep) -> Missed | None:
    """Find the validation rows that all good trials get wrong. The good trials are the trials tied with the best, or
    the ten best trials if fewer than five are tied. Return None if no good trial has saved its score of each row."""
    behind = sweep.comparison.behind
    same_rows = [trial for trial in sweep.results if sweep.best is None or trial.rows == sweep.best.rows]
    candidates = filter(has_bits, select_scored(same_rows, sweep.objective))
    ranked = sorted(candidates, key=lambda trial: order_key(trial, sweep.objective))
    ties = [trial for trial in ranked if trial.number in behind and behind[trial.number].tie]
    tied = sweep.comparison.method == PAIRED and len(ties) >= FEWEST_TIES
    loaded = load_scores(sweep.folder, ties if tied else ranked[:GOOD_TRIALS])
    if not loaded:
        return None
    total = next(iter(loaded.values())).rows
    comparable = {number: scores for number, scores in loaded.items() if scores.rows == total}
    right = np.any([scores.values() > 0 for scores in comparable.values()], axis=0)
    return Missed(tuple(comparable), tied, tuple(np.flatnonzero(~right).tolist()), total)
