"""The CPU seconds of commands on a complete sweep of 10,000 trials. Goals: leaderboard 2, report 10, `run` again 5.

    python benchmarks/many_trials.py [--trials 1000 10000] [--rounds 3] [--quick]

Whole processes from start to exit, medians of the rounds. The trials are real: a linear model or one hidden layer on
iris, two epochs each, drawn at random. Most of the wait goes into writing 10,000 trials to the disk one by one.
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

SPACE = """
data: iris
split: {validation: 0.3, test: 0.1, seed: 42, stratify: true}
model: dense
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: {name: val_accuracy, goal: maximize}
parameters:
  optimizer: {values: [sgd, rmsprop, adam]}
  learning_rate: {min: 1e-4, max: 1e-1, log: true}
  model.hidden: {values: [[], [8]]}
  batch_size: 32
  epochs: 2
search: {sampler: random, trials: TRIALS, seed: 42, generation: 100}
finalists: none
"""
CALLS = (("leaderboard", "many"), ("show", "many", "5"), ("report", "many"), ("run", "many.yaml"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="200 trials, one round")
    options = parser.parse_args()
    if options.quick:
        options.trials, options.rounds = [200], 1
    print_machine("at the start")
    rows = []
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "many.yaml").write_text(SPACE.replace("TRIALS", str(trials)))
            made = cpu_of(CALLS[-1], folder)
            times = [[cpu_of(call, folder) for _ in range(options.rounds)] for call in CALLS]
            rows.append((f"{trials:,}", f"{made:.1f}", *(f"{statistics.median(part):.1f}" for part in times)))
    print_table("seconds of CPU", ("trials", "search", "leaderboard", "show", "report", "resume"), rows)


def cpu_of(call: Sequence[str], folder: Path) -> float:
    """Run `sweep CALL` in `folder`. Return its CPU seconds, its own processes included. Raises CalledProcessError."""
    before = os.times()
    command = [sys.executable, "-m", "keras_sweep", *call]
    subprocess.run(command, cwd=folder, env=as_installed(), capture_output=True, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


if __name__ == "__main__":
    main()
