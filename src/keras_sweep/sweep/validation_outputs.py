"""Compute the winner's outputs on the validation rows. Find the rows that every good trial gets wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import image_set
from keras_sweep.data.split import read_parts
from keras_sweep.errors import DataError, SweepError
from keras_sweep.record.candidates import load_scores
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import has_bits, load_weights_of, select_scored
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.winner import as_probabilities
from keras_sweep.system.processes import limit_process, list_cores
from keras_sweep.training.folds import compute_validation_outputs
from keras_sweep.trial.ranking import order_key
from keras_sweep.trial.result import Result

if TYPE_CHECKING:
    import polars as pl

MOST_SECONDS = 300.0  # of the process that computes the winner's outputs
MOST_MEMORY = 0.75  # of the memory that is free
RANGE_ROWS = 1_000  # training rows, whose range the pictures need
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


def read_winner_outputs(sweep: OpenSweep, best: Result) -> ValidationOutputs:
    """Call `compute_winner_outputs` in a process of its own, with a limit of time and memory. If the caller gave a
    spec, which may have objects of this process, call it here. Raises SweepError at a limit, and as that function."""
    import psutil

    from keras_sweep.training.workers.processes import WORKER_ENV, PoolProcess

    _ = sweep.spec_with_code  # raises if the user does not trust the code
    if sweep.user_spec is not None:
        return compute_winner_outputs(sweep, best)
    memory = int(MOST_MEMORY * psutil.virtual_memory().available)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = PoolProcess(list_cores(), Path(folder, "call"), WORKER_ENV)
        try:
            arguments = sweep.folder, best, sweep.trusts, sweep.backend, MOST_SECONDS, memory
            return process.call(_compute_limited, *arguments)  # type: ignore[no-any-return]
        except ChildProcessError as error:
            limits = f"{MOST_SECONDS:g} s or {memory / 2**30:.1f} GB of memory"
            raise SweepError(f"the winner's outputs need more than {limits}") from error
        finally:
            process.end()


def _compute_limited(
    folder: SweepFolder, best: Result, trust: bool, backend: str | None, *limits: Any
) -> ValidationOutputs:
    limit_process(*limits)
    with OpenSweep(folder, trust=trust, backend=backend) as sweep:
        outputs = compute_winner_outputs(sweep, best)
    few = outputs.data.train.take(np.arange(min(len(outputs.data.train), RANGE_ROWS)))
    few_data = replace(outputs.data, train=few, preprocessing=None, stream=None, folds=(), variants={})
    return replace(outputs, data=few_data)


def compute_winner_outputs(sweep: OpenSweep, best: Result) -> ValidationOutputs:
    """Compute the outputs of the winner `best` on the validation rows from saved weights, without opening a model file.
    Raises RecordError if no weights are saved, DataError if the pictures are missing or the model has several outputs.
    Also raises as `OpenSweep.load`."""
    if (pictures := image_set(sweep.recorded_spec.data)) is not None and pictures.find() is None:
        raise DataError(f"the files of {pictures.name} are not on this machine", hint="`sweep data` fetches them")
    spec, data = sweep.load(best)
    weights = load_weights_of(sweep.folder, best)
    outputs = compute_validation_outputs(spec, best.params, weights, data, name=best.name)
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
    tied = sweep.comparison.rows is not None and len(ties) >= FEWEST_TIES
    loaded = load_scores(sweep.folder, ties if tied else ranked[:GOOD_TRIALS])
    if not loaded:
        return None
    total = next(iter(loaded.values())).rows
    comparable = {number: scores for number, scores in loaded.items() if scores.rows == total}
    right = np.any([scores.values() > 0 for scores in comparable.values()], axis=0)
    return Missed(tuple(comparable), tied, tuple(np.flatnonzero(~right).tolist()), total)
