"""The task that every peer trains: the dense model on Fashion-MNIST, as a user would write it. Imports no keras-sweep.

`arguments()` reads what the benchmarks pass on the command line. A peer prints one JSON line a finished trial, with the
fields of `sweep run --json`: event, number, value, epochs, params, seconds {compile, train, validate}.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import time
from pathlib import Path

TRIALS = 1000  # of a search that runs until it is stopped


def arguments() -> argparse.Namespace:
    """Read the command line and choose the Keras backend; call it before `import keras`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the four files")
    parser.add_argument("--points", type=Path, help="a JSON list of parameters to train; else search")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--steps-per-execution", type=int, default=1)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options.points = json.loads(options.points.read_text()) if options.points else None
    return options


def splits(folder: Path):
    """(x_train, y_train, x_validation, y_validation): 48,000 and 12,000 rows of 784 float32."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)
    x = (x / 255.0).astype("float32")
    x_train, x_validation, y_train, y_validation = train_test_split(x, y, test_size=0.2, random_state=42)
    return x_train, y_train, x_validation, y_validation


def model(optimizer: str, learning_rate: float, seed: int, steps_per_execution: int = 1):
    """The compiled model."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    made = keras.Sequential([keras.layers.Input((784,)), keras.layers.Dense(10, activation="softmax")])
    chosen = keras.optimizers.get(optimizer)
    chosen.learning_rate = learning_rate
    made.compile(
        optimizer=chosen,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return made


def train(data, params: dict, seed: int, steps_per_execution: int = 1) -> tuple[float, dict[str, float]]:
    """Fit and evaluate one trial: (validation accuracy, seconds)."""
    import keras

    class EpochTimes(keras.callbacks.Callback):
        seconds: list[float]

        def on_train_begin(self, logs=None):
            self.seconds = []

        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.started)

    x_train, y_train, x_validation, y_validation = data
    started = time.perf_counter()
    made = model(params["optimizer"], params["learning_rate"], seed, steps_per_execution)
    times = EpochTimes()
    made.fit(x_train, y_train, epochs=params["epochs"], verbose=0, callbacks=[times])
    fitted = time.perf_counter()
    value = made.evaluate(x_validation, y_validation, verbose=0)[1]
    seconds = {"validate": time.perf_counter() - fitted}
    return float(value), {**seconds, **_split(times.seconds, fitted - started)}


def _split(epochs: list[float], whole: float) -> dict[str, float]:
    """Seconds of `fit` as training and the rest: building, tracing and compiling, most of it in the first epoch.

    A trial of one epoch says nothing of how long an epoch takes without compiling; `compile` is None then.
    """
    if len(epochs) < 2:
        return {"train": whole, "compile": None}
    train = statistics.median(epochs[1:]) * len(epochs)
    return {"train": train, "compile": max(whole - train, 0.0)}


def print_trial(number: int, params: dict, value: float, seconds: dict) -> None:
    """Say that a trial is finished."""
    line = {"event": "trial_ended", "number": number, "value": value, "epochs": params["epochs"]}
    print(json.dumps({**line, "params": params, "seconds": seconds}), flush=True)
