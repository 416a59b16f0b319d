"""Models whose inputs are one number a row: `keras.Input(shape=())`, and `keras.Input(shape=(1,))`."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.ran import quiet

DRAW = np.random.default_rng(0)
ROWS = {
    "pay": DRAW.normal(size=200).astype(np.float32),
    "age": DRAW.normal(size=200).astype(np.float32),
    "kind": DRAW.integers(0, 5, 200, dtype=np.int32),
}
LABELS = (ROWS["age"] + ROWS["kind"] > 2.5).astype(int)


def build_wide_and_deep(is_column: bool, as_list: bool) -> keras.Model:
    """As the examples of keras.io: numbers and a category, each an input of its own."""
    inputs = {
        name: keras.Input((1,) if is_column else (), name=name, dtype=str(rows.dtype)) for name, rows in ROWS.items()
    }
    flat = {name: keras.ops.reshape(tensor, (-1,)) for name, tensor in inputs.items()}
    numbers = keras.ops.stack([flat["age"], flat["pay"]], axis=-1)
    wide = keras.layers.CategoryEncoding(5, output_mode="one_hot")(flat["kind"])
    hidden = keras.layers.concatenate([numbers, keras.layers.Embedding(5, 3)(flat["kind"])])
    deep = keras.layers.Dense(4, "relu")(hidden)
    outputs = keras.layers.Dense(1, "sigmoid")(keras.layers.concatenate([wide, deep]))
    return keras.Model(list(inputs.values()) if as_list else inputs, outputs)


@pytest.mark.parametrize("shape", [[], [1]], ids=["number", "column"])
@pytest.mark.parametrize("as_list", [False, True], ids=["dict", "list"])
@pytest.mark.parametrize("runner", ["compiled", "fit"])
def test_columns_of_one_number_train_and_the_exported_model_takes_them(
    shape: list[int], as_list: bool, runner: str, tmp_path: Path
) -> None:
    spec = ks.Spec(
        data=(ROWS, LABELS),
        model=(build_wide_and_deep, {"is_column": bool(shape), "as_list": as_list}),
        loss="binary_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"learning_rate": 0.05, "epochs": 4},
        search=ks.Optuna("random", trials=1),
    )
    sweep = ks.run(spec, name="it", sweeps_dir=tmp_path, runner=runner, listener=quiet)
    assert sweep.best.runner == f"{runner}/jax" and sweep.best.value > 0.6
    model = keras.models.load_model(sweep.export(tmp_path / "it.keras"))
    assert {tensor.shape for tensor in model.inputs} == {(None, *shape)}
    rows = list(ROWS.values()) if as_list else ROWS
    assert model.predict(rows, verbose=0).shape == (200, 1)
