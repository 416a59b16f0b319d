"""A KerasTuner project folder: `oracle.json` and `trial_*/trial.json`, as KerasTuner 1.4 writes them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_tuner import HyperParameters

from keras_sweep.errors import UsageError
from keras_sweep.files.plain import read_plain
from keras_sweep.importing.imported import Imported
from keras_sweep.models.hyper_model import parameters_of
from keras_sweep.record.study_file import optuna_texts
from keras_sweep.space.distributions import Float, Int, Value
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.text import counted, quoted
from keras_sweep.trial.result import DIVERGED, Curve, Result, Suggestion, TrialState

ENGINE = "import/keras-tuner"
FINISHED = {"COMPLETED", "FAILED", "INVALID"}
OF_TUNER = "tuner/"  # how names begin that are no hyperparameters but notes of its oracles
LONGEST_CURVE = 100_000  # epochs
MOST_POINTS = 10_000_000  # of all curves of a trial
MOST_VALUES = 10_000  # of a hyperparameter that is a list of values
MOST_JSON = 64 * 2**20  # bytes of one file
LARGEST = 2**63 - 1  # of a count


def read_keras_tuner_project(folder: Path, *, metric: str | None = None) -> Imported:
    """The finished trials of a project.

    KerasTuner keeps only the best epoch: the earlier epochs of a curve are NaN. Hyperband's budget becomes the
    parameter `epochs`, and `continues` names the trial that one was promoted from.

    Raises UsageError: it is no project folder, no trial in it is finished, or its metric is not clear.
    """
    if not (folder / "oracle.json").is_file():
        inner = sorted(path.parent.name for path in folder.glob("*/oracle.json"))
        hint = f"Name one of the projects in it: {', '.join(inner)}" if inner else "It must hold `oracle.json`"
        raise UsageError(f"{folder} is no KerasTuner project folder", hint=hint)
    oracle = _json(folder / "oracle.json")
    if oracle is None:
        raise UsageError(f"{folder / 'oracle.json'} can't be read as JSON", hint="Nothing was imported")
    try:
        trials, notes = _trials(folder, oracle)
        finished = [trial for trial in trials if trial["status"] in FINISHED]
        if len(finished) < len(trials):
            notes.append(f"left out: {counted(len(trials) - len(finished), 'trial')} that had not finished")
        objective = _objective(folder, finished, metric)
        parameters = parameters_of(_hyper_parameters(oracle))
        floats = {one.name for one in parameters if isinstance(one.distribution, Float)}
        numbers = {str(trial["trial_id"]): number for number, trial in enumerate(finished)}
        results = [_result(trial, numbers, floats, objective) for trial in finished]
        distributions = {one.name: one.distribution for one in parameters}
        budgets = [epochs for result in results if isinstance(epochs := result.params.get("epochs"), int)]
        if budgets:
            distributions.setdefault("epochs", Int(min(budgets), max(budgets)))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise UsageError(
            f"{folder} is not as KerasTuner 1.4 writes it: {type(error).__name__}: {error}", hint="Nothing was imported"
        ) from error
    return Imported(
        source=str(folder),
        name=folder.resolve().name,
        engine=ENGINE,
        objective=objective,
        distributions=optuna_texts(distributions),
        results=tuple(results),
        notes=tuple(notes),
    )


def _trials(folder: Path, oracle: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """All trials in the order in which they began, and notes on those that can't be read."""
    trials: dict[str, dict[str, Any]] = {}
    notes = []
    for path in sorted(folder.glob("trial_*/trial.json")):
        trial = _json(path)
        if trial is None or "trial_id" not in trial:
            notes.append(f"{path} can't be read as JSON and was left out")
        else:
            trials[str(trial["trial_id"])] = trial
    began = [str(id) for id in oracle.get("start_order", ())]
    order = dict.fromkeys((*began, *trials))
    return [trials[id] for id in order if id in trials], notes


