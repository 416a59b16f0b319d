"""On pictures, `sweep run` takes less CPU than a loop of `fit` on JAX or TensorFlow: a CNN, a transformer, an LSTM.

    python benchmarks/pictures.py [cnn transformer lstm] [--rounds 3] [--trials 4] [--epochs 2 6] [--quick]
    python benchmarks/pictures.py cnn --ours ../before/.venv/bin/python  # another checkout's sweep, in turn with this
    python benchmarks/pictures.py lstm --against jax  # a loop of fit on JAX alone; without a name none at all

Each trial trains 240 steps of 32 rows per epoch and is validated on 1,920 rows after each epoch (spaces/pictures.yaml).
A process is measured from start to exit: user and system time of it and its children. It finds no cached programs. All
processes of a round run in turn, and the table has medians of the rounds. "CPU s" is of the shorter length of
`--epochs`, in which starting, building and compiling count most. "ms a step" is the CPU that the longer length adds,
per step, validation included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contenders import as_installed
from printed import print_machine, print_table

SPACE = Path(__file__).parent / "spaces" / "pictures.yaml"
MODELS = ("cnn", "transformer", "lstm")  # picture_cnn and so on in spaces/models.py
STEPS = 240  # an epoch
# No compiled program is left from an earlier process.
ENVIRONMENT = {"JAX_ENABLE_COMPILATION_CACHE": "false", "TF_CPP_MIN_LOG_LEVEL": "3"}
FIT = """
import sys; sys.path.append({folder!r})
import keras, models, rows
x, y = rows.fashion_pictures()
for rate in {rates}:
    keras.backend.clear_session()
    keras.utils.set_random_seed(42)
    model = models.picture_{model}((784,), 10)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    held = x[7680:9600], y[7680:9600]
    model.fit(x[:7680], y[:7680], batch_size=32, epochs={epochs}, validation_data=held, verbose=0)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=MODELS, help=" ".join(MODELS), metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 6], help="a length, or two")
    parser.add_argument("--against", nargs="*", default=["tensorflow", "jax"], help="backends of fit")
    parser.add_argument("--ours", nargs="*", type=Path, default=[], help="interpreters of other checkouts")
    parser.add_argument("--quick", action="store_true", help="one round of the CNN on one backend")
    options = parser.parse_args()
    if options.quick:
        options.models, options.rounds, options.epochs, options.against = ["cnn"], 1, [1], ["tensorflow"]
    print_machine("at the start")
    for model in options.models:
        sweeps = {"sweep run": Path(sys.executable), **{f"sweep run of {path}": path for path in options.ours}}
        commands = {
            (name, epochs): sweep_command(python, model, options.trials, epochs)
            for epochs in options.epochs
            for name, python in sweeps.items()
        }
        commands |= {
            (f"fit on {backend}", epochs): fit_command(backend, model, options.trials, epochs)
            for epochs in options.epochs
            for backend in options.against
        }
        seconds: dict[tuple[str, int], list[float]] = {key: [] for key in commands}
        for _ in range(options.rounds):
            for key, command in commands.items():
                seconds[key].append(measure(command))
        rows, ours, steps = [], seconds["sweep run", options.epochs[0]], options.trials * STEPS
        for name in dict.fromkeys(name for name, _ in commands):
            short, long = seconds[name, options.epochs[0]], seconds[name, options.epochs[-1]]
            added = statistics.median(long) - statistics.median(short)
            extra = (options.epochs[-1] - options.epochs[0]) * steps
            ratio = statistics.median(a / b for a, b in zip(ours, short, strict=True))
            values = [f"{statistics.median(short):.1f}", f"{min(short):.1f} to {max(short):.1f}", f"{ratio:.2f}"]
            rows.append([name, *values, f"{1000 * added / extra:.2f}" if extra else ""])
        title = f"{model}, {options.trials} trials of {options.epochs[0]} epochs, {options.rounds} rounds"
        print_table(title, ["", "CPU s", "range", "sweep run takes of it", "ms a step"], rows)
    print_machine("at the end")


def sweep_command(python: Path, model: str, trials: int, epochs: int) -> Sequence[str]:
    """Return the command of a sweep, without its folder."""
    settings = ["finalists=none", f"epochs={epochs}", f"model.python=models:picture_{model}"]
    command = [str(python), "-m", "keras_sweep", "run", str(SPACE), "--trials", str(trials), "--no-test", "--quiet"]
    return [*command, *(word for setting in settings for word in ("--set", setting))]


def fit_command(backend: str, model: str, trials: int, epochs: int) -> Sequence[str]:
    """Return the command of a loop of `fit`."""
    rates = [10 ** (-2 - index / 2) for index in range(trials)]
    code = FIT.format(folder=str(SPACE.parent), rates=rates, model=model, epochs=epochs)
    return ["env", f"KERAS_BACKEND={backend}", sys.executable, "-c", code]


def measure(command: Sequence[str]) -> float:
    """Return the CPU seconds of a process.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**as_installed(), "SWEEPS_DIR": folder, **ENVIRONMENT}
        before = os.times()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        after = os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
