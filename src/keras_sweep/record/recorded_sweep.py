"""A snapshot of a sweep's record: its trials, its winner, and the comparison of the other trials with the winner.

A run saves the comparison at its end, in a file beside the scores, with a digest of the trials. The record has the
digest of the file. If a digest differs, for example while a sweep runs, readers compute the comparison again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.record.facts import Facts, Refit
from keras_sweep.record.reader import reading
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Comparison, compare_by_value, drop_lonely_ties
from keras_sweep.trial.ranking import best_training, can_win, comparable, is_imported, order_key, winner
from keras_sweep.trial.result import DIVERGED, Result

if TYPE_CHECKING:
    from keras_sweep.record.study_file import StudyFile

VERSION = 6  # of the comparison's file
MOST_BYTES = 64 * 2**20  # of the comparison's file
CHOOSE_AGAIN = "Change `where` in `finish: {choose: ...}`. Then the same command chooses again among these trials"


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep's attributes and trials, as they were in the record when `read` was called."""

    folder: SweepFolder
    facts: Facts
    results: Sequence[Result]  # in the order of their numbers

    @classmethod
    def read(cls, folder: SweepFolder) -> RecordedSweep:
        with reading(folder) as study:
            return cls(folder, study.facts, study.load_results())

    @property
    def objective(self) -> Objective:
        return self.facts.objective

    @cached_property
    def best(self) -> Result | None:
        return winner(self.results, self.objective)

    @property
    def refit(self) -> Refit | None:
        """The winner's training on training and validation rows, or None if the winner was not trained again."""
        return None if self.best is None else self.facts.refit_of(best_training(self.best, self.objective))

    @cached_property
    def comparison(self) -> Comparison:
        """The comparison of all trials with the winner: loaded if a run saved it, else computed as by `compare`."""
        return self.comparison_in_record or self.compare()

    def compare(self) -> Comparison:
        """Compare the winner with all trials that could have won, row by row.
        Trials without scores on each row are compared by the value that ranks them."""
        objective, best, by_value = self.objective, self.best, compare_by_value(self.results, self.objective)
        if best is None or not best.scores_digest:
            return by_value
        from keras_sweep.honest.best_set import more_trials  # here, since reading a saved comparison needs no NumPy
        from keras_sweep.record.candidates import Candidates

        candidates = Candidates.load(self.folder, self.results, best, objective, self.facts.seed)
        if candidates is None:
            return by_value
        behind, more = candidates.measure_behind(by_value.behind), None
        if self.facts.exhausted != len(self.results):
            values = [trial.value for trial in self.results if can_win(trial, objective) and trial.value is not None]
            more = more_trials([-objective.key(value) for value in values], behind)
        estimate = candidates.estimate()
        units, ties = candidates.units, drop_lonely_ties(behind)
        return Comparison(best.number, estimate, ties, len(units), more, candidates.all_rows, units.describe())

    @cached_property
    def comparison_in_record(self) -> Comparison | None:
        """The comparison that a run saved; None if its file is missing or altered, or trials have changed since."""
        try:
            text = read_plain(self.folder.comparison, MOST_BYTES)
            if hashlib.sha256(text).hexdigest() != self.facts.comparison:
                return None
            content = json.loads(text)
            return Comparison.from_json(content) if content.pop("digest") == self.digest else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def trial(self, number: int) -> Result:
        """Return the trial `number`. Raises UsageError if no trial has this number."""
        if 0 <= number < len(self.results):
            return self.results[number]
        last = f"its trials are 0 to {len(self.results) - 1}" if self.results else "it has no trials yet"
        raise UsageError(f"the sweep {self.folder.name!r} has no trial {number}: {last}")

    def require_winner(self) -> Result:
        """Return the winner. Raises RecordError, which says why, if no trial can win."""
        if self.best is not None:
            return self.best
        name = self.folder.name
        trained = [trial for trial in self.results if not is_imported(trial)]
        if not self.results:
            raise RecordError(f"no trial of the sweep {name!r} has completed", hint="Run the sweep")
        if not trained:
            message = f"the sweep {name!r} has only imported trials, which have no weights and can't win"
            raise RecordError(message, hint="Train trials with `sweep run` and the space file of the sweep")
        if any(comparable(trial, self.objective) for trial in trained):
            raise RecordError(f"no trial of the sweep {name!r} meets `{self.objective.where}`", hint=CHOOSE_AGAIN)
        hint = f"`sweep show {name} {trained[0].number}` shows more"
        if any(trial.reason == DIVERGED for trial in trained):
            hint += ". If trials diverge, lower the learning rate, or scale inputs and target to about -1 to 1"
        if any(trial.is_out_of_memory for trial in trained):
            hint += ". If memory is short, lower `batch_size` and the sizes of the model"
        raise RecordError(f"no trial of the sweep {name!r} has completed: {why_none(trained)}", hint=hint)

    def training(self, number: int | None) -> Result:
        """Return the trial `number`. If `number` is None, return the winner's training with the best seed.
        Raises UsageError for an unknown number, RecordError if there is no winner."""
        return best_training(self.require_winner(), self.objective) if number is None else self.trial(number)

    def keep_comparison(self, study: StudyFile) -> None:
        """Save the comparison in a file, and the file's digest in `study`. Raises RecordError.
        Does nothing if the comparison is saved already, or was made without scores on each row."""
        if self.comparison_in_record is None and self.comparison.rows is not None:
            text = json.dumps({"digest": self.digest, **self.comparison.to_json()}) + "\n"
            study.set_attributes({"comparison": hashlib.sha256(text.encode()).hexdigest()})
            write_text(self.folder.comparison, text)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 (hex) of all that the comparison depends on, to notice that a saved comparison is outdated."""
        facts, objective = self.facts, self.objective
        to_key = attrgetter("state", "value", "stderr", "engine", "scores_digest")
        about: list[object] = [(VERSION, repr(objective), objective.take_best, facts.seed, facts.exhausted)]
        about += [objective.where] if objective.where else []
        about += rows if any(rows := [trial.rows for trial in self.results]) else []
        parts = [(order_key(trial, objective), *to_key(trial), *map(to_key, trial.finalists)) for trial in self.results]
        return hashlib.sha256(repr((about, parts)).encode()).hexdigest()


def why_none(results: Sequence[Result]) -> str:
    """Return the most common reason why trials did not complete, and the first trial that ended like this.
    For example: "4 of 4 ended like trial 0: diverged (loss inf in epoch 1)"."""
    reasons = Counter(trial.reason for trial in results)
    most, count = reasons.most_common(1)[0]
    first = next(trial for trial in results if trial.reason == most)
    last = {name: values[-1] for name, values in first.curve.items() if values and not math.isfinite(values[-1])}
    where = f" ({', '.join(f'{name} {value}' for name, value in last.items())} in epoch {first.epochs})" if last else ""
    return f"{count} of {len(results)} ended like trial {first.number}: {most or first.state}{where}"
