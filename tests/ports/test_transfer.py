"""Transfer learning in two phases, as in a guide of keras.io: a new head on a frozen base, then all of it."""

from functools import cache
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.factory import digits

HALF = 5  # the base knows the digits below it, the search is for the others


def rows(part: str, *, known: bool) -> tuple[Any, Any]:
    given = getattr(digits(600, 300), part)
    chosen = (given.y < HALF) == known
    return given.x[chosen], given.y[chosen] % HALF


def layers() -> list[Any]:
    return [keras.layers.Dense(24, activation="relu"), keras.layers.Dense(16, activation="relu")]


@cache
def pretrained() -> list[np.ndarray]:
    """The weights of a base that was trained before, as those of ImageNet."""
    keras.utils.set_random_seed(0)
    base = keras.Sequential([keras.Input((64,)), *layers()])
    model = keras.Sequential([base, keras.layers.Dense(HALF, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*rows("train", known=True), epochs=20, verbose=0)
    return list(base.get_weights())


class Transfer(keras_tuner.HyperModel):
    def build(self, hp: Any) -> Any:
        base = keras.Sequential([keras.Input((64,)), *layers()], name="base")
        base.set_weights(pretrained())
        base.trainable = False
        model = keras.Sequential([base, keras.layers.Dense(HALF, activation="softmax")])
        self.compiled(model, hp.Float("lr", 1e-3, 1e-1, sampling="log"))
        return model

    def compiled(self, model: Any, rate: float) -> None:
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        model.fit(*args, **kwargs)
        model.get_layer("base").trainable = True
        self.compiled(model, hp.Choice("low", [1e-4, 1e-3]))
        return model.fit(*args, **kwargs)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
def test_a_base_is_frozen_and_then_tuned(tmp_path: Path) -> None:
    x, y = rows("train", known=False)
    held = rows("validation", known=False)
    tuner = ks.Tuner(Transfer(), objective="val_accuracy", max_trials=2, directory=tmp_path, project_name="transfer")
    tuner.search(x, y, epochs=3, validation_data=held)
    best = tuner.sweep.best
    assert {"model.lr", "model.low"} <= best.params.keys() and best.epochs == 6  # of both phases, as one curve
    assert best.value > 0.5 and tuner.sweep.replay().matches
    keras.utils.set_random_seed(42)
    hp = keras_tuner.HyperParameters()
    hp.values = {name.removeprefix("model."): value for name, value in best.params.items() if "model." in name}
    hypermodel = Transfer()
    model = hypermodel.build(hp)
    last = hypermodel.fit(hp, model, x, y, epochs=3, validation_data=held, verbose=0)
    assert best.curve["val_accuracy"][3:] == pytest.approx(last.history["val_accuracy"], abs=1e-6)
    (tuned,) = tuner.get_best_models()
    before = pretrained()[0]
    assert not np.allclose(tuned.get_layer("base").get_weights()[0], before)  # the base was tuned, too
