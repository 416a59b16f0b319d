"""Text classification as on keras.io, from raw strings by layers that work on TensorFlow."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.command import python

GOOD, BAD = ("fine", "great", "lovely", "superb"), ("dull", "poor", "awful", "flat")
OTHER = ("film", "plot", "actor", "scene", "music")


def reviews(rows: int = 160) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    words = [rng.permutation([*rng.choice(GOOD if label else BAD, 2), *rng.choice(OTHER, 3)]) for label in y]
    return [" ".join(each) for each in words], y


def from_texts(units: int) -> Any:
    """A vocabulary, an embedding of each word, their mean, two classes."""
    return keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            keras.layers.TextVectorization(max_tokens=40, output_sequence_length=6),
            keras.layers.Embedding(40, units),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2, "softmax"),
        ]
    )


SPEC: dict[str, Any] = {
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
    "maximize": "val_accuracy",
    "parameters": {"learning_rate": ks.Float(3e-2, 1e-1, log=True), "epochs": 6, "model.units": [4, 8]},
    "search": ks.Optuna("random", trials=2),
    "finalists": "none",
}
RAW = """
import sys
from pathlib import Path
import keras
import numpy as np
import keras_sweep as ks
from tests.ports.test_text import SPEC, from_texts, reviews

folder = Path(sys.argv[1])
texts, y = reviews()
lines = [f"{n},{text},{'good' if label else 'bad'}" for n, (text, label) in enumerate(zip(texts, y))]
(folder / "reviews.csv").write_text("\\n".join(["id,review,mood", *lines]))
data = ks.Csv(folder / "reviews.csv", target="mood", text="review")
spec = ks.Spec(data=data, model=from_texts, training={"adapt": True}, **SPEC)
sweep = ks.run(spec, name="raw", sweeps_dir=folder, trials=1)
assert ks.run(spec, name="raw", sweeps_dir=folder, trials=1).best == sweep.best
file = sweep.export(folder / "best.keras")
assert sweep.replay().matches and ks.verify(file, sweeps_dir=folder).matches
opened = keras.models.load_model(file)
says = opened.predict(np.array(["a superb lovely plot"], object), verbose=0).argmax()
print(sweep.best.value, "superb" in opened.layers[0].get_vocabulary(), says)
"""


@pytest.mark.soak
def test_raw_strings_train_on_tensorflow_with_a_vocabulary_of_training_rows(tmp_path: Path) -> None:
    ended = python(RAW, tmp_path, cwd=Path.cwd(), backend="tensorflow").ok()
    value, knows, says = ended.out.split()
    assert float(value) > 0.8 and (knows, says) == ("True", "1")


def test_raw_strings_on_another_backend_are_told_what_serves(tmp_path: Path) -> None:
    with pytest.raises(ks.UsageError, match=r"the backend is jax\. Add `backend='tensorflow'`, or give ids of words"):
        ks.run(ks.Spec(data=reviews(), model=from_texts, **SPEC), name="raw", sweeps_dir=tmp_path)
