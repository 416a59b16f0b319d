"""Estimate how much each parameter matters for scores in the best tenth (PED-ANOVA), and how certain this is.

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
MOST_RESAMPLED = 500  # trials of a resample: more would take long, and their whiskers are short anyway
MOST_TRIALS = 2000  # in the estimate without resampling
FEWEST = 10  # trials, below which there is no estimate
WHISKER = 0.05  # share of the resamples beyond each end of a whisker


@dataclass(frozen=True, slots=True)
class Importance:
    name: str
    share: float  # all shares add up to 1
    low: float  # 90 % of the resamples lie between `low` and `high`
    high: float


def estimate_importance(
    rows: Sequence[LeaderboardRow], objective: Objective, distributions: Mapping[str, str]
) -> list[Importance]:
    """Return how much each parameter matters for reaching the best tenth of trials, most important parameter first.

    `distributions`: parameter -> its range, as Optuna's JSON. Failed trials, and pruned trials whose scores can't
    be compared, don't count. Return [] for fewer than FEWEST trials, or if fewer than two parameters vary.
    """
    rows = [row for row in rows if row.comparable and row.value is not None]
    varying = varying_names(rows)
    # Epochs that are read off a curve are no cause of a value: good trials simply train longer.
    read = {"epochs"} if any(row.reads_epochs for row in rows) else set()
    names = [name for name in distributions if name in varying and name not in read]
    if len(rows) < FEWEST or len(names) < 2:
        return []
    import optuna

    known = {}
    for name in names:
        # A record of another program may have a distribution that Optuna can't read.
        with contextlib.suppress(ValueError, TypeError, KeyError):
            known[name] = optuna.distributions.json_to_distribution(distributions[name])
    draw = random.Random(0)  # the same record gives the same page
    evaluator, storage = optuna.importance.PedAnovaImportanceEvaluator(), optuna.storages.InMemoryStorage()

    # This study has the trials of the list `drawn`. Optuna's own study would copy all trials, which is slow.
    class Resample(optuna.Study):
        drawn: list[optuna.trial.FrozenTrial]

        def get_trials(self, *_: object, **__: object) -> list[optuna.trial.FrozenTrial]:
            return self.drawn

        def shares(self, drawn: list[optuna.trial.FrozenTrial]) -> dict[str, float]:
            self.drawn = drawn
            importance = evaluator.evaluate(self)
            total = sum(importance.values())
            return {name: importance.get(name, 0.0) / total if total else 0.0 for name in known}

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(storage=storage, direction=objective.goal.value)
        for row in rows if len(rows) <= MOST_TRIALS else draw.sample(rows, MOST_TRIALS):
            params = {name: to_scalar(row.params[name]) for name in known if name in row.params}
            subset = {name: known[name] for name in params}
            # An imported trial may have a value outside the space.
            with contextlib.suppress(ValueError):
                study.add_trial(optuna.trial.create_trial(params=params, distributions=subset, value=row.value))
        trials = study.get_trials(deepcopy=False)
        if len(trials) < FEWEST or len(known) < 2:
            return []
        resample, size = Resample(study.study_name, storage), min(len(trials), MOST_RESAMPLED)
        with warnings.catch_warnings():
            # Optuna warns about every resample that lacks a rare choice.
            warnings.simplefilter("ignore")
            whole = resample.shares(trials)
            resampled = [resample.shares(draw.choices(trials, k=size)) for _ in range(RESAMPLES)]
    finally:
        optuna.logging.set_verbosity(before)
    tail = int(RESAMPLES * WHISKER)
    intervals = []
    for name in sorted(known, key=lambda name: -whole[name]):
        ordered = sorted(shares[name] for shares in resampled)
        # The bar must end inside its whisker.
        low, high = min(ordered[tail], whole[name]), max(ordered[-1 - tail], whole[name])
        intervals.append(Importance(name, whole[name], low, high))
    return intervals


def is_settled(shares: Sequence[Importance]) -> bool:
    """Check whether the most important parameter is certain: the interval of `shares[0]` is above all others."""
    return len(shares) > 1 and shares[0].low > max(item.high for item in shares[1:])
