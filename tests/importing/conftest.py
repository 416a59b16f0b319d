"""Searches that KerasTuner ran."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest


class Tuned(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        optimizer = hp.Choice("optimizer", ["sgd", "adam"])
        with hp.conditional_scope("optimizer", ["sgd"]):
            hp.Float("momentum", 0, 0.9)
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(hp.Int("units", 3, 9, step=3))])
        model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def logged(trial: Any) -> dict[str, float]:
    """What training would have logged; KerasTuner does all the rest."""
    draw = np.random.default_rng(int(trial.trial_id))
    return {name: float(draw.random()) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}


class Hyperband(keras_tuner.Hyperband):  # type: ignore[misc]
    def run_trial(self, trial: Any, *args: Any, **more: Any) -> dict[str, float]:
        return logged(trial)


class RandomSearch(keras_tuner.RandomSearch):  # type: ignore[misc]
    def run_trial(self, trial: Any, *args: Any, **more: Any) -> dict[str, float]:
        return logged(trial)


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project folders of a Hyperband and a random search; no test changes them."""
    folder = tmp_path_factory.mktemp("tuner")
    kinds: list[tuple[Any, dict[str, int]]] = [(Hyperband, {"max_epochs": 3}), (RandomSearch, {"max_trials": 3})]
    for kind, more in kinds:
        with pytest.warns(DeprecationWarning):
            tuner = kind(Tuned(), objective="val_loss", directory=folder, project_name=kind.__name__, seed=1, **more)
            tuner.search()
    return folder
