"""How much each parameter matters for reaching the best tenth (PED-ANOVA), and how far these trials settle that.

Watanabe, Bansal, Hutter 2023, "PED-ANOVA: Efficiently quantifying hyperparameter importance in arbitrary subspaces".
"""

from __future__ import annotations

import contextlib
import json
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from keras_sweep.space.distributions import Scalar, Value
from keras_sweep.space.objective import Goal, Objective
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names
from keras_sweep.views.report.scale import Scale
from keras_sweep.views.report.svg import figure, label, px

RESAMPLES = 40
MOST_RESAMPLED = 500  # trials of one resample: of more it takes long, and their whiskers are short
MOST_TRIALS = 5000  # in the estimate itself
FEWEST = 10  # trials, below which nothing is said
WHISKER = 0.05  # share of the resamples beyond each end of a whisker
LEFT, RIGHT, LINE = 150, 380, 28


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
        params = {name: _as_optuna(row.params[name]) for name in names if name in row.params}
        own = {name: known[name] for name in params}
        with contextlib.suppress(ValueError):  # a value that is not of the space, of an imported trial
            trials.append(optuna.trial.create_trial(params=params, distributions=own, value=row.value))
    if len(trials) < FEWEST or len(names) < 2:
        return []
    evaluator = PedAnovaImportanceEvaluator()

    def shares(chosen: Sequence[optuna.trial.FrozenTrial]) -> dict[str, float]:
        study = optuna.create_study(direction="maximize" if objective.goal is Goal.MAXIMIZE else "minimize")
        study.add_trials(chosen)
        found = evaluator.evaluate(study)
        total = sum(found.values())
        return {name: found.get(name, 0.0) / total if total else 0.0 for name in names}

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of every resample that lacks a rare choice
            whole = shares(trials if len(trials) <= MOST_TRIALS else draw.sample(trials, MOST_TRIALS))
            size = min(len(trials), MOST_RESAMPLED)
            resampled = [shares(draw.choices(trials, k=size)) for _ in range(RESAMPLES)]
    finally:
        optuna.logging.set_verbosity(before)
    cut = int(RESAMPLES * WHISKER)
    found = []
    for name in sorted(names, key=lambda one: -whole[one]):
        ordered = sorted(each[name] for each in resampled)
        found.append(Importance(name, whole[name], ordered[cut], ordered[-1 - cut]))
    return found


def _as_optuna(value: Value) -> Scalar:
    """A list is its JSON text in Optuna's distributions, as `search/optuna/categories.py` writes them."""
    return json.dumps(value) if isinstance(value, tuple) else value


def settled(found: Sequence[Importance]) -> bool:
    """Whether the most important parameter is so in nearly all resamples."""
    return len(found) > 1 and found[0].low > max(one.high for one in found[1:])


def importance_bars(found: Sequence[Importance], trials: int) -> Markup:
    """The drawing."""
    height = LINE * len(found) + 44
    scale = Scale(0, 1, LEFT, RIGHT)
    foot = height - 26
    parts = [
        f'<path class="grid" d="M{px(scale(tick))} 8V{foot}"/>' + label(scale(tick), foot + 16, f"{tick:g}")
        for tick in (0.0, 0.5, 1.0)
    ]
    for index, one in enumerate(found):
        y = 14 + index * LINE
        end, low, high = (px(scale(share)) for share in (one.share, one.low, one.high))
        parts.append(label(LEFT - 8, y + 12, one.name, anchor="end", kind="l", longest=20))
        parts.append(f'<path class="bar" d="M{LEFT} {y}H{end}v16H{LEFT}z"/>')
        parts.append(f'<path class="wh" d="M{low} {y + 8}H{high}M{low} {y + 4}v8M{high} {y + 4}v8"/>')
    said = ", ".join(f"{one.name} {one.share:.2f} ({one.low:.2f} to {one.high:.2f})" for one in found)
    verdict = (
        f"In nearly all resamples {found[0].name} is the most important."
        if settled(found)
        else "The whiskers overlap: this sweep does not settle the order."
    )
    each = f" of {MOST_RESAMPLED} trials each" if trials > MOST_RESAMPLED else ""
    return figure(
        "importance-bars",
        "Importance",
        f"PED-ANOVA: {said}. {verdict}",
        "".join(parts),
        (400, height),
        note=f"How much a parameter matters for reaching the best tenth of {trials:,} trials (PED-ANOVA, shares of 1): "
        f"{said}. Whiskers: 90 % of {RESAMPLES} resamples{each}. {verdict}",
    )
