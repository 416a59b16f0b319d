"""Compare the trials that could have won by their scores on every validation row, and estimate the winner's score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_sweep.errors import RecordError
from keras_sweep.honest.best_set import BestSet, find_best_set
from keras_sweep.honest.estimate import FirstChoice, estimate_winner
from keras_sweep.honest.scores import METRICS, MeanScores, Metric, MetricScores, Scores
from keras_sweep.honest.standard_error import Floats
from keras_sweep.record.saved import MOST_COMPARED, load_scores_of, select_scored
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import Behind, Estimate
from keras_sweep.trial.ranking import has_value, score, unsteadiness
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind, RowScores
from keras_sweep.trial.units import Units

MOST_VALUES = 50_000_000  # scores of rows in memory: fewer trials are compared if there are many rows
FEWEST_COMPARED = 256
MOST_ROWS = 200_000  # validation rows that are compared; more take memory and change little


@dataclass(frozen=True)
class Candidates:
    """The winner, the trials to compare with it, and their scores on each row.
    Trials are ordered by number. In an order by rank, the winner would win every draw between equal scores."""

    scores: Mapping[int, Sequence[RowScores]]  # trial number -> an item per seed, the search's seed first
    trials: Sequence[Result]
    best: Result  # the winner, included in `trials`
    objective: Objective
    seed: int  # of the random draws
    unscored: frozenset[int] = frozenset()  # other trials with the winner's validation rows
    all_rows: int | None = None  # the number of validation rows, if the scores are of MOST_ROWS rows drawn by `seed`

    @classmethod
    def load(
        cls, folder: SweepFolder, results: Sequence[Result], best: Result, objective: Objective, seed: int
    ) -> Candidates | None:
        """Load the scores of the best 1,000 trials that can win and have the winner's validation rows.
        `results` are all trials, `best` is the winner, `seed` is for random draws (if there are over MOST_ROWS rows, of
        rows too). Returns None if scores of the winner, over half of the trials, or any finalist's seed are missing."""
        if (best_scores := load_scores(folder, [best]).get(best.number)) is None:
            return None
        most = min(max(MOST_VALUES // min(best_scores.rows, MOST_ROWS), FEWEST_COMPARED), MOST_COMPARED)
        expected = [trial for trial in select_scored(results, objective, best=most) if trial.rows == best.rows]
        loaded = load_scores(folder, expected)
        # Trials can be compared if they have the same number of rows, and all have outputs or all a score per row.
        form = (best_scores.rows, best_scores.kind is Kind.OUTPUTS)
        scores = {number: [part] for number, part in loaded.items() if (part.rows, part.kind is Kind.OUTPUTS) == form}
        if 2 * len(scores) < len(expected):
            return None
        for trial in results:
            if trial.final and best.final and trial.rows == best.rows:  # finalists decide the winner
                if trial.number not in scores or (seeds := load_seeds(folder, trial)) is None:
                    return None
                scores[trial.number] = seeds
        trials = [trial for trial in results if trial.number in scores]
        unscored = frozenset(trial.number for trial in results if trial.rows == best.rows) - scores.keys()
        seed, rows = seed % 2**64, best_scores.rows
        if rows <= MOST_ROWS:
            return cls(scores, trials, best, objective, seed, unscored)
        places = np.sort(np.random.default_rng([seed, 3]).choice(rows, MOST_ROWS, replace=False))
        drawn = {number: [part.take(places) for part in parts] for number, parts in scores.items()}
        return cls(drawn, trials, best, objective, seed, unscored, rows)

    @cached_property
    def units(self) -> Units:
        return units_of(self.scores[self.best.number][0])

    def measure_behind(self, by_value: Mapping[int, Behind]) -> dict[int, Behind]:
        """Add standard errors and the best set, from row scores, to `by_value` (number -> how far behind the winner).
        A mean over seeds is compared with means, a single seed with the winner's first seed. A trial whose scores were
        not kept is in the set if its distance is small enough for the compared trial with the largest error."""
        numbers = [trial.number for trial in self.trials]
        finalists = [index for index, trial in enumerate(self.trials) if trial.final and self.best.final]
        first = stack_scores([self.scores[number][:1] for number in numbers], self.objective)
        means = [self.scores[numbers[index]] for index in finalists]
        best_set = find_best_set(
            first,
            numbers.index(self.best.number),
            self.seed,
            share=self.objective.is_share,
            means=stack_scores(means, self.objective) if means else None,
            finalists=finalists,
        )
        behind = {
            number: Behind(gap.behind, None, number in self.unscored and gap.behind <= best_set.reach)
            for number, gap in by_value.items()
        }
        for number, error, is_member in zip(numbers, best_set.stderr, best_set.members, strict=True):
            if number in behind:
                is_measured = number != self.best.number and error >= 0  # an unknown error is NaN
                distance = behind[number].behind
                behind[number] = Behind(distance, float(error) if is_measured else None, bool(is_member))
        return behind

    def estimate(self) -> Estimate | None:
        """Estimate the winner's score on new rows. None if the winner is a finalist, and fewer than two have scores."""
        rivals = [trial.number for trial in self.trials if trial.final] or list(self.scores)
        naive, after = score(self.best)[0], None
        if naive is None or (self.best.final and len(rivals) < 2):
            return None
        if self.best.final:  # the finalists were chosen among the complete trials of the search, by a seed each
            search = [trial for trial in self.trials if trial.is_whole]
            scores = stack_scores([self.scores[trial.number][:1] for trial in search], self.objective)
            errors = np.array([trial.stderr or 0.0 for trial in search])
            unsteady = np.array([unsteadiness(trial, self.objective) for trial in search])
            places = [[trial.number for trial in search].index(number) for number in rivals]
            after = FirstChoice(scores, errors, unsteady, places, len(self.scores[self.best.number]))
        return estimate_winner(
            stack_scores([self.scores[number] for number in rivals], self.objective),
            rivals.index(self.best.number),
            self.units,
            self.seed,
            naive=naive,
            share=self.objective.is_share,
            maximize=self.objective.goal is Goal.MAXIMIZE,
            after=after,
        )


def load_scores(folder: SweepFolder, trials: Iterable[Result]) -> dict[int, RowScores]:
    """Load the scores of `trials`: trial number -> scores. Leave out trials whose file is damaged or missing."""
    loaded = {}
    for trial in trials:
        with suppress(RecordError):
            loaded[trial.number] = load_scores_of(folder, trial)
    return loaded


def load_seeds(folder: SweepFolder, trial: Result) -> list[RowScores] | None:
    """Load a trial's scores per seed: the trial's own, then the scores of its finalists, without failed finalists.
    Returns None if scores are missing or damaged, or differ in kind or number of rows."""
    finalists = [finalist for finalist in trial.finalists if has_value(finalist)]
    try:
        scores = [load_scores_of(folder, training) for training in (trial, *finalists)]
    except RecordError:
        return None
    return scores if len({(seed_scores.rows, seed_scores.kind) for seed_scores in scores}) == 1 else None


def units_of(scores: RowScores) -> Units:
    return scores.units or Units.from_rows(scores.rows)


def compare_models(models: Sequence[Sequence[RowScores]], best: int, objective: Objective, seed: int) -> BestSet:
    """Find which of K models (each: scores per seed) may be the best. `best` is the index of the best by its value,
    `seed` is of random draws."""
    return find_best_set(stack_scores(models, objective), best, seed, share=objective.is_share)


def stack_scores(models: Sequence[Sequence[RowScores]], objective: Objective) -> Scores:
    """Stack K models (each: scores per seed) to a `MeanScores` or `MetricScores`. Scores to minimize are negated."""
    sign, units = 1.0 if objective.goal is Goal.MAXIMIZE else -1.0, units_of(models[0][0])
    if models[0][0].kind is not Kind.OUTPUTS:
        rows = [np.mean([scores.values() for scores in seeds], axis=0, dtype=np.float32) for seeds in models]
        return MeanScores.from_rows(np.float32(sign) * np.stack(rows), units)
    metric = METRICS[objective.name.removeprefix("val_")]

    def score_bags(outputs: Floats, labels: Floats, weights: Floats | None = None) -> Metric:
        score = metric(outputs, labels)
        return score if weights is None else lambda bags: score(bags * weights)

    return MetricScores([[score_bags(*scores.arrays) for scores in seeds] for seeds in models], units, sign)
