"""Facts of made-up sweeps, as a record would give them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import optuna

from keras_sweep.sweep.hard_rows import Missed
from keras_sweep.sweep.validation_outputs import ValidationOutputs
from keras_sweep.trial.marginal_ties import marginal
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.report.facts import SweepFacts
from tests.helpers.results import ACCURACY

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPACE = """\
data: digits
model: dense
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy}
parameters:
  optimizer: {values: [sgd, rmsprop, adam]}
  learning_rate: {min: 1e-4, max: 1.0, log: true}
  epochs: {min: 1, max: 20}
  momentum: {min: 0.0, max: 0.9, when: {optimizer: sgd}}
"""
DISTRIBUTIONS: dict[str, optuna.distributions.BaseDistribution] = {
    "optimizer": optuna.distributions.CategoricalDistribution(("sgd", "rmsprop", "adam")),
    "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
    "epochs": optuna.distributions.IntDistribution(1, 20),
    "momentum": optuna.distributions.FloatDistribution(0.0, 0.9),
}


def facts_of(
    results: Sequence[Result],
    *,
    distributions: dict[str, optuna.distributions.BaseDistribution] = DISTRIBUTIONS,
    outputs: ValidationOutputs | str = "they are not asked for",
    missed: Missed | None = None,
    running: bool = False,
    name: str = "dense",
    **attributes: Any,
) -> SweepFacts:
    """The facts of a sweep with these results; `attributes` are those of its record."""
    known = {
        "metric": "val_accuracy",
        "goal": "maximize",
        "seed": 42,
        "engine": "optuna/tpe",
        "space": SPACE,
        "trials": len(results),
        "versions": {"keras": "3.15.1"},
        "fingerprint": "abc",
        "seconds": {"train": 20.0, "compile": 4.0, "data": 1.0},
        "distributions": {each: optuna.distributions.distribution_to_json(one) for each, one in distributions.items()},
    }
    return SweepFacts(
        name=name,
        objective=ACCURACY,
        attributes={**known, **attributes},
        rows=leaderboard_rows(results, ACCURACY, seed=42),
        comparison=marginal(results, ACCURACY),
        results={result.number: result for result in results},
        card={},
        running=running,
        outputs=outputs,
        missed=missed,
    )
