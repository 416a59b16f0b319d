"""KerasTuner's tuners on top of `keras_sweep.run`: a notebook that uses KerasTuner changes only its import."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from keras_sweep.api.edge import cut_tracebacks, warn_of_notices
from keras_sweep.api.run import run
from keras_sweep.api.spec import Optuna, Spec
from keras_sweep.api.sweep import Sweep
from keras_sweep.data.array_sources import is_dataset
from keras_sweep.errors import ModelError, UsageError
from keras_sweep.models.hyper_model import Exploration, has_own_fit
from keras_sweep.process.backend import choose_backend, import_keras
from keras_sweep.process.user_code import guard_user_code
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import sweep_folder, sweeps_dir
from keras_sweep.search.keras_tuner import trials
from keras_sweep.space.spec_diff import describe_distribution
from keras_sweep.space.sweep_spec import MODEL_PREFIX, WATCHING
from keras_sweep.space.text import itemize
from keras_sweep.space_file.keras_tables import is_maximized
from keras_sweep.space_file.read import read_yaml_file
from keras_sweep.trial.events import Noticed
from keras_sweep.views.terminal.console import print_answer

choose_backend(None)  # before KerasTuner imports Keras
import_keras()
import keras_tuner  # noqa: E402

# The order of the arguments of `keras.Model.fit`.
FIT = ("x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data")
ROWS = {*FIT, "class_weight", "sample_weight", "steps_per_epoch"}  # what a sweep of models and rows takes
METHODS = {name for name in dir(keras_tuner.Tuner) if name[:2] != "__" and callable(getattr(keras_tuner.Tuner, name))}
ON_SEARCH = {"search", "on_search_begin", "on_search_end"}  # a subclass may have these, and trials train as without


@cut_tracebacks
class Tuner(keras_tuner.Tuner):  # type: ignore[misc]
    """Search the hyperparameters of a `keras_tuner.HyperModel`, or of a function that takes `hp`.

        tuner = keras_sweep.Tuner(build_model, "val_accuracy", max_trials=32, project_name="digits")
        tuner.search(x, y, epochs=10)
        tuner.get_best_models()[0], tuner.sweep.estimate

    A subclass may override `run_trial` and hooks of KerasTuner, like `on_epoch_end`. Then each trial calls `run_trial`.

    Args:
        oracle: an oracle of KerasTuner, or the hypermodel, followed by `objective` and `max_trials`.
        objective: by default the least `val_loss` or, if the hypermodel has its own `fit`, the least number it returns.
        directory: the folder of all sweeps; by default SWEEPS_DIR, or ./sweeps.
        overwrite: first move an older sweep of this name aside. By default `search` resumes that sweep.
        strategy: `Optuna(...)` or `KerasTuner(...)`, by default Optuna's tpe, with `max_trials` and `seed`.
        workers: as in `keras_sweep.run`.
        others: as in `keras_tuner.Tuner` and `keras_tuner.RandomSearch`.
    """

    def __init__(
        self,
        oracle: Any = None,
        hypermodel: Any = None,
        max_model_size: int | None = None,
        *,
        objective: Any = None,
        max_trials: int = 10,
        seed: int = 42,
        directory: str | os.PathLike[str] | None = None,
        project_name: str | None = None,
        overwrite: bool = False,
        strategy: Mapping[str, Any] | None = None,
        workers: Any = None,
        **others: Any,
    ) -> None:
        if others.get("distribution_strategy") is not None or os.environ.get("KERASTUNER_ORACLE_IP"):
            hint = "Leave them out. Set `workers`, or call `keras.distribution.set_distribution` before the search"
            raise UsageError("a sweep can't use `distribution_strategy` or KERASTUNER_ORACLE_IP", hint=hint)
        finalists = "none"
        if callable(oracle) or hasattr(oracle, "build") or (oracle is None and hypermodel is not None):
            if oracle is not None:
                objective = hypermodel if objective is None else objective
                hypermodel, max_trials, max_model_size = oracle, max_model_size or max_trials, None
            if objective is None and not has_own_fit(hypermodel):
                objective = "val_loss"
            if isinstance(objective, str):
                objective = keras_tuner.Objective(objective, "max" if is_maximized(objective) else "min")
            kind = keras_tuner.oracles.RandomSearchOracle
            rules = {name: others.pop(name) for name in inspect.signature(kind).parameters if name in others}
            oracle = kind(objective, max_trials, seed, **rules)
            strategy, finalists = {**(strategy or Optuna()), "trials": max_trials, "seed": seed}, ""
        hypermodel = hypermodel() if isinstance(hypermodel, type) else hypermodel
        self._folder = sweep_folder(project_name or "untitled_project", directory)
        self._model, self._workers, self._overwrites = hypermodel, workers, overwrite
        self._sweep: Sweep | None = None
        self.folders: dict[str, Path] = {}  # trial that runs -> the folder for its files
        if isinstance(oracle, keras_tuner.Oracle):  # else KerasTuner raises
            metric = {"name": oracle.objective.name, "goal": f"{oracle.objective.direction}imize"}
            search = {**trials.read_oracle(oracle), **(strategy or {})}
            self._common: dict[str, Any] = {"metric": metric, "search": search, "finalists": finalists}
            self._declared, self._sampler = oracle.get_space(), search["sampler"]
        place = {"directory": directory or sweeps_dir(), "project_name": project_name}
        # Never `overwrite`: KerasTuner deletes the folder.
        super().__init__(oracle, hypermodel, max_model_size, **place, **others)
        if self._folder.exists() and not overwrite:
            self.reload()

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Search with the arguments of `fit`: arrays or datasets. By default a fifth of the rows are validation rows.

        Each trial gets a copy of the callbacks. `verbose=0` shows no board. Without rows, or if the tuner changes how a
        trial trains, each trial calls `run_trial`. Raises the errors of `keras_sweep.run` and of KerasTuner.
        """
        self.on_search_begin()
        if self._overwrites and self._folder.exists():
            with SweepLock(self._folder) as lock:
                lock.move_aside()
        self._overwrites, fit = False, dict(zip(FIT, fit_args, strict=False)) | fit_kwargs
        if self._folder.exists() and self._common["finalists"]:  # KerasTuner draws a seed if none is set
            self._common["search"]["seed"] = read_facts(self._folder).seed
        try:
            has_rows = fit.get("x") is not None and (fit.get("steps_per_epoch") is None or is_dataset(fit["x"]))
            calls = self._changes_trials() or not has_rows or len(fit_args) > len(FIT) or fit.keys() - ROWS
            spec = self._function_spec(fit_args, fit_kwargs) if calls else self._model_spec(fit)
            place: dict[str, Any] = {"name": self._folder.name, "sweeps_dir": self._folder.path.parent}
            view = warn_of_notices if fit.get("verbose") == 0 else None
            self._sweep = run(spec, **place, workers=self._workers, listener=view)
        except trials.StopSearch as stop:
            raise stop.args[0] from None
        self._mirror()
        self.on_search_end()

    def _changes_trials(self) -> bool:
        """Return whether this tuner changes how a trial is built or trained, so that each trial calls `run_trial`."""
        names = {name for kind in trials.list_users(self) for name in vars(kind)} | vars(self).keys()
        self._overridden = names & METHODS - ON_SEARCH
        declare = getattr(type(self.hypermodel), "declare_hyperparameters", None)
        changes = [self._overridden, self.optimizer, self.loss, self.metrics, self.max_model_size]
        changes += [self.oracle.max_retries_per_trial, self.oracle.max_consecutive_failed_trials - 3]
        changes += [not self.oracle.tune_new_entries, not self.oracle.allow_new_entries]
        changes += [declare is not keras_tuner.HyperModel.declare_hyperparameters]
        return any(map(bool, changes)) or hasattr(self.oracle.objective, "objectives")

    def _model_spec(self, fit: Mapping[str, Any]) -> Spec:
        x, validation, weight = fit["x"], fit.get("validation_data"), fit.get("class_weight")
        rows = x if is_dataset(x) else (x, fit.get("y"), fit.get("sample_weight"))
        parts = {"train": rows} if validation is None else {"train": rows, "validation": validation}
        data: Any = parts
        if fit.get("steps_per_epoch") is not None:
            data = {"python": lambda: parts, "steps_per_epoch": fit["steps_per_epoch"]}
        epochs = getattr(self.oracle, "max_epochs", fit.get("epochs", 1))
        declared = _search_space(lambda hp: hp.merge(self._declared)) if self._declared.space else {}
        fixed = (part for part in self._declared.space if type(part).__name__ == "Fixed")
        declared |= {MODEL_PREFIX + part.name: part.value for part in fixed}
        batch = {"batch_size": fit["batch_size"]} if fit.get("batch_size") else {}
        seeds = {"seeds": self.executions_per_trial} if self.executions_per_trial > 1 else {}
        split = {"validation": fit.get("validation_split") or 0.2, "test": 0}
        return Spec(
            data=data,
            model=self._model,
            parameters={"epochs": epochs, **batch, **declared},
            **self._common | {"search": self._common["search"] | seeds},
            split=split if validation is None else None,
            training=_training_section(fit.get("callbacks") or ()) | ({"class_weight": dict(weight)} if weight else {}),
        )

    def _function_spec(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Spec:
        """Return the space of a search whose trials call `run_trial`. If `run_trial` or a `fit` may ask for more
        hyperparameters than `build`, trial 0 runs now, with all defaults. A record has the space already."""
        asks = bool(self._overridden & {"run_trial", "_build_and_fit_model"}) or has_own_fit(self.hypermodel)
        call = trials.RunTrial(self, args, kwargs if asks else {"verbose": 0, **kwargs})
        if self._folder.exists():
            tree = read_yaml_file(self._folder.space, read_facts(self._folder).space)[1].plain
            parameters, start = tree["parameters"], tree["search"].get("start", [])
        else:
            self._folder.make()
            first: Any = call.run_first(Path(self.get_trial_dir("0")), self._common["search"]["seed"]) if asks else None
            builds, known = self.hypermodel is not None and self.oracle.tune_new_entries, self.oracle.get_space()

            def build(hp: Any) -> None:
                hp.merge(self._declared, overwrite=False)
                with guard_user_code("`build`", Path(), ModelError):
                    _ = builds and self.hypermodel.build(hp)
                hp.merge(known, overwrite=False)

            parameters = _search_space(build, MODEL_PREFIX)
            start = [{name: value for name, value in first.values.items() if name in parameters}] if asks else []
            if self._sampler == "hyperband" or not parameters:
                parameters["epochs"] = getattr(self.oracle, "max_epochs", 1)
        call.searched = parameters.keys() - {"epochs"}
        search = {**self._common["search"], "start": start}
        return Spec(objective=call, parameters=parameters, **self._common | {"search": search, "finalists": "none"})

    @property
    def sweep(self) -> Sweep:
        """The sweep, with its `estimate`, `ties` and `report`. Raises UsageError if there is none yet."""
        if self._sweep is None:
            raise UsageError("this Tuner has not searched yet", hint="Call `search`; it resumes an existing sweep")
        return self._sweep

    def load_model(self, trial: Any) -> Any:
        """Load the compiled model of a trial of `oracle.trials`, with the weights that were scored."""
        has_models = self._sweep is not None and self._sweep.facts.has_models
        return self.sweep.load_model(int(trial.trial_id)) if has_models else super().load_model(trial)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best `num_trials` trials as a leaderboard."""
        print_answer(f"{self.sweep.leaderboard(top=num_trials)}\n")

    def get_trial_dir(self, trial_id: str) -> str:
        """Return the folder for files of a trial, in the sweep's folder."""
        folder = self.folders.get(trial_id, self._folder.path / "files" / f"trial-{trial_id.lstrip('0') or 0}")
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def save(self) -> None:
        """Do nothing: `search` records each trial when it ends."""

    def reload(self) -> None:
        """Read the trials of the record. Raises RuntimeError if another sampler chose them."""
        if not (recorded := read_facts(self._folder).engine).endswith(f"/{self._sampler}"):
            message = f"{self._folder.path} has trials by {recorded}, not {self._sampler}"
            raise RuntimeError(f"{message}. Choose another `project_name`, or pass `overwrite=True`")
        self._sweep = Sweep(self._folder)
        self._mirror()

    def _get_tuner_fname(self) -> str:
        return ""  # else KerasTuner's constructor looks for a file of its own, and makes its folder

    def _mirror(self) -> None:
        facts = self.sweep.facts
        prefix = MODEL_PREFIX if facts.has_models else ""
        names = {name: name.removeprefix(prefix) for name in facts.distributions if name.startswith(prefix)}
        _ = names.pop("epochs", None) if self._sampler == "hyperband" else None
        trials.mirror_results(self.oracle, self.sweep.trials, names)
        late = {part.name for part in self.oracle.hyperparameters.space if type(part).__name__ != "Fixed"}
        if not facts.has_models and (late := late - names.keys()):
            declare = "to search them, declare them in `hyperparameters=`"
            warn_of_notices(Noticed(f"{itemize(sorted(late))} had default values, found after trial 0: {declare}"))


class RandomSearch(keras_tuner.RandomSearch, Tuner):  # type: ignore[misc]
    """`keras_tuner.RandomSearch` that keeps a sweep. `Tuner` has the methods."""


class BayesianOptimization(keras_tuner.BayesianOptimization, Tuner):  # type: ignore[misc]
    """`keras_tuner.BayesianOptimization` that keeps a sweep. `Tuner` has the methods."""


class Hyperband(keras_tuner.Hyperband, Tuner):  # type: ignore[misc]
    """`keras_tuner.Hyperband` that keeps a sweep. `Tuner` has the methods."""


class GridSearch(keras_tuner.GridSearch, Tuner):  # type: ignore[misc]
    """`keras_tuner.GridSearch` that keeps a sweep. `Tuner` has the methods."""


def _search_space(build: Any, prefix: str = "") -> dict[str, Any]:
    """Return the section `parameters` for the hyperparameters `model.NAME` of `build`, with names without `prefix`."""
    exploration, domains = Exploration(build, {}), dict[str, Any]()
    exploration.run()
    for parameter in exploration.parameters():
        when = {part.parameter.removeprefix(prefix): part.values for part in parameter.when}
        section = describe_distribution(parameter.distribution) | {"when": when or None}
        domains[parameter.name.removeprefix(prefix)] = {key: part for key, part in section.items() if part is not None}
    return domains


def _training_section(callbacks: Sequence[Any]) -> dict[str, Any]:
    training: dict[str, Any] = {}
    # Our settings classes have the names of Keras's callbacks.
    sections = {form.__name__: (section, form) for section, form in WATCHING.items()}
    for callback in callbacks:
        kind, is_of_keras = type(callback).__name__, type(callback).__module__.startswith("keras.")
        section, form = sections.get(kind, ("", None))
        if form is not None and is_of_keras and section not in training:
            training[section] = {field.name: getattr(callback, field.name) for field in fields(form)}
        elif kind != "TerminateOnNaN" or not is_of_keras:  # every trial ends at NaN anyway
            training.setdefault("callbacks", []).append({"python": partial(copy.deepcopy, callback)})
    return training
