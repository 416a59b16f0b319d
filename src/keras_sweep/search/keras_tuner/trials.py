"""Call `run_trial` of a KerasTuner tuner for a sweep's trials, and show a sweep's trials as trials of its oracle.

KerasTuner itself keeps the books of a trial: scores, retries, consecutive failures, new hyperparameters.
"""

import inspect
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.process.user_objects import register_arrays
from keras_sweep.search.keras_tuner.oracle import ORACLES
from keras_sweep.space.search_space import Params
from keras_sweep.trial.result import Result

OURS = ("keras_sweep.", "keras_tuner.src.", "builtins")  # modules whose classes are not the user's
SETTINGS = ("hypermodel", "executions_per_trial", "optimizer", "loss", "metrics", "max_model_size")
MOST_TRIALS = 1_000_000


class StopSearch(BaseException):
    """Ends the search by the error in `args`. It is not an Exception, which would fail a trial."""


def read_oracle(oracle: Any) -> dict[str, Any]:
    """Return `search` of a space file for an oracle of KerasTuner, and keep it from writing files and printing. Raises
    UsageError for an oracle of the user's."""
    kind = next((kind for kind in ORACLES.values() if kind.kind == type(oracle).__name__), None)
    if kind is None or not type(oracle).__module__.startswith(OURS):
        hint = f"Use {', '.join(kind.kind for kind in ORACLES.values())}, or write a sampler for `strategy`"
        raise UsageError(f"a sweep can't be searched by your own oracle {type(oracle).__name__}", hint=hint)
    oracle.save = oracle._save_trial = lambda *_: None  # noqa: SLF001  # KerasTuner 1.4: the record has the trials
    oracle.verbose, trials = 0, oracle.max_trials or MOST_TRIALS
    if kind.sets_epochs:
        brackets = range(oracle._get_num_brackets())  # noqa: SLF001  # KerasTuner 1.4: no public view
        size = sum(oracle._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))  # noqa: SLF001  # KerasTuner 1.4: as above
        trials = int(min(oracle.hyperband_iterations * size, MOST_TRIALS))
    options = {name: getattr(oracle, name) for name, value in kind.options.items() if getattr(oracle, name) != value}
    search = {"engine": "keras-tuner", "sampler": kind.name, "trials": trials, "seed": oracle.seed}
    return search | ({"options": options} if options else {})


def list_users(tuner: Any) -> list[type]:
    """Return the user's classes that the tuner's class derives from."""
    return [kind for kind in type(tuner).__mro__ if not kind.__module__.startswith(OURS)]


class RunTrial:
    """An objective function: makes a trial of KerasTuner, and calls `run_trial` with it."""

    def __init__(self, tuner: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.tuner, self.args, self.kwargs = tuner, args, kwargs
        self.searched: Collection[str] = ()  # the names of the sweep's parameters
        self.first: Any = None  # what trial 0 returned or raised: `run_first` ran it to see its hyperparameters
        self.__name__, self.__signature__ = type(tuner).__name__, inspect.signature(self.__call__)
        code = [item for kind in list_users(tuner) for item in vars(kind).items() if inspect.isfunction(item[1])]
        parts = [*kwargs, *map(register_arrays, (*args, *kwargs.values()))]  # names with digests of the values
        # process/digest.py reads `__wrapped__` in place of this object, since the tuner's state changes.
        self.__wrapped__ = [code, *(getattr(tuner, name) for name in SETTINGS), parts]

    def run_first(self, folder: Path, seed: int) -> Any:
        """Run trial 0 with all defaults before the sweep. Return its hyperparameters."""
        import keras

        keras.utils.set_random_seed(seed)
        try:
            self.first = self({}, 0, folder)
        except Exception as error:  # of the user
            self.first = error
        return next(iter(self.tuner.oracle.trials.values())).hyperparameters

    def __call__(self, params: Params, trial: int, folder: Path) -> Any:
        if trial == 0 and self.first is not None:
            first, self.first = self.first, None
            if isinstance(first, Exception):
                raise first
            return first
        tuner, oracle = self.tuner, self.tuner.oracle
        running = make_trial(oracle, trial, params, self.searched)
        id, failure = running.trial_id, None
        tuner.folders[id], oracle.trials[id] = folder, running
        oracle.start_order.append(id)
        try:
            for _ in range(oracle.max_retries_per_trial + 1):
                oracle.ongoing_trials[tuner.tuner_id] = running
                failure = self._run(running)
                if failure is None or running.status == "FAILED":
                    break
        except Exception as error:
            raise StopSearch(error) from error
        finally:
            del tuner.folders[id]
        if failure is not None:
            raise failure
        metrics = {name: float(running.metrics.get_last_value(name)) for name in running.metrics.metrics}
        return metrics | ({} if running.score is None else {oracle.objective.name: float(running.score)})

    def _run(self, trial: Any) -> Exception | None:
        """Run a trial with its hooks. Return the error that fails it. Other errors end the search: these are raised."""
        from keras_tuner.errors import FailedTrialError, FatalError

        self.tuner.pre_create_trial()
        self.tuner.on_trial_begin(trial)
        trial.status, failure = "COMPLETED", None
        try:
            self.tuner._run_and_update_trial(trial, *self.args, **self.kwargs)  # noqa: SLF001  # KerasTuner 1.4: what `run_trial` may return
        except FatalError:
            raise
        except Exception as error:
            failure, trial.message = error, traceback.format_exc()
            trial.status = "FAILED" if isinstance(error, FailedTrialError) else "INVALID"
        self.tuner.on_trial_end(trial)
        return failure


def make_trial(oracle: Any, number: int, params: Params, searched: Collection[str]) -> Any:
    """Return a running trial of KerasTuner with `params`. What is not `searched` has its default value."""
    from keras_tuner.engine.trial import Trial

    hp = oracle.get_space()
    hp.values = {part.name: part.default for part in hp.space if part.name not in searched} | dict(params)
    if hasattr(oracle, "max_epochs"):
        hp.values |= {"tuner/epochs": hp.values.pop("epochs", oracle.max_epochs), "tuner/initial_epoch": 0}
    hp.ensure_active_values()
    hp.values = {name: value for name, value in hp.values.items() if name in params or name not in searched}
    return Trial(hp, trial_id=f"{number:0{len(str(oracle.max_trials))}d}")  # as its oracle names them


def mirror_results(oracle: Any, results: Sequence[Result], names: dict[str, str]) -> None:
    """Add a sweep's trials to the trials of `oracle`, if it has not run them itself. `names`: parameter of the sweep ->
    hyperparameter."""
    for result in results:
        params = {names[name]: value for name, value in result.params.items() if name in names}
        epochs = {"epochs": result.params["epochs"]} if hasattr(oracle, "max_epochs") else {}
        trial = make_trial(oracle, result.number, params | epochs, names.values())
        if oracle.trials.setdefault(trial.trial_id, trial) is not trial:
            continue
        trial.status = "FAILED" if result.value is None else "COMPLETED"
        trial.message, trial.score, trial.best_step = result.reason, result.value, (result.epoch or 1) - 1
        objective = {} if result.value is None else {oracle.objective.name: result.value}
        for name, value in (result.metrics | objective).items():
            trial.metrics.register(name, oracle.objective.direction if name in objective else None)
            trial.metrics.update(name, value, step=trial.best_step)
        oracle.start_order.append(trial.trial_id)
