"""What every peer does with a task of tasks.py: reads the command line, trains a trial, tells of it.

A peer prints one JSON line a finished trial, with the fields of `sweep run --json`: event, number, value, epochs, params,
seconds {compile, train, validate}. Imports no keras-sweep.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

from tasks import TASKS, Task

TRIALS = 1000  # of a search that runs until it is stopped


def arguments() -> argparse.Namespace:
    """Read the command line and choose the Keras backend; call it before `import keras`.

    `options.task` is the `Task`, `options.points` a list of parameters or None.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", default="dense", choices=TASKS)
    parser.add_argument("--backend", default="tensorflow")
    parser.add_argument("--data", type=Path, help="the folder with the four files of Fashion-MNIST, for tasks on it")
    parser.add_argument("--points", type=Path, help="a JSON list of parameters to train; else search")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--steps-per-execution", type=int, default=1)
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options.points = json.loads(options.points.read_text()) if options.points else None
    options.task = TASKS[options.task]
    return options


def model(task: Task, params: dict, seed: int, steps_per_execution: int = 1):
    """The compiled model."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    made = task.model(params)
    chosen = keras.optimizers.get(params.get("optimizer", "adam"))
    chosen.learning_rate = params["learning_rate"]
    made.compile(optimizer=chosen, loss=task.loss, metrics=["accuracy"], steps_per_execution=steps_per_execution)
    return made


def train(task: Task, data, params: dict, seed: int, steps_per_execution: int = 1) -> tuple[float, dict[str, float]]:
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
    made = model(task, params, seed, steps_per_execution)
    times = EpochTimes()
    size = params.get("batch_size", 32)
    made.fit(x_train, y_train, epochs=params["epochs"], batch_size=size, verbose=0, callbacks=[times])
    fitted = time.perf_counter()
    value = made.evaluate(x_validation, y_validation, batch_size=size, verbose=0)[1]
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
