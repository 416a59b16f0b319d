"""KerasTuner's API on top of `keras_sweep.run`: a notebook that uses KerasTuner changes only its import."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from keras_sweep.api.edge import cut_tracebacks
from keras_sweep.api.run import run
from keras_sweep.api.spec import KerasTuner, Optuna, Spec
from keras_sweep.api.sweep import Sweep
from keras_sweep.errors import UsageError
from keras_sweep.space.sweep_spec import WATCHING
from keras_sweep.space_file.keras_tables import is_maximized
from keras_sweep.views.terminal.console import print_answer


@cut_tracebacks
class Tuner:
    """Search the hyperparameters of a `keras_tuner.HyperModel`, or of a function that takes `hp`.

        tuner = keras_sweep.Tuner(build_model, "val_accuracy", max_trials=32, project_name="digits")
        tuner.search(x, y, epochs=10)
        tuner.get_best_models()[0], tuner.sweep.estimate

    Args:
        hypermodel: builds and compiles a model; the sweep uses the model's loss and metrics.
        objective: the metric that ranks trials, "val_accuracy", or a `keras_tuner.Objective`. By default the least
            `val_loss`. If the hypermodel has its own `fit`, by default the least number that `fit` returns.
        max_trials: the number of trials in total.
        seed: the seed of the search and of every trial.
        executions_per_trial: if more than 1, the best five configurations are trained with this many seeds each.
        directory: the folder of all sweeps; by default SWEEPS_DIR, or ./sweeps.
        project_name: the sweep's name.
        overwrite: first move an older sweep of this name aside. By default `search` resumes that sweep.
        strategy: `Optuna(...)` or `KerasTuner(...)`, by default Optuna's tpe, with `max_trials` and `seed`.
    """

    def __init__(
        self,
        hypermodel: Any,
        objective: Any = None,
        max_trials: int = 10,
        *,
        seed: int = 42,
        executions_per_trial: int = 1,
        directory: str | os.PathLike[str] | None = None,
        project_name: str = "untitled_project",
        overwrite: bool = False,
        strategy: Optuna | KerasTuner | None = None,
    ) -> None:
        if isinstance(hypermodel, type):
            hypermodel = hypermodel()
        self._model = hypermodel
        self.hypermodel = hypermodel if hasattr(hypermodel, "build") else SimpleNamespace(build=hypermodel)
        fit = getattr(type(hypermodel), "fit", None)
        has_own_fit = not getattr(fit, "__module__", "keras_tuner").startswith("keras_tuner")
        default = "default_objective" if has_own_fit else "val_loss"
        self._objective = default if objective is None else objective
        self._strategy = {**(strategy or Optuna()), "trials": max_trials, "seed": seed}
        self._seeds = executions_per_trial
        self._place: dict[str, Any] = {"sweeps_dir": directory, "name": project_name, "fresh": overwrite}
        self._sweep: Sweep | None = None

    def search(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        callbacks: Sequence[Any] = (),
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        verbose: Any = None,
    ) -> None:
        """Search with the arguments of `fit`: arrays or datasets. By default a fifth of the rows are validation rows.

        The callbacks `EarlyStopping` and `ReduceLROnPlateau` act on every trial as in `fit`; `TerminateOnNaN` is
        accepted, too. With `sample_weight` all metrics are weighted. `verbose` has no effect.

        Raises:
            UsageError: the model is not compiled, or `callbacks` has any other callback; else as `keras_sweep.run`.
        """
        from keras_sweep.data.array_sources import is_dataset, name_arrays

        del verbose
        data: Any = x if validation_data is None else (x, validation_data)
        if steps_per_epoch is not None:
            data = {"python": lambda: (x, validation_data), "steps_per_epoch": steps_per_epoch}
        elif not is_dataset(x):
            data = name_arrays((x, y, sample_weight), "_train") | name_arrays(validation_data or (), "_validation")
        name = str(getattr(self._objective, "name", self._objective))
        direction = getattr(self._objective, "direction", "max" if is_maximized(name) else "min")
        spec = Spec(
            data=data,
            model=self._model,
            parameters={"epochs": epochs, **({"batch_size": batch_size} if batch_size else {})},
            maximize=name if direction == "max" else None,
            minimize=name if direction != "max" else None,
            search=self._strategy,
            split=None if validation_data is not None else {"validation": validation_split or 0.2, "test": 0},
            training={**_training_section(callbacks), **({"class_weight": dict(class_weight)} if class_weight else {})},
            finalists={"top": 5, "seeds": self._seeds - 1} if self._seeds > 1 else None,
        )
        self._sweep = run(spec, **self._place)

    @property
    def sweep(self) -> Sweep:
        """The sweep, with its `estimate`, `ties` and `report`. Raises UsageError before the first `search`."""
        if self._sweep is None:
            raise UsageError("this Tuner has not searched yet", hint="Call `search`; it resumes an existing sweep")
        return self._sweep

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[Any]:
        """Return the `keras_tuner.HyperParameters` of the best trials, best first. `hypermodel.build` accepts them."""
        import keras_tuner

        hyperparameters = []
        for row in self.sweep.leaderboard(top=num_trials):
            params = {name.removeprefix("model."): value for name, value in row.params.items() if "model." in name}
            values = keras_tuner.HyperParameters()
            values.values = params
            self.hypermodel.build(values)  # `build` registers every parameter in `values`
            hyperparameters.append(values)
        return hyperparameters

    def get_best_models(self, num_models: int = 1) -> list[Any]:
        """Return the compiled models of the best trials, best first, with the weights that were scored."""
        numbers = [row.number for row in self.sweep.leaderboard(top=num_models)]
        return [self.sweep.load_model(number if place else None) for place, number in enumerate(numbers)]

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best `num_trials` trials as a leaderboard."""
        print_answer(f"{self.sweep.leaderboard(top=num_trials)}\n")


def _training_section(callbacks: Sequence[Any]) -> dict[str, Any]:
    training: dict[str, Any] = {}
    # Our settings classes have the names of Keras's callbacks.
    sections = {form.__name__: (section, form) for section, form in WATCHING.items()}
    for callback in callbacks:
        kind = type(callback).__name__
        if kind == "TerminateOnNaN":  # every trial ends at NaN anyway
            continue
        if kind not in sections or not type(callback).__module__.startswith("keras."):
            raise UsageError(
                f"`search` can't use the callback {kind}, only EarlyStopping, ReduceLROnPlateau and TerminateOnNaN",
                hint="For others use `ks.Spec(training={'callbacks': [function]})`: `function` returns a callback",
            )
        section, form = sections[kind]
        training[section] = {field.name: getattr(callback, field.name) for field in fields(form)}
    return training
