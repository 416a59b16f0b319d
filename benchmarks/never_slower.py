"""The default runner takes at most the time of `--runner fit`, for every space; for tables with structure 0.3 of it.

    python benchmarks/never_slower.py [SPACE ...] [--trials N] [--rounds 3] [--quick]

Whole processes from start to exit with empty caches, one after the other in each round, on the same trials: here
`fit` asks for 16 at once too. Finalists and the test are left out. SPACE is a file, by default every one in
search_spaces/ and spaces/; each has as many trials as the file says, or N at most.

Printout (2026-11-26, two cores of an AMD EPYC, nothing else running; digits, deep_table and table three rounds,
diabetes and hyper_model five, the others one; dense and hyperband some hours before the others; short measurements ran
beside some rounds of deep_table and digits)

    space          trials  ours, s  fit, s  ratio  ours, CPU s  fit, CPU s  ratio of CPU
    breast_cancer      24      7.0    15.8   0.44          7.5        18.1          0.42
    cnn                16      8.4    16.7   0.50         12.9        22.8          0.57
    dense              64     22.8   354.1   0.06         40.4       475.4          0.09
    diabetes           32      3.3    16.5   0.20          4.1        19.5          0.21
    digits             48      7.7    65.2   0.12          9.1        86.0          0.11
    houses             24      2.2     8.0   0.27          2.6         9.4          0.28
    hyper_model        16      3.5    12.4   0.27          4.0        16.2          0.24
    hyperband          64     19.5   231.0   0.08         31.6       313.9          0.10
    keras_tuner        30      3.0    10.2   0.29          3.4        12.4          0.28
    moons               6      1.9     3.8   0.50          2.1         4.5          0.48
    own_data           32      2.8     9.4   0.30          3.3         9.8          0.33
    plants             32      3.0    11.2   0.27          3.0        11.3          0.26
    reference           1      4.2     7.4   0.57          5.6         9.8          0.57
    deep_table         32      5.0    58.2   0.09          6.7        78.8          0.09
    mlp                 8     10.3    32.4   0.32         16.8        48.8          0.34
    table              32      4.3    49.7   0.09          5.8        71.6          0.08
    lstm                4     20.7    21.6   0.97         32.3        28.9          1.07

lstm was measured on 2026-11-27, three rounds, nothing else running. A program a trial is compiled by both, so that
neither can be much faster.

Of these digits, table, deep_table, diabetes and hyper_model vary the structure of a table's model. A day before, with
16 trials of each space at most and nothing else running, their ratios were 0.43, 0.26, 0.38, 0.42 and 0.48, that of the
MLP 0.51.
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
