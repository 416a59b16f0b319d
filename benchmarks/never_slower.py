"""The default runner takes at most the time of `--runner fit`, for every space; for tables with structure 0.3 of it.

    python benchmarks/never_slower.py [SPACE ...] [--trials N] [--rounds 3] [--quick]

Whole processes from start to exit with empty caches, one after the other in each round, on the same trials: here
`fit` asks for 16 at once too. Finalists and the test are left out. SPACE is a file, by default every one in
search_spaces/ and spaces/; each has as many trials as the file says, or N at most.

Printout (2026-11-26, two cores of an AMD EPYC, nothing else running; one round, `--trials 16`)

    space          trials  ours, s  fit, s  ratio  ours, CPU s  fit, CPU s  ratio of CPU
    breast_cancer      16      5.3    13.5   0.39          5.5        15.3          0.36
    cnn                16      9.6    18.7   0.52         13.8        23.3          0.59
    dense              16      9.1    54.3   0.17         14.4        70.4          0.20
    diabetes           16      5.0    11.9   0.42          5.8        13.4          0.43
    digits             16     10.8    25.2   0.43         16.4        34.8          0.47
    houses             16      4.0     9.8   0.41          4.6        10.9          0.42
    hyper_model        16      6.1    12.7   0.48          7.4        15.0          0.49
    hyperband          16      9.4    54.6   0.17         14.9        70.6          0.21
    keras_tuner        16      4.1    11.2   0.36          4.7        12.8          0.37
    moons               6      3.9     6.1   0.64          4.3         6.7          0.64
    own_data           16      4.7     9.0   0.53          5.2         9.8          0.54
    plants             16      3.8     9.2   0.41          4.3        10.3          0.42
    reference           1      5.1     5.9   0.87          7.3         8.2          0.89
    deep_table         16      9.2    24.3   0.38         12.9        32.6          0.40
    mlp                 8      9.9    19.4   0.51         16.0        28.3          0.57
    table              16      6.2    23.9   0.26          7.9        31.6          0.25

Since lanes differ in activations, batch sizes and depth as well (the same day, one round; a dozen other programs ran on
both cores, so that seconds of CPU say more than seconds from start to end)

    deep_table         16      16.2    66.4   0.22          8.7        42.3          0.21
    digits             16      37.5   110.1   0.34          9.1        44.2          0.21
    table              16      42.2   188.2   0.22          9.8        51.0          0.19
    hyper_model        16      39.2   126.4   0.31          7.7        22.7          0.34
    diabetes           16      27.7    81.1   0.34          7.7        18.9          0.41

Of deep_table these are medians of three rounds at a load of 5 to 8. The other spaces, and these with nothing else
running, are not measured anew.

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
    from keras_sweep.space_file.yaml_file import read_space_file

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
            command, env={**os.environ, "XDG_CACHE_HOME": folder}, capture_output=True, text=True, check=False
        )
        seconds, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, children


if __name__ == "__main__":
    main()
