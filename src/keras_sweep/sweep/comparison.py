"""A sweep's record at one moment, and its trials against its winner on the rows that they were all scored on.

The comparison is computed once, at the end of a run, and kept beside the scores under a digest of the trials that it is
of, so that a reader has it at once and never another's. The record holds the digest of what is kept: where the file was
altered since, and of a sweep that runs or was cut short, the comparison is computed from the scores when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.record.facts import Facts, Refit
from keras_sweep.record.reader import read_sweep
from keras_sweep.record.saved import keeps_bits, load_scores_of, with_scores
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import (
    PAIRED,
    Behind,
    Comparison,
    marginal,
    with_company,
)
from keras_sweep.trial.ranking import best_training, can_win, has_value, order_key, score, unsteadiness, winner
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind, RowScores

if TYPE_CHECKING:  # who only reads what is kept does without NumPy
    from keras_sweep.honest.scores import Scores
    from keras_sweep.honest.two_choices import FirstChoice
    from keras_sweep.record.study_file import StudyFile

VERSION = 5
MOST_COMPARED = 256  # best trials: what a worse one adds to the estimate is nothing
MOST_BYTES = 64 * 2**20  # of the file
FEWEST_TIES = 5  # that are enough to be the good trials; else these are
GOOD_TRIALS = 10


@dataclass(frozen=True)
class RecordedSweep:
    """A sweep as its record had it at one moment."""

    folder: SweepFolder
    facts: Facts
    results: Sequence[Result]  # in the order of their numbers

    @classmethod
    def read(cls, folder: SweepFolder) -> RecordedSweep:
        """As the record is now. Raises RecordError."""
        return cls(folder, *read_sweep(folder))

    @property
    def objective(self) -> Objective:
        """What ranks the trials."""
        return self.facts.objective

    @cached_property
    def best(self) -> Result | None:
        """The winner; None where no trial can win."""
        return winner(self.results, self.objective)

    @property
    def refit(self) -> Refit | None:
        """The training on all rows, if it repeats the winner's."""
        return None if self.best is None else self.facts.refit_of(best_training(self.best, self.objective))

    @cached_property
    def comparison(self) -> Comparison:
        """What was kept of these very trials, else computed; by values alone where they have no scores of rows."""
        if not any(result.scores_digest for result in self.results):
            return marginal(self.results, self.objective)
        return self.kept_comparison or compared(self)

    @cached_property
    def kept_comparison(self) -> Comparison | None:
        """What a run kept of these very trials, if it stands there to the letter."""
        try:
            text = read_plain(self.folder.comparison, MOST_BYTES)
            if hashlib.sha256(text).hexdigest() != self.facts.comparison:
                return None
            kept = json.loads(text)
            return Comparison.from_json(kept) if kept["digest"] == self.digest else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    def trial(self, number: int) -> Result:
        """The trial of that number. Raises UsageError where there is none."""
        if 0 <= number < len(self.results):
            return self.results[number]
        last = f"they are numbered 0 to {len(self.results) - 1}" if self.results else "it has none yet"
        raise UsageError(f"sweep {self.folder.name!r} has no trial {number}: {last}")

    @property
    def digest(self) -> str:
        """Of all that the comparison depends on."""

        def said(result: Result) -> tuple[object, ...]:
            return result.state, result.value, result.stderr, result.engine, result.scores_digest

        facts, objective = self.facts, self.objective
        about: list[object] = [(VERSION, repr(objective), objective.take_best, facts.seed, facts.exhausted)]
        about += [objective.where] if objective.where else []
        about += rows if any(rows := [one.rows for one in self.results]) else []
        trials = [(order_key(one, objective), *said(one), *map(said, one.finalists)) for one in self.results]
        return hashlib.sha256(repr((about, trials)).encode()).hexdigest()


