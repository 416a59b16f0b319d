"""How much each parameter matters for reaching the best tenth (PED-ANOVA), and how far these trials settle that.

Watanabe, Bansal, Hutter 2023, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary subspaces".
"""

import contextlib
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_sweep.space.distributions import to_scalar
from keras_sweep.space.search_space import Objective
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names

RESAMPLES = 40
MOST_RESAMPLED = 500  # trials of one resample: of more it takes long, and their whiskers are short
MOST_TRIALS = 5000  # in the estimate itself
FEWEST = 10  # trials, below which nothing is said
WHISKER = 0.05  # share of the resamples beyond each end of a whisker


@dataclass(frozen=True, slots=True)
class Importance:
    """One parameter's share; all shares add up to 1."""

    name: str
    share: float
    low: float  # 90 % of the resamples lie from here
    high: float  # to here


def importances(
    rows: Sequence[LeaderboardRow], objective: Objective, distributions: Mapping[str, str]
) -> list[Importance]:
    """The parameters, most important first; none where there are too few trials or parameters."""
    rows = [row for row in rows if row.comparable and row.value is not None]
    varying = varying_names(rows)
    # What is read off a curve is how long a trial was let train, as good ones are: no cause of their values.
    read = {"epochs"} if any(row.reads_epochs for row in rows) else set()
    names = [name for name in distributions if name in varying and name not in read]
    if len(rows) < FEWEST or len(names) < 2:
        return []
    import optuna

    known = {}
    for name in names:
        with contextlib.suppress(ValueError, TypeError, KeyError):  # a record may be somebody else's
            known[name] = optuna.distributions.json_to_distribution(distributions[name])
    draw = random.Random(0)  # the same page from the same record
    evaluator, storage = optuna.importance.PedAnovaImportanceEvaluator(), optuna.storages.InMemoryStorage()

    class Resample(optuna.Study):
        """Trials that were drawn, as they are: to copy each into a storage takes longer than all else."""

        drawn: list[optuna.trial.FrozenTrial]

        def get_trials(self, *_: object, **__: object) -> list[optuna.trial.FrozenTrial]:
            return self.drawn

        def shares(self, drawn: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
            self.drawn = drawn
            found = evaluator.evaluate(self)
            total = sum(found.values())
            return {name: found.get(name, 0.0) / total if total else 0.0 for name in known}

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(storage=storage, direction=objective.goal.value)
        for row in rows if len(rows) <= MOST_TRIALS else draw.sample(rows, MOST_TRIALS):
            params = {name: to_scalar(row.params[name]) for name in known if name in row.params}
            own = {name: known[name] for name in params}
            with contextlib.suppress(ValueError):  # a value that is not of the space, of an imported trial
                study.add_trial(optuna.trial.create_trial(params=params, distributions=own, value=row.value))
        trials = study.get_trials(deepcopy=False)
        if len(trials) < FEWEST or len(known) < 2:
            return []
        resample, size = Resample(study.study_name, storage), min(len(trials), MOST_RESAMPLED)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of every resample that lacks a rare choice
            whole = resample.shares(trials)
            resampled = [resample.shares(draw.choices(trials, k=size)) for _ in range(RESAMPLES)]
    finally:
        optuna.logging.set_verbosity(before)
    cut = int(RESAMPLES * WHISKER)
    found = []
    for name in sorted(known, key=lambda one: -whole[one]):
        ordered = sorted(each[name] for each in resampled)
        low, high = min(ordered[cut], whole[name]), max(ordered[-1 - cut], whole[name])  # the bar ends between them
        found.append(Importance(name, whole[name], low, high))
    return found


def is_settled(found: Sequence[Importance]) -> bool:
    """Whether the most important parameter is so in nearly all resamples."""
    return len(found) > 1 and found[0].low > max(one.high for one in found[1:])
