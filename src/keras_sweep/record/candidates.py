"""The trials that could have won, by their scores on every validation row: ties with the winner, and its estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from keras_sweep.errors import RecordError
from keras_sweep.record.saved import load_scores_of, select_scored
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import Behind, Estimate
from keras_sweep.trial.ranking import has_value, score, unsteadiness
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import Kind, RowScores

if TYPE_CHECKING:  # who only reads what is kept does without NumPy
    from keras_sweep.honest.estimate import FirstChoice
    from keras_sweep.honest.scores import Scores

MOST_COMPARED = 256  # best trials: what a worse one adds to the estimate is nothing


@dataclass(frozen=True)
class Candidates:
    """Trials in the order of their numbers: an order by rank would favour the best."""

    scores: Mapping[int, Sequence[RowScores]]  # by trial; of a finalist with the search's seed first, then with others
    trials: Sequence[Result]
    best: Result  # the winner, who is one of them
    objective: Objective
    seed: int  # of the draws

    @classmethod
    def load(
        cls, folder: SweepFolder, results: Sequence[Result], best: Result, objective: Objective, seed: int
    ) -> Candidates | None:
        """The candidates on the winner's validation rows whose scores are kept.

        None where too few are: not the winner's, under half of all, or not those of every finalist that decides.
        """
        expected = [one for one in select_scored(results, objective, best=MOST_COMPARED) if one.rows == best.rows]
        loaded = load_scores(folder, expected)
        if (own := loaded.get(best.number)) is None:
            return None
        form = (own.rows, own.kind is Kind.OUTPUTS)  # as many rows, and either outputs or a score a row
        scores = {number: [one] for number, one in loaded.items() if (one.rows, one.kind is Kind.OUTPUTS) == form}
        if 2 * len(scores) < len(expected):
            return None
        for one in results:
            if one.final and best.final and one.rows == best.rows:  # it decides
                if one.number not in scores or (seeds := load_seeds(folder, one)) is None:
                    return None
                scores[one.number] = seeds
        trials = [one for one in results if one.number in scores]
        return cls(scores, trials, best, objective, seed % 2**64)

    @cached_property
    def rows(self) -> int:
        return self.scores[self.best.number][0].rows

    def place_behind(self, by_value: Mapping[int, Behind]) -> dict[int, Behind]:
        """How far trials are behind the winner, with what the rows say of those that are compared.

        A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed.
        """
        first, behind = len(self.trials), dict(by_value)
        mean = [one.number for one in self.trials].index(self.best.number)
        models = [*self.scores.values(), self.scores[self.best.number][:1]]
        against = [mean if one.final is self.best.final else first for one in self.trials]
        _, errors, ties = pair_scores(models, [*against, first], self.objective, self.seed)
        for trial, error, tie in zip(self.trials, errors[:-1], ties[:-1], strict=True):
            if trial.number in behind:
                known = trial.number != self.best.number and error >= 0  # NaN where none is known
                distance = behind[trial.number].behind
                behind[trial.number] = Behind(distance, float(error) if known else None, bool(tie))
        return behind

    def estimate(self) -> Estimate | None:
        """What the winner is likely to score on new rows.

        None where the rows say nothing of it, as where it is the only finalist with such rows.
        """
        from keras_sweep.honest.estimate import estimate_winner

        among = [one.number for one in self.trials if one.final] or list(self.scores)
        naive, after = score(self.best)[0], None
        if naive is None or (self.best.final and len(among) < 2):
            return None
        if self.best.final:  # finalists were chosen among the complete trials of the search, each with one seed
            search = [one for one in self.trials if one.is_whole]
            first = stack_scores([self.scores[one.number][:1] for one in search], self.objective)
            after = first_choice(first, search, among, len(self.scores[self.best.number]), self.objective)
        return estimate_winner(
            stack_scores([self.scores[number] for number in among], self.objective),
            among.index(self.best.number),
            self.seed,
            naive=naive,
            share=self.objective.is_share,
            maximize=self.objective.goal is Goal.MAXIMIZE,
            after=after,
        )


def load_scores(folder: SweepFolder, trials: Iterable[Result]) -> dict[int, RowScores]:
    """The scores of trials, by number; those that are damaged or lost are left out."""
    loaded = {}
    for trial in trials:
        with suppress(RecordError):
            loaded[trial.number] = load_scores_of(folder, trial)
    return loaded


def load_seeds(folder: SweepFolder, recipe: Result) -> list[RowScores] | None:
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

    from keras_sweep.honest.estimate import FirstChoice

    numbers = [one.number for one in search]
    errors = np.array([one.stderr or 0.0 for one in search])
    unsteady = np.array([unsteadiness(one, objective) for one in search])
    return FirstChoice(scores, errors, unsteady, [numbers.index(one) for one in finalists], seeds)


def pair_scores(
    models: Sequence[Sequence[RowScores]], against: int | Sequence[int], objective: Objective, seed: int
) -> tuple[Any, Any, Any]:
    """How far each model is behind another on the same rows, the standard error of that, and whether it is a tie."""
    import numpy as np

    from keras_sweep.honest.ties import find_ties

    return find_ties(stack_scores(models, objective), np.array(against), seed, share=objective.is_share)


def stack_scores(models: Sequence[Sequence[RowScores]], objective: Objective) -> Any:
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
