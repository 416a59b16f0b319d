"""Generations of 16 cost a search a tenth of the standard error of what it measures, and train three times faster.

    python benchmarks/generation_size.py [--quick] [--train] [--seeds 100] [--plot FILE]

Quality: TPE (through the sweep's own engine) and random search over optimizer, learning rate and epochs of the dense
model, on a table of really trained curves (3 optimizers x 48 learning rates x 20 epochs, `--train` makes it anew), in
generations of 1, 8, 16 and 32. Regret is the best validation accuracy of the table less the best found so far.
Speed: the sampler's own time, and the same random trials trained by the compiled runner in generations of each size.

Printout (2026-11-25, two shared cores of an AMD EPYC; the times with nothing else running): mean ± standard error over
100 seeds, in points (hundredths) of validation accuracy

    regret after             16 trials     32 trials     64 trials   less one by one   found 0.855
    tpe, 1 a generation   0.362 ±0.024  0.156 ±0.010  0.084 ±0.005                              99%
    tpe, 8 a generation   0.557 ±0.032  0.231 ±0.014  0.099 ±0.007      0.015 ±0.008            96%
    tpe, 16 a generation  0.515 ±0.026  0.275 ±0.017  0.118 ±0.009      0.034 ±0.009            94%
    tpe, 32 a generation  0.515 ±0.026  0.350 ±0.017  0.166 ±0.011      0.082 ±0.012            87%
    random                0.483 ±0.033  0.289 ±0.018  0.218 ±0.015      0.133 ±0.015            71%

    generation   sampler, ms a trial   training, ms a trial-epoch   times faster than one by one
             1                   1.6                         35.2                            1.0
             8                   1.2                         17.1                            2.1
            16                   1.1                         12.6                            2.8
            32                   0.9                         12.3                            2.9
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from printed import print_machine, print_table, write_plot

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.runner import Watch
from keras_sweep.trial.result import Result, Suggestion, TrialState

HERE = Path(__file__).parent
SPACE = HERE.parent / "search_spaces" / "dense.yaml"
TABLE = HERE / "data" / "curves.npz"
OPTIMIZERS = ("sgd", "rmsprop", "adam")
RATES = np.geomspace(1e-4, 1.0, 48)
EPOCHS = 20
SIZES = (1, 8, 16, 32)
TRIALS = 64
MARKS = (16, 32, 64)  # trials after which regret is looked at


@dataclass(frozen=True)
class Curves:
    """Validation accuracy of every cell, [3 optimizers, 48 learning rates, 20 epochs]; NaN where a trial diverged."""

    accuracy: np.ndarray

    @property
    def best(self) -> float:
        """The best accuracy that a search can find."""
        return float(np.nanmax(self.accuracy))

    def value(self, params: dict[str, Any]) -> float | None:
        """A trial's accuracy, straight between its two neighbours in log(learning rate); None beside a divergence."""
        place = float(np.interp(math.log(params["learning_rate"]), np.log(RATES), np.arange(len(RATES))))
        left = min(int(place), len(RATES) - 2)
        curves = self.accuracy[OPTIMIZERS.index(params["optimizer"]), left : left + 2, params["epochs"] - 1]
        value = float(curves[0] + (place - left) * (curves[1] - curves[0]))
        return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Search:
    """One simulated search."""

    values: tuple[float, ...]  # [TRIALS], NaN for a failed trial
    sampler_seconds: float  # of asking and telling, all trials together


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="8 seeds, and 8 short trials for speed")
    parser.add_argument("--train", action="store_true", help="train the table of curves anew first")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--plot", type=Path, help="write a plot of regret: .html, or .svg with kaleido")
    options = parser.parse_args()
    if options.train or not TABLE.exists():
        train_table()
    curves = Curves(np.load(TABLE, allow_pickle=False)["val_accuracy"])
    print_machine()
    searches = simulate(range(8 if options.quick else options.seeds))
    print_quality(curves, searches)
    if options.plot:
        write_plot(options.plot, figure(curves, searches))
    print_speed(searches, quick=options.quick)
    print_machine("at the end")