def _objective(folder: Path, trials: Sequence[Mapping[str, Any]], metric: str | None) -> Objective:
    """The metric by which trials are ranked: KerasTuner writes its direction, but not its name."""
    complete = [trial for trial in trials if trial["status"] == "COMPLETED"]
    if not complete:
        raise UsageError(f"no trial in {folder} is complete", hint="Nothing was imported")
    objectives = {
        name: Objective(name, Goal.MAXIMIZE if history["direction"] == "max" else Goal.MINIMIZE)
        for name, history in complete[0]["metrics"]["metrics"].items()
    }
    fault = f"has no metric {metric!r}"
    if metric is None:  # that whose best values are the scores, on validation rows if there are two
        scores = [(_curve(trial), trial["score"]) for trial in complete]
        fitting = [name for name, one in objectives.items() if all(_best(curve, one) == best for curve, best in scores)]
        fitting = [name for name in fitting if name.startswith("val_")] or fitting
        metric = fitting[0] if len(fitting) == 1 else None
        fault = "does not say which metric it was tuned for"
    if metric not in objectives:
        raise UsageError(f"{folder} {fault}", hint=f"Add `--metric`, one of {', '.join(objectives)}")
    return objectives[metric]


def _best(curve: Curve, objective: Objective) -> float:
    """The best value of any epoch, as KerasTuner takes it; NaN without one."""
    values = (value for value in curve.get(objective.name, ()) if not math.isnan(value))
    return min(values, key=objective.key, default=math.nan)


def _result(trial: Mapping[str, Any], numbers: Mapping[str, int], floats: set[str], objective: Objective) -> Result:
    values = trial["hyperparameters"]["values"]
    params: dict[str, Value] = {
        name: float(value) if name in floats else _scalar(name, value)
        for name, value in values.items()
        if not name.startswith(OF_TUNER)
    }
    if "tuner/epochs" in values:
        params.setdefault("epochs", _count("tuner/epochs", values["tuner/epochs"]))
    continues = numbers.get(str(values.get("tuner/trial_id")))
    suggestion = Suggestion(numbers[str(trial["trial_id"])], params, continues=continues)
    curve = _curve(trial)
    value = _best(curve, objective)
    result = Result(suggestion, TrialState.FAIL, None, curve, engine=ENGINE, runner=ENGINE)
    if trial["status"] != "COMPLETED":
        message = trial.get("message")
        return replace(result, reason=["failed", *str(message or "").strip().splitlines()][-1], traceback=message)
    if not math.isfinite(value):
        return replace(result, reason=DIVERGED)
    return replace(result, state=TrialState.COMPLETE, value=value, epoch=curve[objective.name].index(value) + 1)


def _curve(trial: Mapping[str, Any]) -> Curve:
    """Every metric by epoch, the mean over executions; NaN where nothing was kept."""
    kept = {
        name: {
            _count("step", one["step"] or 0, LONGEST_CURVE): sum(one["value"]) / len(one["value"])
            for one in history["observations"]
        }
        for name, history in trial["metrics"]["metrics"].items()
    }
    epochs = range(1 + max((step for observed in kept.values() for step in observed), default=-1))
    if len(kept) * len(epochs) > MOST_POINTS:
        raise ValueError(f"{len(kept)} metrics of {len(epochs)} epochs")
    return {name: tuple(observed.get(step, math.nan) for step in epochs) for name, observed in kept.items()}


def _hyper_parameters(oracle: Mapping[str, Any]) -> list[Any]:
    """The search space as `keras_tuner` objects. Raises ValueError where the values of one would fill the memory."""
    space = HyperParameters.from_config({"space": oracle["hyperparameters"]["space"], "values": {}}).space
    # A logarithmic range with a step becomes the list of its values.
    for one in (one for one in space if getattr(one, "step", None) is not None and one.sampling != "linear"):
        if not math.log(one.max_value / one.min_value) < MOST_VALUES * math.log(one.step):
            raise ValueError(f"hyperparameter {one.name!r} has more than {MOST_VALUES:,} values")
    return [one for one in space if not one.name.startswith(OF_TUNER)]


def _scalar(name: str, value: Any) -> Value:
    """A hyperparameter's value. Raises ValueError, or OverflowError for what no real number can be compared with."""
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"hyperparameter {name!r} has a value of type {type(value).__name__}")
    if isinstance(value, int):
        float(value)
    return value


def _count(name: str, value: Any, most: int = LARGEST) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}, but is {quoted(value)}")
    return int(value)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(read_plain(path, MOST_JSON))
    except (OSError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
