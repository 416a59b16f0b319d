"""A model of one's own, with its size and dropout as parameters: `python examples/own_model.py`."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported: on other backends trials train one by one

import keras

import keras_sweep as ks


def build(filters, rate, classes):
    """A small convolutional network for pictures of 8 x 8 pixels, given as rows of 64."""
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(filters, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


spec = ks.Spec(
    data="digits",
    model=build,
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    maximize="val_accuracy",
    parameters={
        "optimizer": "adam",
        "learning_rate": ks.Float(1e-3, 3e-2, log=True),
        "epochs": 3,
        "model.filters": [8, 16],
        "model.rate": 0.1,
    },
    search=ks.Optuna("random", trials=6, seed=1),
)
sweep = ks.run(spec, name="own-model")

model = sweep.load_model()
rows = sweep.validation()
loss, accuracy = model.evaluate(rows.x, rows.y, verbose=0)
print(f"leaderboard {sweep.best.value:.4f}, evaluate {accuracy:.4f}")