def train_table() -> None:
    """Train every cell of the table by the compiled runner, and keep it."""
    points = [
        {"optimizer": name, "learning_rate": float(rate), "epochs": EPOCHS} for name in OPTIMIZERS for rate in RATES
    ]
    results = sorted(trained(points, size=len(points))[0], key=lambda result: result.number)
    shape = (len(OPTIMIZERS), len(RATES), EPOCHS)
    arrays = {}
    for metric in ("val_accuracy", "val_loss"):
        rows = np.full((len(points), EPOCHS), np.nan)
        for result in results:
            if result.state is TrialState.COMPLETE:
                rows[result.number] = result.curve[metric]
        arrays[metric] = rows.reshape(shape)
    TABLE.parent.mkdir(exist_ok=True)
    np.savez_compressed(TABLE, learning_rate=RATES, optimizer=np.array(OPTIMIZERS), **arrays)
    print(f"written: {TABLE.name}, {TABLE.stat().st_size / 1024:.0f} KB, best {np.nanmax(arrays['val_accuracy']):.4f}")


def trained(points: Sequence[dict[str, Any]], size: int, runner: Any = None) -> tuple[list[Result], float]:
    """Train the points in generations of `size`; (results, wall seconds of training)."""
    runner = runner or compiled_runner()
    suggestions = [Suggestion(number, point) for number, point in enumerate(points)]
    results: list[Result] = []
    started = time.perf_counter()
    for first in range(0, len(suggestions), size):
        batch = suggestions[first : first + size]
        results += runner.run(batch, frozenset(one.number for one in batch), Watch())
    return results, time.perf_counter() - started


