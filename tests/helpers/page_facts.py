"""Facts of made-up sweeps, as a record would give them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.record.facts import Facts, parse_record
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.validation_outputs import Missed, ValidationOutputs
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.report.facts import PageContent
from tests.helpers.results import result
from tests.helpers.space_texts import with_parameters

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SPACE = with_parameters(
    "optimizer: {values: [sgd, rmsprop, adam]}",
    "learning_rate: {min: 1e-4, max: 1.0, log: true}",
    "epochs: {min: 1, max: 20}",
    "momentum: {min: 0.0, max: 0.9, when: {optimizer: sgd}}",
)
DISTRIBUTIONS: dict[str, optuna.distributions.BaseDistribution] = {
    "optimizer": optuna.distributions.CategoricalDistribution(("sgd", "rmsprop", "adam")),
    "learning_rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
    "epochs": optuna.distributions.IntDistribution(1, 20),
    "momentum": optuna.distributions.FloatDistribution(0.0, 0.9),
}
MARKUP = (
    "<script>owned()</script>",
    '"><img src=x onerror=owned()>',
    "</title></style></script>",
    "{{ 7 * 7 }}",
    "'--><b>",
)


def facts_of(
    results: Sequence[Result],
    *,
    distributions: dict[str, optuna.distributions.BaseDistribution] = DISTRIBUTIONS,
    outputs: ValidationOutputs | str = "they are not asked for",
    missed: Missed | None = None,
    running: bool = False,
    name: str = "dense",
    **attributes: Any,
) -> PageContent:
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
    sweep = RecordedSweep(SweepFolder(Path(name)), parse_record(Facts, {**known, **attributes}), results)
    return PageContent(sweep, running, outputs, missed)


def hostile_facts() -> PageContent:
    """Markup wherever a file can put text."""
    choices = MARKUP[:3]
    params = [{MARKUP[1]: choices[n % 3], "rate": n / 10, MARKUP[3]: MARKUP[n % 5], "epochs": 2} for n in range(30)]
    results = [result(n, 0.5 + n / 100, params=each, epochs=2, engine=MARKUP[0]) for n, each in enumerate(params[:24])]
    failed: dict[str, Any] = {"state": TrialState.FAIL, "stderr": None, "reason": MARKUP[2], "epochs": 1}
    results += [result(n, None, params=params[n], **failed) for n in range(24, 30)]
    distributions = {
        MARKUP[1]: optuna.distributions.CategoricalDistribution(choices),
        "rate": optuna.distributions.FloatDistribution(0, 3),
    }
    y = np.arange(40) % 3
    found = outputs_of(y, np.eye(3)[(y + (np.arange(40) % 2)) % 3], MARKUP[:3])
    versions = {MARKUP[4]: MARKUP[0]}
    more = {"origin": MARKUP[1], "fingerprint": MARKUP[2], "engine": MARKUP[0], "seconds": {MARKUP[1]: 3.0}}
    space = "\n".join(MARKUP)
    return facts_of(results, distributions=distributions, outputs=found, versions=versions, space=space, **more)


def outputs_of(y: np.ndarray, outputs: np.ndarray, names: tuple[str, ...] | None) -> ValidationOutputs:
    rows = Rows(np.arange(4 * len(y), dtype=np.float32).reshape(len(y), 4), y)
    classes = None if names is None else len(names)
    return ValidationOutputs(SearchData("made up", rows, rows, "abc", classes, names), outputs, None)
