"""How much each parameter matters for reaching the best tenth (PED-ANOVA), and how far these trials settle that.

Watanabe, Bansal, Hutter 2023, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary subspaces".
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keras_sweep.space.distributions import as_scalar
from keras_sweep.space.search_space import Goal, Objective
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
    names = [name for name in distributions if name in varying]
    if len(rows) < FEWEST or len(names) < 2:
        return []
    import optuna
    from optuna.distributions import json_to_distribution
    from optuna.importance import PedAnovaImportanceEvaluator

    known = {}
    for name in names:
        with contextlib.suppress(ValueError, TypeError, KeyError):  # a record may be somebody else's
            known[name] = json_to_distribution(distributions[name])
    names = list(known)
    draw = random.Random(0)  # the same page from the same record
    trials = []
    for row in rows:
        params = {name: as_scalar(row.params[name]) for name in names if name in row.params}
        own = {name: known[name] for name in params}
        with contextlib.suppress(ValueError):  # a value that is not of the space, of an imported trial
            trials.append(optuna.trial.create_trial(params=params, distributions=own, value=row.value))
    if len(trials) < FEWEST or len(names) < 2:
        return []
    complete = optuna.trial.TrialState.COMPLETE
    evaluator, storage = PedAnovaImportanceEvaluator(), optuna.storages.InMemoryStorage()
    directions = optuna.study.StudyDirection
    direction = directions.MAXIMIZE if objective.goal is Goal.MAXIMIZE else directions.MINIMIZE

    class Resample(optuna.Study):
        """Holds the given trials as they are: to copy each into a storage takes longer than all else."""

        given: list[optuna.trial.FrozenTrial]

        def get_trials(self, *_: object, **__: object) -> list[optuna.trial.FrozenTrial]:
            return self.given

    def shares(study: Resample, chosen: Sequence[optuna.trial.FrozenTrial]) -> dict[str, float]:
        # a trial that is drawn twice is two trials
        study.given = [
            optuna.trial.FrozenTrial(
                number, complete, one.value, None, None, one.params, one.distributions, {}, {}, {}, trial_id=number
            )
            for number, one in enumerate(chosen)
        ]
        found = evaluator.evaluate(study)
        total = sum(found.values())
        return {name: found.get(name, 0.0) / total if total else 0.0 for name in names}

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of every resample that lacks a rare choice
            study = Resample(optuna.create_study(storage=storage, direction=direction).study_name, storage)
            whole = shares(study, trials if len(trials) <= MOST_TRIALS else draw.sample(trials, MOST_TRIALS))
            size = min(len(trials), MOST_RESAMPLED)
            resampled = [shares(study, draw.choices(trials, k=size)) for _ in range(RESAMPLES)]
    finally:
        optuna.logging.set_verbosity(before)
    cut = int(RESAMPLES * WHISKER)
    found = []
    for name in sorted(names, key=lambda one: -whole[one]):
        ordered = sorted(each[name] for each in resampled)
        low, high = min(ordered[cut], whole[name]), max(ordered[-1 - cut], whole[name])  # the bar ends between them
        found.append(Importance(name, whole[name], low, high))
    return found


def settled(found: Sequence[Importance]) -> bool:
    """Whether the most important parameter is so in nearly all resamples."""
    return len(found) > 1 and found[0].low > max(one.high for one in found[1:])
