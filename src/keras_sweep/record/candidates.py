"""Compare the trials that could have won by their scores on every validation row, and estimate the winner's score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_sweep.errors import RecordError
from keras_sweep.honest.estimate import FirstChoice, estimate_winner
from keras_sweep.honest.scores import METRICS, Floats, MeanScores, Metric, MetricScores, Scores
from keras_sweep.honest.ties import Mask, find_ties
from keras_sweep.record.saved import MOST_COMPARED, load_scores_of, select_scored
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import Behind, Estimate
from keras_sweep.trial.ranking import has_value, score, unsteadiness
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind, RowScores

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
    all_rows: int | None = None  # the number of validation rows, if the scores are of MOST_ROWS rows drawn by `seed`

    @classmethod
    def load(
        cls, folder: SweepFolder, results: Sequence[Result], best: Result, objective: Objective, seed: int
    ) -> Candidates | None:
        """Load the scores of the best 256 trials that can win and have the winner's validation rows.
        `results` are all trials, `best` is the winner, `seed` is for random draws (if there are over MOST_ROWS rows, of
        rows too). Returns None if scores of the winner, over half of the trials, or any finalist's seed are missing."""
        expected = [trial for trial in select_scored(results, objective, best=MOST_COMPARED) if trial.rows == best.rows]
        loaded = load_scores(folder, expected)
        if (best_scores := loaded.get(best.number)) is None:
            return None
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
        seed, rows = seed % 2**64, best_scores.rows
        if rows <= MOST_ROWS:
            return cls(scores, trials, best, objective, seed)
        places = np.sort(np.random.default_rng([seed, 3]).choice(rows, MOST_ROWS, replace=False))
        drawn = {number: [part.take(places) for part in parts] for number, parts in scores.items()}
        return cls(drawn, trials, best, objective, seed, rows)

    @cached_property
    def rows(self) -> int:
        return self.scores[self.best.number][0].rows

    def measure_behind(self, by_value: Mapping[int, Behind]) -> dict[int, Behind]:
        """Add standard errors and ties, from row scores, to `by_value` (trial number -> how far behind the winner).
        A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed."""
        first, behind = len(self.trials), dict(by_value)
        mean = [trial.number for trial in self.trials].index(self.best.number)
        models = [*self.scores.values(), self.scores[self.best.number][:1]]
        opponents = [mean if trial.final is self.best.final else first for trial in self.trials]
        _, errors, ties = pair_scores(models, [*opponents, first], self.objective, self.seed)
        for trial, error, tie in zip(self.trials, errors[:-1], ties[:-1], strict=True):
            if trial.number in behind:
                is_measured = trial.number != self.best.number and error >= 0  # an unknown error is NaN
                distance = behind[trial.number].behind
                behind[trial.number] = Behind(distance, float(error) if is_measured else None, bool(tie))
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


def pair_scores(
    models: Sequence[Sequence[RowScores]], against: int | Sequence[int], objective: Objective, seed: int
) -> tuple[Floats, Floats, Mask]:
    """Compare K models (each: scores per seed) with the model `against`, an index, or an index for each model.
    `seed`: of random draws. Returns [K] arrays: distance (above 0: worse), its standard error, and whether tied."""
    return find_ties(stack_scores(models, objective), np.array(against), seed, share=objective.is_share)


def stack_scores(models: Sequence[Sequence[RowScores]], objective: Objective) -> Scores:
    """Stack K models (each: scores per seed) to a `MeanScores` or `MetricScores`. Scores to minimize are negated."""
    sign = 1.0 if objective.goal is Goal.MAXIMIZE else -1.0
    if models[0][0].kind is not Kind.OUTPUTS:
        rows = [np.mean([scores.values() for scores in seeds], axis=0, dtype=np.float32) for seeds in models]
        return MeanScores(np.float32(sign) * np.stack(rows))
    metric = METRICS[objective.name.removeprefix("val_")]

    def score_bags(outputs: Floats, labels: Floats, weights: Floats | None = None) -> Metric:
        score = metric(outputs, labels)
        return score if weights is None else lambda bags: score(bags * weights)

    return MetricScores([[score_bags(*scores.arrays) for scores in seeds] for seeds in models], models[0][0].rows, sign)
