"""The default runner takes at most the time of `--runner fit`; for most tables with structure at most 0.45 of it.

    python benchmarks/never_slower.py [SPACE ...] [--trials N] [--rounds 3] [--quick]

Whole processes from start to exit with empty caches, one after the other in each round, on the same trials: here
`fit` asks for 16 at once too. Finalists and the test are left out. SPACE is a file, by default every one in
search_spaces/ and spaces/; each has as many trials as the file says, or N at most.

Printout (2026-11-28, two cores of an AMD EPYC, one round, short commands beside it now and then, with the packages that
users have: Keras imports matplotlib and pandas where they are, two seconds of every process here)

    space          trials  ours, s  fit, s  ratio  ours, CPU s  fit, CPU s  ratio of CPU
    breast_cancer      24     17.6    34.6   0.51         17.6        37.6          0.47
    cnn                16     20.3    38.0   0.53         31.2        49.8          0.63
    dense              64     39.6   745.9   0.05         65.6       898.2          0.07
    dense_fast         64     30.4   251.9   0.12         44.8       331.7          0.14
    diabetes           32      8.2    25.1   0.33          8.8        29.2          0.30
    digits             48     16.0    95.8   0.17         23.6       140.8          0.17
    houses             24      6.7    18.5   0.36          7.5        21.3          0.35
    hyper_model        16      9.5    22.4   0.43         11.8        27.5          0.43
    hyperband          64     35.1   424.0   0.08         54.6       563.3          0.10
    keras_tuner        30      8.5    25.4   0.33          9.6        28.9          0.33
    moons               6      5.6     7.7   0.73          6.1         8.9          0.69
    own_data           32      6.7    18.8   0.36          7.4        20.2          0.37
    plants             32      8.6    26.2   0.33          9.3        26.9          0.35
    reference           1     10.6    15.1   0.70         12.8        18.3          0.70
    deep_table         32     24.1    83.3   0.29         33.4       122.4          0.27
    digits_mlp         64     20.0   204.6   0.10         29.6       320.4          0.09
    friedman           64     14.7   153.1   0.10         19.6       224.1          0.09
    lstm                4     34.3    44.3   0.77         55.1        58.1          0.95
    mlp                 8     17.4    57.4   0.30         26.0        80.6          0.32
    table              32     30.0    81.4   0.37         41.4       117.2          0.35
    wide               64     48.4   424.3   0.11         80.2       584.3          0.14

digits, deep_table, diabetes, hyper_model and table vary the structure of a table's model. Three rounds of hyper_model
two hours before, quiet, were 9.8 s for 21.0, 0.47, and three the day after, on another host, 10.2 s for 18.9, 0.57:
most of its ten seconds are the start that any run has, 2.6 s in which XLA compiles the drawing of weights in eight
shapes, and one in which Optuna makes its tables. `wide` ran the day after, alone.
Before lanes shared structures and programs were compiled by the work that they do, `table` with its 32 trials took 79 s
of CPU by lanes and 68 s by fit.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from contenders import as_installed
from printed import print_machine, print_table

HERE = Path(__file__).parent
SPACES = (*sorted((HERE.parent / "search_spaces").glob("*.yaml")), *sorted((HERE / "spaces").glob("*.yaml")))
OURS = ("-m", "keras_sweep")
FIT = (
    "-c",
    "from keras_sweep.training.fit.runner import FitRunner; FitRunner.generation = 16; "
    "from keras_sweep.cli.main import main; main()",
)
SAME = ("--set", "finalists=none", "--no-test", "--quiet", "--backend", "jax")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("spaces", nargs="*", type=Path, default=SPACES)
    parser.add_argument("--trials", type=int, help="of each space, at most; by default what its file says")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of 4 trials of one space")
    options = parser.parse_args()
    if options.quick:
        options.spaces, options.trials, options.rounds = SPACES[-1:], 4, 1
    print_machine("at the start")
    rows = [measured(space, options.trials, options.rounds) for space in options.spaces]
    head = ["space", "trials", "ours, s", "fit, s", "ratio", "ours, CPU s", "fit, CPU s", "ratio of CPU"]
    print_table("the default runner against fit on JAX, whole processes, no caches", head, rows)
    print_machine("at the end")


def measured(space: Path, most: int | None, rounds: int) -> list[str]:
    """A row of the table: medians of the rounds."""
    from keras_sweep.space_file.read import read_space_file

    trials = read_space_file(space).search.trials
    trials = trials if most is None else min(trials, most)
    ours, fits = [], []
    for _ in range(rounds):
        ours.append(process(space, trials, OURS))
        fits.append(process(space, trials, FIT, "--runner", "fit"))
    (wall, cpu), (fit_wall, fit_cpu) = (
        [statistics.median(one) for one in zip(*each, strict=True)] for each in (ours, fits)
    )
    ratio, of_cpu = (statistics.median(a[i] / b[i] for a, b in zip(ours, fits, strict=True)) for i in (0, 1))
    numbers = [f"{wall:.1f}", f"{fit_wall:.1f}", f"{ratio:.2f}", f"{cpu:.1f}", f"{fit_cpu:.1f}", f"{of_cpu:.2f}"]
    print(space.stem, trials, *numbers, flush=True)
    return [space.stem, str(trials), *numbers]


def process(space: Path, trials: int, program: Sequence[str], *arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of one `sweep run` in an empty folder, with an empty cache.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *program, "run", str(space), "--sweeps-dir", folder, "--trials", str(trials)]
        command += [*SAME, *arguments]
        before, started = os.times(), time.perf_counter()
        done = subprocess.run(
            command, env={**as_installed(), "XDG_CACHE_HOME": folder}, capture_output=True, text=True, check=False
        )
        seconds, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, children


if __name__ == "__main__":
    main()
