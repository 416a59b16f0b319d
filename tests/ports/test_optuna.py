"""Optuna's objectives become functions of their parameters: few lines change, and no value does."""

import difflib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import keras_sweep as ks
from tests.helpers.ran import quiet

MOST = 10  # changed lines
ROWS = 192
PIXELS, DIGITS = load_digits(return_X_y=True)
PIXELS = (PIXELS[:ROWS].reshape(-1, 8, 8, 1) / 16).astype("float32")


class KerasBefore:
    """A convolutional network whose filters, kernel, activation and rate are suggested."""

    def objective(self, trial: Any) -> float:
        model = keras.Sequential([keras.Input((8, 8, 1))])
        filters = trial.suggest_categorical("filters", [4, 8])
        kernel_size = trial.suggest_categorical("kernel_size", [3, 5])
        activation = trial.suggest_categorical("activation", ["relu", "linear"])
        model.add(keras.layers.Conv2D(filters, kernel_size, activation=activation))
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dense(10, activation="softmax"))
        learning_rate = trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True)
        optimizer = keras.optimizers.RMSprop(learning_rate=learning_rate)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
        model.fit(PIXELS[:128], DIGITS[:128], batch_size=64, epochs=2, verbose=0)
        score = model.evaluate(PIXELS[128:], DIGITS[128:ROWS], verbose=0)
        return score[1]

    def search(self) -> Any:
        study = optuna.create_study(direction="maximize")
        study.optimize(self.objective, n_trials=3)
        return study


class KerasAfter:
    """A convolutional network whose filters, kernel, activation and rate are suggested."""

    def objective(self, filters: Any, kernel_size: Any, activation: Any, learning_rate: Any) -> float:
        model = keras.Sequential([keras.Input((8, 8, 1))])
        model.add(keras.layers.Conv2D(filters, kernel_size, activation=activation))
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dense(10, activation="softmax"))
        optimizer = keras.optimizers.RMSprop(learning_rate=learning_rate)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])
        model.fit(PIXELS[:128], DIGITS[:128], batch_size=64, epochs=2, verbose=0)
        score = model.evaluate(PIXELS[128:], DIGITS[128:ROWS], verbose=0)
        return score[1]

    def search(self) -> Any:
        layers = {"filters": [4, 8], "kernel_size": [3, 5], "activation": ["relu", "linear"]}
        parameters = {**layers, "learning_rate": ks.Float(1e-5, 1e-1, log=True)}
        spec = ks.Spec(objective=self.objective, parameters=parameters, maximize="score", search=ks.Optuna(trials=3))
        return ks.run(spec, name="keras", listener=quiet)


class PruningBefore:
    """A linear classifier that tells its score after each pass, so that poor trials end early."""

    def objective(self, trial: Any) -> float:
        iris = load_iris()
        parts = train_test_split(iris.data, iris.target, test_size=0.25, random_state=0)
        train_x, valid_x, train_y, valid_y = parts
        alpha = trial.suggest_float("alpha", 1e-5, 1e-1, log=True)
        clf = SGDClassifier(alpha=alpha, random_state=0)
        for step in range(10):
            clf.partial_fit(train_x, train_y, classes=np.unique(iris.target))
            intermediate_value = clf.score(valid_x, valid_y)
            trial.report(intermediate_value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return clf.score(valid_x, valid_y)

    def search(self) -> Any:
        study = optuna.create_study(direction="maximize")
        study.optimize(self.objective, n_trials=16)
        return study


class PruningAfter:
    """A linear classifier that tells its score after each pass, so that poor trials end early."""

    def objective(self, alpha: Any, report: Any) -> float:
        iris = load_iris()
        parts = train_test_split(iris.data, iris.target, test_size=0.25, random_state=0)
        train_x, valid_x, train_y, valid_y = parts
        clf = SGDClassifier(alpha=alpha, random_state=0)
        for step in range(10):
            clf.partial_fit(train_x, train_y, classes=np.unique(iris.target))
            intermediate_value = clf.score(valid_x, valid_y)
            report(intermediate_value, step + 1)
        return clf.score(valid_x, valid_y)

    def search(self) -> Any:
        search: Any = {"search": ks.Optuna(trials=16), "early_terminate": {"type": "median"}}
        parameters = {"alpha": ks.Float(1e-5, 1e-1, log=True)}
        spec = ks.Spec(objective=self.objective, parameters=parameters, maximize="score", **search)
        return ks.run(spec, name="pruning", listener=quiet)


PORTS = [(KerasBefore(), KerasAfter()), (PruningBefore(), PruningAfter())]
each = pytest.mark.parametrize(("before", "after"), PORTS, ids=["keras", "pruning"])


@each
def test_few_lines_change(before: Any, after: Any) -> None:
    def lines(one: Any) -> list[str]:
        return inspect.getsource(type(one)).splitlines()[1:]

    changed = list(difflib.ndiff(lines(before), lines(after)))
    removed, added = (sum(line.startswith(sign) for line in changed) for sign in "-+")
    assert max(removed, added) <= MOST, "\n".join(changed)


@each
def test_the_function_gives_the_value_that_the_objective_gives(
    before: Any, after: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep, objective = after.search(), before.objective
    complete = [trial for trial in sweep.trials if trial.state == "COMPLETE"]
    assert complete and sweep.replay(complete[-1].number).matches
    for trial in complete[:4]:
        keras.utils.set_random_seed(42)  # as before each call of a function
        assert objective(optuna.trial.FixedTrial(trial.params)) == pytest.approx(trial.value, abs=1e-6)
    search: Callable[[], Any] = before.search
    assert search().best_value >= 0  # what is ported runs