def keep_comparison(study: StudyFile, results: Sequence[Result]) -> Comparison:
    """Compute it, where that is not kept already, and keep it for readers. Raises RecordError."""
    sweep = RecordedSweep(study.folder, study.facts, results)
    comparison = sweep.comparison
    if sweep.kept_comparison is None and comparison.method == PAIRED:
        text = json.dumps({"digest": sweep.digest, **comparison.to_json()}) + "\n"
        study.set_attributes({"comparison": hashlib.sha256(text.encode()).hexdigest()})
        write_text(sweep.folder.comparison, text)
    return comparison


def compared(sweep: RecordedSweep) -> Comparison:
    """The winner against all trials that could have won; those without scores are compared by their values alone."""
    objective, best = sweep.objective, sweep.best
    by_value = marginal(sweep.results, objective)
    models = _models(sweep, best) if best is not None and best.scores_digest else {}
    if best is None or not models:
        return by_value
    import numpy as np

    from keras_sweep.honest.estimate import corrected
    from keras_sweep.honest.ties import more_trials, paired_ties

    seed = sweep.facts.seed % 2**64
    share = objective.is_share
    trials = [one for one in sweep.results if one.number in models]
    mean, first, own = list(models).index(best.number), len(models), models[best.number]
    # A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed, the last row.
    against = [mean if one.final is best.final else first for one in trials]
    scores = scores_matrix([*models.values(), own[:1]], objective)
    _, errors, ties = paired_ties(scores, np.array([*against, first]), seed, share=share)
    among = [one.number for one in trials if one.final] or list(models)
    naive = score(best)[0]
    assert naive is not None
    after = None
    if best.final:  # finalists were chosen among the complete trials of the search, each with one seed
        search = [one for one in trials if one.is_whole]
        of_search = scores_matrix([models[one.number][:1] for one in search], objective)
        finalists = [one.number for one in search if one.final]
        after = first_choice(of_search, search, finalists, len(own), objective)
    estimate = None
    if len(among) > 1 or not best.final:  # else what choosing it among finalists with other rows added is not known
        estimate = corrected(
            scores_matrix([models[number] for number in among], objective),
            among.index(best.number),
            seed,
            naive=naive,
            share=share,
            maximize=objective.goal is Goal.MAXIMIZE,
            after=after,
        )
    behind = dict(by_value.behind)
    for number, error, tie in zip(models, errors[:-1], ties[:-1], strict=True):
        if number in behind:
            stderr = float(error) if number != best.number and error >= 0 else None  # NaN where none is known
            behind[number] = Behind(behind[number].behind, stderr, bool(tie))
    more = None
    if sweep.facts.exhausted != len(sweep.results):
        values = [one.value for one in sweep.results if can_win(one, objective) and one.value is not None]
        more = more_trials([-objective.key(value) for value in values], behind)
    return Comparison(best.number, estimate, with_company(behind), PAIRED, own[0].rows, more)


def _models(sweep: RecordedSweep, best: Result) -> dict[int, list[RowScores]]:
    """The scores of the trials that could have won; of finalists those with the search's seed first, then with others.

    They are in the order of their numbers: an order by rank would favour the best. Trials with other validation rows
    than the winner are left out. There are none where too few are kept: not the winner's, under half of all, or not
    those of every finalist that decides.
    """
    expected = [one for one in with_scores(sweep.results, sweep.objective, best=MOST_COMPARED) if one.rows == best.rows]
    loaded = _loaded(sweep.folder, expected)
    own = loaded.get(best.number)
    if own is None:
        return {}
    # Alike are scores of as many rows, and either outputs or a score a row, as the winner's are.
    form = (own.rows, own.kind is Kind.OUTPUTS)
    alike = {number: [one] for number, one in loaded.items() if (one.rows, one.kind is Kind.OUTPUTS) == form}
    decide = [one for one in sweep.results if one.final and best.final and one.rows == best.rows]
    if 2 * len(alike) < len(expected) or any(one.number not in alike for one in decide):
        return {}
    for one in decide:
        seeds = scores_of_seeds(sweep.folder, one)
        if seeds is None:
            return {}
        alike[one.number] = seeds
    return alike


