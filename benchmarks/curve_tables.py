"""Tables of really trained curves: recipes drawn from a space, each trained for 20 epochs by keras-sweep's lanes.

A table is a small file in `data/`, made by `python benchmarks/search_quality.py --make NAME`. The held-out rows of its
space are halved. `search` has the objective on one half, trained with the search's seed; `truth` has it on the other,
the mean of other seeds, since a search that looks at some rows with one seed is to find what is good on new rows with a
new seed: of three where a recipe is among the better quarter, else of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.space.distributions import Categorical, Distribution, Value
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file

HERE = Path(__file__).parent
DATA = HERE / "data"
LONGEST = 20  # epochs of a curve
SEEDS = 3  # of `truth`
CHUNK = 120  # recipes trained at once
MISSING = object()  # the value of a parameter that a recipe does not have
LEVELS = 4095  # of a loss, between the table's least and its 90th percentile, where all worse ones are


@dataclass(frozen=True)
class Kind:
    """Where a table comes from."""

    space: Path
    recipes: int
    rows: int | None = None  # so many of the training rows
    grid: bool = False  # every choice with even steps of the one range; else at random


KINDS = {
    "dense": Kind(HERE.parent / "search_spaces" / "dense.yaml", 300, grid=True),
    "digits": Kind(HERE / "spaces" / "digits_mlp.yaml", 800),
    "wide": Kind(HERE / "spaces" / "wide.yaml", 300, rows=6_000),
    "friedman": Kind(HERE / "spaces" / "friedman.yaml", 300),
    "cnn": Kind(HERE / "spaces" / "cnn.yaml", 150),
    "first": Kind(HERE / "spaces" / "first.yaml", 300),
    "houses": Kind(HERE / "spaces" / "houses.yaml", 400),
}


@dataclass(frozen=True)
class Table:
    """N recipes with E epochs each."""

    name: str
    places: np.ndarray  # [N, P] uint16: where in its range a parameter is, in 2**16ths; `epochs` has none
    search: np.ndarray  # [N, E] the objective, NaN from where it diverged
    truth: np.ndarray  # [N, E]

    def spec(self, *sets: str) -> SweepSpec:
        """Its space, changed as by `--set`."""
        return read_space_file(KINDS[self.name].space, sets=sets)

    @cached_property
    def recipes(self) -> list[dict[str, Value]]:
        """[N] parameters without `epochs`."""
        return recipes(self.spec(), self.places)

    @cached_property
    def sign(self) -> int:
        """1 where more of the objective is better, else -1."""
        return -int(self.spec().objective.key(1.0))

    @cached_property
    def points(self) -> np.ndarray:
        """[N, P] where recipes lie."""
        return np.array([self.point(one) for one in self.recipes])

    def point(self, params: Mapping[str, Value]) -> list[float]:
        """Where a recipe lies, for distances: each range is 1 long, that of the learning rate, which says most, 3."""
        found = []
        for one in self.searched:
            shares = shares_of(one.distribution, params.get(one.name, MISSING))
            found += [(3.0 if one.name == "learning_rate" else 1.0) * each for each in shares]
        return found

    @cached_property
    def searched(self) -> list[Parameter]:
        """The parameters that places are of."""
        return [one for one in self.spec().space.parameters if one.name != "epochs"]


def recipes(spec: SweepSpec, places: np.ndarray) -> list[dict[str, Value]]:
    """[N] the parameters at places [N, P], without `epochs`."""
    names = [one.name for one in spec.space.parameters if one.name != "epochs"]
    found = []
    for row in places / 2**16:
        units = iter([float(row[names.index(one.name)]) if one.name in names else 0.0 for one in spec.space.parameters])
        found.append({name: value for name, value in spec.space.at(units).items() if name != "epochs"})
    return found


def shares_of(distribution: Distribution, value: Any) -> list[float]:
    """Where a value is in its range; of a choice one number each, so that two of them are 1.4 apart."""
    if isinstance(distribution, Categorical):
        return [float(one == value) for one in distribution.choices]
    if value is MISSING:
        return [0.0]
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return [(value - low) / (high - low)]


# --- files


def made() -> list[str]:
    """The tables that have a file."""
    return [name for name in KINDS if (DATA / f"curves_{name}.npz").exists()]


def load(name: str) -> Table:
    """The table as it was made."""
    with np.load(DATA / f"curves_{name}.npz", allow_pickle=False) as read:
        arrays = {part: decoded(read[part], *read[f"{part}_scale"]) for part in ("search", "truth")}
        return Table(name, read["places"], **arrays)


def save(name: str, places: np.ndarray, search: np.ndarray, truth: np.ndarray, rows: tuple[int, int] | None) -> Path:
    """Write a table; `rows` [2] of a metric that counts right ones, of the two halves, so that it is kept exactly."""
    path, arrays = DATA / f"curves_{name}.npz", {"places": places}
    for index, (part, values) in enumerate({"search": search, "truth": truth}.items()):
        low, high = 0.0, 1.0
        steps = rows[index] * (SEEDS * 2 if index else 1) if rows else LEVELS  # a mean of one or of three
        if rows is None:
            low, high = float(np.nanmin(values)), float(np.nanpercentile(values[np.isfinite(values)], 90))
        arrays[part] = coded(values, low, high, steps)
        arrays[f"{part}_scale"] = np.array([low, (high - low) / steps])
    np.savez_compressed(path, **arrays)
    return path


def coded(values: np.ndarray, low: float, high: float, steps: int) -> np.ndarray:
    """[N, E] uint16: differences from one epoch to the next, which compress well; 65,535 stands for NaN."""
    whole = np.where(np.isfinite(values), np.rint((np.clip(values, low, high) - low) / (high - low) * steps), 65_535)
    return np.diff(whole.astype(np.uint16), axis=1, prepend=np.uint16(0))


def decoded(differences: np.ndarray, low: float, step: float) -> np.ndarray:
    """The values again."""
    whole = np.cumsum(differences, axis=1, dtype=np.uint16)
    return np.where(whole == 65_535, np.nan, low + step * whole)


# --- training


def make(name: str) -> None:
    """Train a table and write its file."""
    kind, started = KINDS[name], time.perf_counter()
    spec = read_space_file(kind.space)
    places = drawn(spec, kind)
    points = recipes(spec, places)
    halves = runners(spec, kind)
    search = trained(halves[0], spec, points, spec.search.seed)
    sign = -spec.objective.key(1.0)
    best = np.nanmax(np.where(np.isfinite(search), sign * search, -np.inf), axis=1)
    better = np.flatnonzero(best >= np.quantile(best, 0.75))
    truth = trained(halves[1], spec, points, spec.search.seed + 1)
    again, seeds = [points[one] for one in better], range(spec.search.seed + 2, spec.search.seed + 1 + SEEDS)
    truth[better] = np.mean([truth[better], *(trained(halves[1], spec, again, seed) for seed in seeds)], axis=0)
    rows = (halves[0].rows, halves[1].rows) if spec.objective.is_share else None
    path = save(name, places, search, truth, rows)
    size, seconds = path.stat().st_size / 1024, time.perf_counter() - started
    print(f"written: {path.name}, {len(points)} recipes, {size:.0f} kB, {seconds:.0f} s, best {sign * best.max():.4f}")


def drawn(spec: SweepSpec, kind: Kind) -> np.ndarray:
    """[N, P] where the recipes lie."""
    choices = [int(one.distribution.size) for one in spec.space.parameters if isinstance(one.distribution, Categorical)]
    ranges = [one.distribution for one in spec.space.parameters if one.name != "epochs"]
    if not kind.grid:
        return np.random.default_rng(0).integers(2**16, size=(kind.recipes, len(ranges))).astype(np.uint16)
    steps = np.linspace(0, 2**16 - 1, kind.recipes // math.prod(choices))
    axes = [(np.arange(one.size) + 0.5) * 2**16 / one.size if isinstance(one, Categorical) else steps for one in ranges]
    return np.array(list(product(*axes))).astype(np.uint16)


@dataclass(frozen=True)
class Half:
    """Trains on the training rows and looks at half of the others."""

    runner: Any
    rows: int


def runners(spec: SweepSpec, kind: Kind) -> tuple[Half, Half]:
    """Of the search, and of the truth."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.training.lanes.runner import CompiledRunner

    data = load_search_data(spec)
    order = np.random.default_rng(0).permutation(len(data.validation))
    train = data.train if kind.rows is None else data.train.take(np.arange(kind.rows))
    found = []
    for half in np.array_split(order, 2):
        own = replace(data, train=train, validation=data.validation.take(np.sort(half)))
        found.append(Half(CompiledRunner(spec, own), len(half)))
    return found[0], found[1]


def trained(half: Half, spec: SweepSpec, points: Sequence[Mapping[str, Value]], seed: int) -> np.ndarray:
    """[N, E] the objective, NaN from where it diverged."""
    from keras_sweep.training.runner import Watch
    from keras_sweep.trial.result import Suggestion

    curves, started = np.full((len(points), LONGEST), np.nan), time.perf_counter()
    asked = [Suggestion(n, {**one, "epochs": LONGEST, "seed": seed}) for n, one in enumerate(points)]
    for first in range(0, len(asked), CHUNK):
        chunk = asked[first : first + CHUNK]
        for result in half.runner.run(chunk, frozenset(one.number for one in chunk), Watch()):
            curve = result.curve.get(spec.objective.name, ())
            curves[result.number, : len(curve)] = curve
        print(f"seed {seed}: {first + len(chunk)} of {len(asked)}, {time.perf_counter() - started:.0f} s", flush=True)
    return np.where(np.isfinite(curves), curves, np.nan)