def compiled_runner() -> Any:
    """A compiled runner on the dense model and Fashion-MNIST."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.training.lanes.runner import CompiledRunner

    spec = read_space_file(SPACE)
    return CompiledRunner(spec, load_search_data(spec))


# --- quality


def simulate(seeds: Sequence[int]) -> dict[tuple[str, int], list[Search]]:
    """Every search: (sampler, generation size) -> one a seed."""
    arms = [("tpe", size) for size in SIZES] + [("random", 1)]
    jobs = [(sampler, size, seed) for seed in seeds for sampler, size in arms]
    searches: dict[tuple[str, int], list[Search]] = {arm: [] for arm in arms}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for (sampler, size, _), search in zip(jobs, pool.map(search_table, jobs, chunksize=5), strict=True):
            searches[sampler, size].append(search)
    return searches


def search_table(job: tuple[str, int, int]) -> Search:
    """Search the table once, as the loop of a sweep does."""
    from keras_sweep.search.engines import make_engine

    sampler, size, seed = job
    curves = Curves(np.load(TABLE, allow_pickle=False)["val_accuracy"])
    spec: SweepSpec = read_space_file(SPACE)
    engine = make_engine(replace(spec, search=replace(spec.search, sampler=sampler, seed=seed, trials=TRIALS)))
    values: list[float] = []
    seconds = 0.0
    while len(values) < TRIALS:
        started = time.perf_counter()
        asked = engine.ask(size)
        seconds += time.perf_counter() - started
        results = [told(one, curves.value(dict(one.params))) for one in asked]
        started = time.perf_counter()
        engine.tell(results)
        seconds += time.perf_counter() - started
        values += [math.nan if result.value is None else result.value for result in results]
    return Search(tuple(values), seconds)


def told(suggestion: Suggestion, value: float | None) -> Result:
    """The result of a simulated trial."""
    if value is None:
        return Result(suggestion, TrialState.FAIL, None, reason="diverged")
    return Result(suggestion, TrialState.COMPLETE, value)


def regrets(curves: Curves, searches: Sequence[Search]) -> np.ndarray:
    """[seeds, TRIALS] regret after each trial, in points (hundredths) of accuracy."""
    best = np.fmax.accumulate(np.array([search.values for search in searches]), axis=1)
    return 100 * (curves.best - np.nan_to_num(best, nan=0.0))


def mean_and_error(values: np.ndarray) -> str:
    """Mean and its standard error."""
    return f"{values.mean():.3f} ±{values.std(ddof=1) / math.sqrt(len(values)):.3f}"


def print_quality(curves: Curves, searches: dict[tuple[str, int], list[Search]]) -> None:
    """The table of regrets."""
    one_by_one = regrets(curves, searches["tpe", 1])
    rows = []
    for (sampler, size), found in searches.items():
        regret = regrets(curves, found)
        paired = mean_and_error(regret[:, -1] - one_by_one[:, -1]) if (sampler, size) != ("tpe", 1) else "-"
        good = (regret[:, -1] <= 100 * (curves.best - 0.855)).mean()
        name = f"{sampler}, {size} a generation" if sampler == "tpe" else sampler
        rows.append([name, *(mean_and_error(regret[:, mark - 1]) for mark in MARKS), paired, f"{good:.0%}"])
    print_table(
        f"Regret after so many trials, points of validation accuracy: mean ± standard error, {len(one_by_one)} seeds",
        ["search", *(f"{mark} trials" for mark in MARKS), "64 trials, less one by one", "found 0.855"],
        rows,
        [f"The table's best is {curves.best:.4f}. The standard error of such an accuracy on 12,000 rows is 0.33."],
    )


def figure(curves: Curves, searches: dict[tuple[str, int], list[Search]]) -> Any:
    """Mean regret against trials."""
    import plotly.graph_objects as go

    plot = go.Figure(layout={"xaxis_title": "trials", "yaxis_title": "regret, points of validation accuracy"})
    for (sampler, size), found in searches.items():
        mean = regrets(curves, found).mean(0)
        name = f"{sampler}, {size} a generation" if sampler == "tpe" else sampler
        plot.add_scatter(x=list(range(1, TRIALS + 1)), y=mean, name=name)
    plot.update_yaxes(type="log")
    return plot


# --- speed


def print_speed(searches: dict[tuple[str, int], list[Search]], *, quick: bool) -> None:
    """Train the same random trials in generations of each size."""
    count, epochs = (8, 2) if quick else (32, EPOCHS)
    random = np.random.default_rng(0)
    points = [
        {
            "optimizer": str(random.choice(OPTIMIZERS)),
            "learning_rate": float(10 ** random.uniform(-4, 0)),
            "epochs": int(random.integers(1, epochs + 1)),
        }
        for _ in range(count)
    ]
    runner = compiled_runner()
    sizes = [size for size in SIZES if size <= count]
    for size in sizes:  # compiles every program of both samples
        trained([{**point, "epochs": min(point["epochs"], 2)} for point in points], size, runner)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    total = sum(point["epochs"] for point in points)
    for _ in range(1 if quick else 2):
        for size in sizes:
            results, wall = trained(points, size, runner)
            compiling = sum(result.seconds.compile for result in results)
            times[size].append(1000 * (wall - compiling) / total)
    lane = {size: statistics.median(found) for size, found in times.items()}
    rows = []
    for size in sizes:
        sampler = 1000 * statistics.mean(search.sampler_seconds for search in searches["tpe", size]) / TRIALS
        rows.append([str(size), f"{sampler:.1f}", f"{lane[size]:.1f}", f"{lane[sizes[0]] / lane[size]:.1f}"])
    print_table(
        f"Time at each generation size: {count} random trials, {total} trial-epochs, compiling left out",
        ["generation", "sampler, ms a trial", "training, ms a trial-epoch", "times faster than one by one"],
        rows,
    )


if __name__ == "__main__":
    main()