def _loaded(folder: SweepFolder, trials: Sequence[Result]) -> dict[int, RowScores]:
    """The scores of trials, by number; those that are damaged or lost are left out."""
    loaded = {}
    for trial in trials:
        with suppress(RecordError):
            loaded[trial.number] = load_scores_of(folder, trial)
    return loaded


def scores_of_seeds(folder: SweepFolder, recipe: Result) -> list[RowScores] | None:
    """The scores of a recipe with the search's seed, then with all others; None where any are not kept."""
    ended = [one for one in recipe.finalists if has_value(one)]
    try:
        kept = [load_scores_of(folder, one) for one in (recipe, *ended)]
    except RecordError:
        return None
    return kept if len({(one.rows, one.kind) for one in kept}) == 1 else None


def first_choice(
    scores: Scores, search: Sequence[Result], finalists: Sequence[int], seeds: int, objective: Objective
) -> FirstChoice:
    """That the finalists, numbers of trials, were chosen among these trials by these scores."""
    import numpy as np

    from keras_sweep.honest.two_choices import FirstChoice

    numbers = [one.number for one in search]
    errors = np.array([one.stderr or 0.0 for one in search])
    unsteady = np.array([unsteadiness(one, objective) for one in search])
    return FirstChoice(scores, errors, unsteady, [numbers.index(one) for one in finalists], seeds)


def scores_matrix(models: Sequence[Sequence[RowScores]], objective: Objective) -> Any:
    """All scores as the statistics take them: larger is better. Of a model with several seeds it is their mean."""
    import numpy as np

    from keras_sweep.honest.scores import METRICS, MeanScores, MetricScores

    sign = 1.0 if objective.goal is Goal.MAXIMIZE else -1.0
    if models[0][0].kind is not Kind.OUTPUTS:
        rows = [np.mean([one.values() for one in seeds], axis=0, dtype=np.float32) for seeds in models]
        return MeanScores(np.float32(sign) * np.stack(rows))
    metric = METRICS[objective.name.removeprefix("val_")]

    def of(outputs: Any, labels: Any, weights: Any = None) -> Any:
        on = metric(outputs, labels)
        return on if weights is None else lambda bags: on(bags * weights)

    return MetricScores([[of(*one.arrays) for one in seeds] for seeds in models], models[0][0].rows, sign)


@dataclass(frozen=True, slots=True)
class Missed:
    """Which validation rows all good trials get wrong: labels that are wrong, or more than these models can learn."""

    trials: tuple[int, ...]  # the good ones, best first
    tied: bool  # whether they are all that tie with the best; else they are the best few
    rows: tuple[int, ...]  # among the validation rows, from 0
    total: int  # validation rows


def missed_rows(sweep: RecordedSweep) -> Missed | None:
    """Counted from the kept scores of the good trials, those that tie with the best, or the best ten where few do.

    None where no trial keeps which rows it gets right.
    """
    import numpy as np

    behind = sweep.comparison.behind
    same_rows = [one for one in sweep.results if sweep.best is None or one.rows == sweep.best.rows]
    known = filter(keeps_bits, with_scores(same_rows, sweep.objective))
    bits = sorted(known, key=lambda one: order_key(one, sweep.objective))
    ties = [one for one in bits if one.number in behind and behind[one.number].tie]
    tied = sweep.comparison.method == PAIRED and len(ties) >= FEWEST_TIES
    loaded = _loaded(sweep.folder, ties if tied else bits[:GOOD_TRIALS])
    if not loaded:
        return None
    total = next(iter(loaded.values())).rows
    alike = {number: scores for number, scores in loaded.items() if scores.rows == total}
    right = np.any([scores.values() > 0 for scores in alike.values()], axis=0)
    return Missed(tuple(alike), tied, tuple(np.flatnonzero(~right).tolist()), total)
