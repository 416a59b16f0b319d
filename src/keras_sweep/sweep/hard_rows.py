"""Validation rows that no good trial gets right: labels that are wrong, or more than these models can learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.catalog import validation_table
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.record.reader import objective_of, read_attributes, read_results
from keras_sweep.record.row_scores import load_scores, scores_file, with_scores
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.weights import load_weights, weights_file
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.comparison import comparison_of
from keras_sweep.sweep.recorded import backend_of, recorded_data, recorded_spec, unfollowed_spec
from keras_sweep.sweep.validation_outputs import as_probabilities, check_at_hand
from keras_sweep.sweep.winner import validation_outputs
from keras_sweep.training.row_values import ACCURACIES
from keras_sweep.trial.comparison import PAIRED, Comparison
from keras_sweep.trial.events import Listener
from keras_sweep.trial.ranking import order_key
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind

if TYPE_CHECKING:
    import polars as pl

FEWEST = 5  # ties that are enough to be the good trials; else these are
BEST = 10
ASKED = 5  # of them, the best whose weights are kept, say what the rows are


@dataclass(frozen=True, slots=True)
class Missed:
    """Which rows all good trials get wrong."""

    trials: tuple[int, ...]  # the good ones, best first
    tied: bool  # whether they are all that tie with the best; else they are the best few
    rows: tuple[int, ...]  # among the validation rows, from 0
    total: int  # validation rows


@dataclass(frozen=True, slots=True)
class HardRow:
    """A row that no good trial gets right."""

    row: int  # among the validation rows, from 0
    label: str  # the class that it bears
    said: str | None  # the class that most of the asked trials name
    votes: int  # how many of them do


@dataclass(frozen=True)
class HardRows:
    """All of them; those that most trials agree on, and are surest of, come first."""

    missed: Missed
    rows: tuple[HardRow, ...]
    asked: tuple[int, ...]  # the trials whose saved weights said what the rows are
    why_not: str  # why none was asked; "" where some were
    data: SearchData = field(repr=False)
    table: pl.DataFrame | None = field(repr=False)  # [N] columns of the validation rows as read; None for arrays

    def __len__(self) -> int:
        return len(self.rows)


def missed_rows(
    folder: SweepFolder, attributes: Mapping[str, Any], results: Sequence[Result], comparison: Comparison
) -> Missed:
    """Counted from the scores that are kept of the good trials; nothing else is read.

    Good are those that tie with the best, or the best ten where fewer than five do.

    Raises:
        UsageError: no trial keeps which rows it gets right.
    """
    objective = objective_of(attributes)
    known = sorted(with_scores(results, objective), key=lambda result: order_key(result, objective))
    bits = [one for one in known if (one.scores_digest or "").startswith(f"{Kind.BITS}:")]
    ties = [one for one in bits if one.number in comparison.behind and comparison.behind[one.number].tie]
    tied = comparison.method == PAIRED and len(ties) >= FEWEST
    loaded = {}
    for one in ties if tied else bits[:BEST]:
        with suppress(RecordError):  # damaged, or lost: the others count
            loaded[one.number] = load_scores(scores_file(folder, one.number), one.scores_digest or "")
    if not loaded:
        raise UsageError(
            f"no trial of {folder.name!r} keeps which validation rows it gets right",
            hint=f"Sweeps that are ranked by an accuracy keep it; this one is ranked by {objective.name}"
            if objective.name.removeprefix("val_") not in ACCURACIES
            else "It was run by an older version, or its folder scores/ is lost",
        )
    total = next(iter(loaded.values())).rows
    right = np.zeros(total, bool)
    alike = {number: scores for number, scores in loaded.items() if scores.rows == total}
    for scores in alike.values():
        right |= scores.values() > 0
    return Missed(tuple(alike), tied, tuple(np.flatnonzero(~right).tolist()), total)


def hard_rows(folder: SweepFolder, emit: Listener, *, spec: SweepSpec | None = None, trust: bool = False) -> HardRows:
    """Those rows with their labels and, by the saved weights of the best good trials, what these take them for.

    `spec` stands for the recorded one where the user has just given it. Code that the record names is run only by
    `trust`: without, rows of its own can't be had, and a model of its own is not asked.

    Raises:
        UsageError: as `missed_rows`, the rows come from code that is not trusted, or another backend is needed.
        DataError: the rows are not on this machine.
        ChangedSweep: they are not those of the sweep.
        RecordError: weights are damaged.
    """
    attributes, results = read_attributes(folder), read_results(folder)
    missed = missed_rows(folder, attributes, results, comparison_of(folder, attributes, results))
    numbered = {one.number: one for one in results}
    asked = [numbered[number] for number in missed.trials if weights_file(folder, number).exists()][:ASKED]
    with StudyFile.open(folder) as study:
        own = spec or unfollowed_spec(study)
        may_ask = spec is not None or trust or own.model.kind != "python"
        if may_ask or own.data.kind == "python":
            own = spec or recorded_spec(study, trust=trust, emit=emit)
        check_at_hand(own)
        choose_backend(None, default=backend_of(asked[0]) if asked else None)
        own, data = recorded_data(study, own, emit, model=may_ask)
    if missed.total != len(data.validation):
        raise RecordError(f"the scores of {folder.name!r} are of {missed.total} rows, not {len(data.validation)}")
    places = np.array(missed.rows, np.intp)
    table = validation_table(own, data)
    labels = _labels(data, places)
    if not may_ask:
        why = "the record names the model's code, which runs only by `--trust`"
    else:
        why = "" if asked else "the weights of these trials are not kept"
    if why or not missed.rows or data.classes is None:
        rows = [HardRow(*one, None, 0) for one in zip(missed.rows, labels, strict=True)]
        return HardRows(missed, tuple(rows), (), why, data, table)
    outputs = np.stack([_outputs(own, data, one, folder, places) for one in asked])
    chosen = _agreed(missed.rows, labels, outputs, data.names_of_classes)
    return HardRows(missed, chosen, tuple(one.number for one in asked), "", data, table)


def _labels(data: SearchData, places: npt.NDArray[np.intp]) -> list[str]:
    if not (names := data.names_of_classes):
        return [str(value) for value in data.validation.y[places].tolist()]
    return [names[index] for index in data.validation.classes[places]]


def _outputs(
    spec: SweepSpec, data: SearchData, result: Result, folder: SweepFolder, places: npt.NDArray[np.intp]
) -> npt.NDArray[np.floating]:
    """[M, C] of one trial's model."""
    weights = load_weights(weights_file(folder, result.number), result.weights_digest)
    outputs = validation_outputs(spec, result, weights, data, places=places)
    return as_probabilities(outputs.reshape(len(places), -1))


def _agreed(
    rows: Sequence[int], labels: Sequence[str], outputs: npt.NDArray[np.floating], names: Sequence[str]
) -> tuple[HardRow, ...]:
    """The class that most name; of several the one that all together are surest of. `outputs`: [T, M, C]."""
    votes = (outputs.argmax(2)[:, :, None] == np.arange(outputs.shape[2])).sum(0)  # [M, C]
    sure = outputs.mean(0)
    said = np.where(votes == votes.max(1, keepdims=True), sure, -np.inf).argmax(1)
    each = np.arange(len(rows))
    order = np.lexsort((-sure[each, said], -votes[each, said]))
    return tuple(HardRow(rows[i], labels[i], names[said[i]], int(votes[i, said[i]])) for i in order)
