"""Datasets as public notebooks hand them to `fit` and to a tuner: of tf.data, of Keras, of torch."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.command import python

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
SPEC: dict[str, Any] = {
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "maximize": "val_accuracy",
    "parameters": {"learning_rate": ks.Float(1e-2, 1.0, log=True), "epochs": 3},
    "search": ks.Optuna("random", trials=2),
}

OF_TENSORFLOW = """
import sys
import tensorflow as tf
import keras_sweep as ks
from tests.ports.test_datasets import SPEC, X, Y

def rows():  # read once more for its test rows, after trials have set TensorFlow's seed
    sets = [tf.data.Dataset.from_tensor_slices((X[at], Y[at])) for at in (slice(100), slice(100, 150), slice(150, 200))]
    return sets[0].shuffle(64, seed=1).batch(16), sets[1].batch(16), sets[2].batch(16)

of_function = ks.run(ks.Spec(data=rows, **SPEC), name="function", sweeps_dir=sys.argv[1])
assert of_function.test_looks == 1 and of_function.replay().matches

data = [tf.data.Dataset.from_tensor_slices((X[at], Y[at])) for at in (slice(150), slice(150, None))]
parts = {"train": data[0].shuffle(64, seed=1).batch(16).prefetch(1), "validation": data[1].batch(16)}
spec = ks.Spec(data=parts, **SPEC)
sweep = ks.run(spec, name="it", sweeps_dir=sys.argv[1])
assert ks.run(spec, name="it", sweeps_dir=sys.argv[1]).best == sweep.best
assert sweep.replay().matches and sweep.best.runner == "compiled/jax"
print(len(sweep.validation().x), sweep.best.value)
"""


@pytest.mark.soak
def test_training_and_validation_datasets_of_tensorflow_train_as_lanes(tmp_path: Path) -> None:
    ended = python(OF_TENSORFLOW, tmp_path, cwd=Path.cwd()).ok()
    rows, value = ended.out.split()
    assert rows == "50" and float(value) > 0.8
    assert "the training dataset was read into memory: 150 rows" in ended.err


class Sequence(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 13

    def __getitem__(self, place: int) -> Any:
        return X[16 * place : 16 * place + 16], Y[16 * place : 16 * place + 16]


def build(hp: Any) -> Any:
    model = keras.Sequential([keras.layers.Dense(hp.Choice("units", [4, 8])), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_tuner_searches_a_dataset_of_keras(tmp_path: Path) -> None:
    tuner = ks.Tuner(build, "val_accuracy", max_trials=2, directory=tmp_path)
    tuner.search(Sequence(), validation_data=Sequence(), epochs=2)
    assert len(tuner.sweep.validation().x) == 200 and 0 <= tuner.sweep.best.value <= 1


class Endless(Sequence):
    num_batches = None

    def __getitem__(self, place: int) -> Any:
        return super().__getitem__(place % 12)


@pytest.mark.soak
def test_a_dataset_that_never_ends_is_iterated_by_fit_and_begins_anew_for_each_trial(search: Any) -> None:
    begun: list[Endless] = []

    def load() -> Any:
        begun.append(Endless())
        return begun[-1], Sequence(), (X[:50], Y[:50])

    sweep = search({"python": load, "steps_per_epoch": 5}, **SPEC)
    assert sweep.best.runner == "fit/jax" and len(begun) >= 1 + 2
    # By plain Keras, the same numbers.
    keras.utils.set_random_seed(42)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.RMSprop(sweep.best.params["learning_rate"]), SPEC["loss"], metrics=["accuracy"])
    by_hand = model.fit(Endless(), steps_per_epoch=5, epochs=3, validation_data=(X, Y), shuffle=False, verbose=0)
    assert by_hand.history["val_loss"] == list(sweep.best.curve["val_loss"])


def test_what_needs_training_rows_in_memory_is_refused_beside_a_dataset_that_fit_iterates(search: Any) -> None:
    def tried(data: Any, **more: Any) -> str:
        with pytest.raises(ks.UsageError) as raised:
            search(data, **{**SPEC, **more})
        return str(raised.value)

    endless = {"python": lambda: {"train": Endless(), "validation": Sequence()}, "steps_per_epoch": 5}
    assert "`class_weight: balanced`" in tried(endless, training={"class_weight": "balanced"})
    assert "`finish: {refit: true}`" in tried(endless, finish={"refit": True})
    assert "`batch_size`" in tried(endless, parameters={"batch_size": [16, 32]})
    assert "must be encoded, but `fit` encodes nothing" in tried(endless, loss="categorical_crossentropy")
    assert 'Return `{"train": dataset, "validation": ...}`' in tried(
        {"python": lambda: Endless(), "steps_per_epoch": 5}
    )


def of_two_inputs(units: int) -> Any:
    inputs = {name: keras.Input((2,), name=name) for name in ("left", "right")}
    hidden = keras.layers.Dense(units)(keras.layers.concatenate(list(inputs.values())))
    return keras.Model(inputs, keras.layers.Dense(2, "softmax")(hidden))


def test_a_loader_of_torch_with_dicts_of_features_trains(search: Any) -> None:
    from torch.utils import data as torch_data

    rows = [({"left": x[:2], "right": x[2:]}, y) for x, y in zip(X, Y, strict=True)]
    parameters = {**SPEC["parameters"], "model.units": 4}
    sweep = search(
        torch_data.DataLoader(rows, batch_size=32), model=of_two_inputs, **{**SPEC, "parameters": parameters}
    )
    assert set(sweep.validation().x) == {"left", "right"} and sweep.best.runner.startswith("compiled")
