"""Lanes on JAX against `fit` on JAX and TensorFlow: a perceptron, a CNN and a transformer, on the GPU if there is one.

    python benchmarks/gpu.py [--trials 64] [--rows 10000] [--batch-size 32] [--epochs 3] [--rounds 3] [--quick]

Each cell is a whole `sweep run` in a process of its own, with empty caches. Its trials differ in their rates alone.
A step is the training time of all trials, divided by their steps: compiling and validation do not count. The table has
the medians of the rounds. The last lines say which devices JAX and TensorFlow have. Without a GPU the same code runs on
the CPU. There lanes train on all cores at once, so their step counts the seconds of a core.

No GPU was measured yet. With `--quick` it ran through on a CPU whose load was 30, so its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import as_installed
from printed import print_machine, print_table

MODELS = {"perceptron 784-128-10": "perceptron, units: 128", "CNN, 16 and 32 filters": "cnn, filters: 16"}
MODELS |= {"transformer, 28 x 32, 4 heads": "transformer, width: 32"}
WAYS = {"lanes, JAX": ("jax", "compiled"), "fit, JAX": ("jax", "fit"), "fit, TensorFlow": ("tensorflow", "fit")}
SPACE = """
data: {{python: "rows:pictures", arguments: {{rows: {rows}}}}}
model: {{python: "models:{model}}}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {{name: val_accuracy, goal: maximize}}
parameters:
  optimizer: adam
  learning_rate: {{min: 1e-4, max: 1e-2, log: true}}
  batch_size: {batch_size}
  epochs: {epochs}
search: {{trials: {trials}, sampler: random, generation: {trials}, seed: 42}}
finalists: none
"""
TRAINED = 0.64  # of the rows: a fifth is for the test, and a fifth of the rest for validation
DEVICE = {
    "jax": "import jax; print(*jax.devices())",
    "tensorflow": "import tensorflow as tf; print(*(device.name for device in tf.config.list_physical_devices()))",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for name, default in {"trials": 64, "rows": 10_000, "batch-size": 32, "epochs": 3, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--quick", action="store_true", help="one round of 2 trials of 1,000 rows, two epochs each")
    options = parser.parse_args()
    if options.quick:
        options.trials, options.rows, options.epochs, options.rounds = 2, 1_000, 2, 1
    print_machine("at the start")
    steps, wholes = [], []
    for name, model in MODELS.items():
        runs = {way: [measure(model, way, options) for _ in range(options.rounds)] for way in WAYS}
        medians = [[statistics.median(part) for part in zip(*times, strict=True)] for times in runs.values()]
        (lanes, *fits), seconds = zip(*medians, strict=True)
        ratio = f"{lanes / min(fits):.2f}"
        steps.append([name, *(f"{1000 * step:.3f}" for step in (lanes, *fits)), ratio])
        wholes.append([name, *(f"{value:.1f}" for value in seconds)])
        print(*steps[-1], *wholes[-1][1:], flush=True)
    title = f"{options.trials} trials, {options.rows:,} rows, batches of {options.batch_size}"
    print_table(f"{title}: milliseconds a step", ["model", *WAYS, "lanes / best fit"], steps)
    print_table(f"{title}: seconds of the whole process", ["model", *WAYS], wholes)
    for backend, code in DEVICE.items():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        print(f"{backend} has {done.stdout.strip() or 'no device'}")
    print_machine("at the end")


def measure(model: str, way: str, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of a training step, and wall seconds of the whole process.

    Raises:
        RuntimeError: the process failed.
    """
    backend, runner = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        for module in ("models.py", "rows.py"):
            shutil.copy(Path(__file__).parent / "spaces" / module, folder)
        function, _, argument = model.partition(", ")
        text = SPACE.format(**vars(options), model=f'{function}", {argument}')
        Path(folder, "gpu.yaml").write_text(text)
        command = [sys.executable, "-m", "keras_sweep", "run", "gpu.yaml", "--json", "--no-test", "--runner", runner]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, "--backend", backend],
            cwd=folder,
            env={**as_installed(), "SWEEP_CACHE_DIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{way}, {model} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    trials = [event for event in events if event["event"] == "trial_ended"]
    steps = math.ceil(options.rows * TRAINED / options.batch_size) * sum(trial["epochs"] for trial in trials)
    return sum(trial["seconds"]["train"] for trial in trials) / steps, seconds


if __name__ == "__main__":
    main()
