"""With `take: best` a pruned trial wins where its best epoch is the best of all, and its model is what is kept."""

import json
from pathlib import Path
from typing import Any

import keras
import pytest

import keras_sweep as ks
from keras_sweep.trial.result import TrialState
from tests.api.conftest import run_digits

FIRST_EPOCH = 3  # steps of 600 - 120 rows in batches of 160


class SpoiltLater(keras.layers.Layer):
    """Passes its inputs on in the first epoch alone."""

    def build(self, input_shape: Any) -> None:
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.steps.assign_add(1.0)
        return inputs * keras.ops.cast(self.steps <= FIRST_EPOCH, inputs.dtype)


class Part(keras.layers.Layer):
    """Shows a quarter of the pixels."""

    def call(self, inputs: Any) -> Any:
        return inputs[:, 16:32]


def build(shown: str, classes: int) -> Any:
    """A classifier that is good at first, or middling throughout."""
    layer = SpoiltLater() if shown == "well, then not" else Part()
    return keras.Sequential([keras.Input((64,)), layer, keras.layers.Dense(classes, activation="softmax")])


def test_a_pruned_trial_wins_with_its_best_epoch(tmp_path: Path) -> None:
    sweep = run_digits(
        tmp_path,
        model=build,
        parameters={
            "optimizer": "adam",
            "learning_rate": 0.05,
            "batch_size": 160,
            "epochs": {"max": 4, "take": "best"},
            "model.shown": ["a part", "well, then not"],
        },
        early_terminate={"type": "successive_halving", "min_iter": 2, "eta": 2},
        search=ks.Optuna("grid", trials=2, seed=1),
    )
    best, other = (sweep.trial(row.number) for row in sweep.leaderboard())
    assert (best.params["model.shown"], best.state) == ("well, then not", TrialState.PRUNED)
    assert (sweep.best.number, other.state) == (best.number, TrialState.COMPLETE)
    curve = best.curve["val_accuracy"]
    assert best.value == curve[0] > curve[1]
    card = json.loads((sweep.path / "card.json").read_text())
    assert (card["trial"], card["validation"]["value"]) == (best.number, curve[0])
    rows = sweep.validation()
    score = sweep.load_model().evaluate(rows.x, rows.y, batch_size=160, verbose=0, return_dict=True)
    assert score["accuracy"] == pytest.approx(curve[0], abs=1e-6)
    assert card["test"]["accuracy"] > 2 * curve[1]  # of the file that is exported: not of its last epoch
