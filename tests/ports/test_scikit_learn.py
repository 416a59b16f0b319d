"""A page of scikeras, and an example of Talos. A comment marks each line that changes; lines that go do not count."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.datasets import load_iris, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_sweep as ks  # changed
from tests.helpers.ran import quiet

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")


def get_clf(input_shape: Any, hidden_layer_sizes: Any, dropout: float) -> Any:  # changed
    """As in "Basic usage" of scikeras, where the sizes come from `meta`."""
    model = keras.Sequential([keras.Input(input_shape)])  # changed
    for size in hidden_layer_sizes:
        model.add(keras.layers.Dense(size, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


def test_the_grid_search_of_scikeras_is_a_sweep() -> None:
    X, y = make_moons(n_samples=100, noise=0.2, random_state=0)
    params = {
        "learning_rate": [0.05, 0.1],  # changed
        "model.hidden_layer_sizes": [[100], [50, 50]],  # changed
        "model.dropout": [0, 0.5],  # changed
    }
    score = {"metrics": ["accuracy"], "maximize": "val_accuracy", "search": ks.Optuna("grid", trials=8)}  # changed
    clf = ks.Spec(model=get_clf, loss="binary_crossentropy", parameters=params, **score)  # changed
    gs = ks.SweepCV(clf)  # changed
    gs.fit(X, y)
    assert len(gs.cv_results_["params"]) == 8
    assert gs.best_score_ == gs.cv_results_["mean_test_score"].max() > 0.6
    assert gs.best_params_ in gs.cv_results_["params"]
    assert gs.sweep_.replay().matches
    pipe = make_pipeline(StandardScaler(), ks.SweepCV(clf, 2))
    assert pipe.fit(X, y).predict(X).shape == (100,)


def iris_model(**params: Any) -> Any:  # changed
    """As Talos's example of iris, where the function also trains the model and returns it with its history."""
    model = keras.Sequential()
    model.add(keras.layers.Dense(32, activation=params["activation"]))
    model.add(keras.layers.Dense(3, activation="softmax"))
    model.compile(optimizer=params["optimizer"], loss=params["losses"], metrics=["acc"])
    return model  # changed


def test_a_scan_of_talos_is_a_sweep(tmp_path: Path) -> None:
    iris = load_iris()
    x, y = iris.data, np.eye(3)[iris.target]
    p = {
        "model.activation": ["relu", "elu"],  # changed
        "model.optimizer": ["Nadam", "Adam"],  # changed
        "model.losses": ["log_cosh"],  # changed
        "batch_size": [20, 50],
        "epochs": [10, 20],
    }
    spec = ks.Spec(
        data=(x, y), model=iris_model, parameters=p, maximize="val_acc", search=ks.Optuna("random", 6)
    )  # changed
    scan_object = ks.run(spec, name="iris", sweeps_dir=tmp_path, listener=quiet)  # changed
    assert len(scan_object.trials) == 6
    assert scan_object.best.value > 0.5
    assert scan_object.replay().matches
