"""The default runner takes at most the time of `--runner fit`; for most tables with structure at most 0.45 of it.

    python benchmarks/never_slower.py [SPACE ...] [--trials N] [--rounds 3] [--quick] [--sentence]

Whole processes from start to exit with empty caches, one after the other in each round, on the same trials: here
`fit` asks for 16 at once too. Finalists and the test are left out. SPACE is a file, by default every one in
search_spaces/ and spaces/; each has as many trials as the file says, or N at most.

The medians of the rounds are written to never_slower.json, which keeps what it holds of other spaces. README.md and
the docs say of them what `--sentence` prints. `--quick` and `--trials` write nothing.

The rows of 2026-11-28 are of one round, with short commands beside it now and then, and with the packages that users
have: Keras imports matplotlib and pandas where they are, two seconds of every process. The rows of 2026-12-01 are of a
quiet machine, three rounds of lstm, reference and moons, one of the others. Digits, deep_table, diabetes, hyper_model
and table vary the structure of a table's model.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contenders import as_installed
from printed import machine_line, print_machine, print_table

HERE = Path(__file__).parent
RESULTS = HERE / "never_slower.json"
SPACES = (*sorted((HERE.parent / "search_spaces").glob("*.yaml")), *sorted((HERE / "spaces").glob("*.yaml")))
OURS = ("-m", "keras_sweep")
FIT = (
    "-c",
    "from keras_sweep.training.fit.runner import FitRunner; FitRunner.generation = 16; "
    "from keras_sweep.cli.main import main; main()",
)
KEYS = ("trials", "ours_seconds", "fit_seconds", "ratio", "ours_cpu_seconds", "fit_cpu_seconds", "cpu_ratio")
SAME = ("--set", "finalists=none", "--no-test", "--quiet", "--backend", "jax")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("spaces", nargs="*", type=Path, default=SPACES)
    parser.add_argument("--trials", type=int, help="of each space, at most; by default what its file says")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of 4 trials of one space")
    parser.add_argument("--sentence", action="store_true", help="print what the docs say of the results, and end")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text())
    if options.sentence:
        print(summarize(known))
        return
    if options.quick:
        options.spaces, options.trials, options.rounds = SPACES[-1:], 4, 1
    print_machine("at the start")
    results = {space.stem: measure(space, options.trials, options.rounds) for space in options.spaces}
    head = ["space", "trials", "ours, s", "fit, s", "ratio", "ours, CPU s", "fit, CPU s", "ratio of CPU"]
    rows = [[name, *(str(result[key]) for key in KEYS)] for name, result in results.items()]
    print_table("the default runner against fit on JAX, whole processes, no caches", head, rows)
    print_machine("at the end")
    if options.trials is None:
        lines = [f"  {json.dumps(name)}: {json.dumps(result)}" for name, result in sorted({**known, **results}.items())]
        RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def summarize(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in the docs' words how the ratios of the wall times lie."""
    ratios = sorted(result["ratio"] for result in results.values())
    slower = sum(ratio > 1 for ratio in ratios)
    most = f"half of them take at most {statistics.median(ratios):.2f} of its time, the slowest {ratios[-1]:.2f}"
    return f"with cold caches {slower or 'none'} of the {len(ratios)} spaces measured is slower than `fit`; {most}"


def measure(space: Path, most: int | None, rounds: int) -> dict[str, Any]:
    """Time a space; returns the medians of the rounds."""
    from keras_sweep.space_file.read import read_space_file

    trials = read_space_file(space).search.trials
    trials = trials if most is None else min(trials, most)
    ours, fits = [], []
    for _ in range(rounds):
        ours.append(process(space, trials, OURS))
        fits.append(process(space, trials, FIT, "--runner", "fit"))
    (wall, cpu), (fit_wall, fit_cpu) = (
        [round(statistics.median(values), 1) for values in zip(*times, strict=True)] for times in (ours, fits)
    )
    ratio, of_cpu = (round(statistics.median(a[i] / b[i] for a, b in zip(ours, fits, strict=True)), 2) for i in (0, 1))
    numbers = dict(zip(KEYS, (trials, wall, fit_wall, ratio, cpu, fit_cpu, of_cpu), strict=True))
    print(space.stem, *numbers.values(), flush=True)
    return {**numbers, "rounds": rounds, "machine": machine_line(), "date": f"{datetime.now(UTC):%Y-%m-%d}"}


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
