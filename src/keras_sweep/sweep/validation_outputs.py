"""What models say of the validation rows: the winner's outputs, and the rows that no good model gets right."""

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
from keras_sweep.sweep.winner import as_probabilities, validation_outputs
from keras_sweep.trial.comparison import PAIRED
from keras_sweep.trial.ranking import order_key

if TYPE_CHECKING:
    import polars as pl

FEWEST_TIES = 5  # that are enough to be the good trials; else these are
GOOD_TRIALS = 10


@dataclass(frozen=True)
class ValidationOutputs:
    """The outputs of a trial's model on the validation rows."""

    data: SearchData
    outputs: npt.NDArray[np.floating]  # [N, C] or [N, 1]
    table: pl.DataFrame | None  # [N] the columns of the rows as they were read; None for arrays

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names; () where a row has no class, or more than one."""
        return self.data.names_of_classes

    @cached_property
    def chosen(self) -> npt.NDArray[np.intp]:
        """[N] the class that the model names."""
        return np.asarray(as_probabilities(self.outputs).argmax(axis=1), np.intp)

    @cached_property
    def certainty(self) -> npt.NDArray[np.floating]:
        """[N] how sure the model is of the class that it names, from 0 to 1."""
        return np.asarray(as_probabilities(self.outputs).max(axis=1))


def winner_outputs(sweep: OpenSweep) -> ValidationOutputs:
    """The winner's outputs, from its saved arrays: no model file is opened.

    Raises as `OpenSweep.load`; RecordError: its weights are not kept; DataError: its pictures are not here.
    """
    pictures = image_set(sweep.recorded_spec.data)
    if pictures is not None and pictures.find() is None:
        raise DataError(f"the files of {pictures.name} are not on this machine", hint="`sweep data` fetches them")
    best = sweep.training(None)
    spec, data = sweep.load(best)
    outputs = validation_outputs(spec, best, load_weights_of(sweep.folder, best), data)
    if not isinstance(outputs, np.ndarray):
        raise DataError(f"what the model of several outputs says of each row of {data.name} is not drawn")
    table: Any = None if data.preprocessing is None else read_parts(spec).validation.x
    if isinstance(table, np.ndarray):  # windows of a series
        table = None
    return ValidationOutputs(data, outputs.reshape(len(outputs), -1), table)


@dataclass(frozen=True, slots=True)
class Missed:
    """Which validation rows all good trials get wrong: labels that are wrong, or more than these models can learn."""

    trials: tuple[int, ...]  # the good ones, best first
    tied: bool  # whether they are all that tie with the best; else they are the best few
    rows: tuple[int, ...]  # among the validation rows, from 0
    total: int  # validation rows


def find_missed_rows(sweep: RecordedSweep) -> Missed | None:
    """Counted from the kept scores of the good trials, those that tie with the best, or the best ten where few do.

    None where no trial keeps which rows it gets right.
    """
    behind = sweep.comparison.behind
    same_rows = [one for one in sweep.results if sweep.best is None or one.rows == sweep.best.rows]
    known = filter(has_bits, select_scored(same_rows, sweep.objective))
    bits = sorted(known, key=lambda one: order_key(one, sweep.objective))
    ties = [one for one in bits if one.number in behind and behind[one.number].tie]
    tied = sweep.comparison.method == PAIRED and len(ties) >= FEWEST_TIES
    loaded = load_scores(sweep.folder, ties if tied else bits[:GOOD_TRIALS])
    if not loaded:
        return None
    total = next(iter(loaded.values())).rows
    alike = {number: scores for number, scores in loaded.items() if scores.rows == total}
    right = np.any([scores.values() > 0 for scores in alike.values()], axis=0)
    return Missed(tuple(alike), tied, tuple(np.flatnonzero(~right).tolist()), total)
