"""What a space file says, checked and frozen. Every other module reads this and never the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import SearchSpace

ENGINES: Mapping[str, tuple[str, ...]] = {
    "optuna": ("tpe", "random", "grid", "qmc"),
    "keras-tuner": ("random", "bayesian", "hyperband", "grid"),
}  # engine -> samplers, the first is its default


class Goal(StrEnum):
    """The direction of the objective."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The recorded metric that ranks trials."""

    name: str  # as Keras logs it: "val_accuracy", "val_loss"
    goal: Goal
    take_best: bool = field(default=False, repr=False)  # a trial's best epoch counts, not its last

    def key(self, value: float) -> float:
        """A sort key: smaller is better."""
        return -value if self.goal is Goal.MAXIMIZE else value

    def better(self, a: float, b: float) -> bool:
        """Whether a is strictly better than b."""
        return self.key(a) < self.key(b)


@dataclass(frozen=True, slots=True)
class Split:
    """How rows are held out where the source brings no split of its own."""

    validation: float = 0.2  # share of the rows that are not test rows
    test: float = 0.2  # share of all rows
    seed: int = 42
    stratify: bool = False


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where rows come from: a known name, a file with a target column, or a user's function."""

    kind: Literal["named", "csv", "parquet", "npz", "python"]
    source: str  # the name; the file's absolute path; "module:function"
    target: str | None = None  # the label column of a table, the label array of an npz
    split: Split = field(default_factory=Split)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is built for a trial: the dense model, or what a user's function or HyperModel returns."""

    kind: Literal["dense", "python"]
    source: str  # "dense" or "module:function"
    arguments: Mapping[str, Value] = field(default_factory=dict)  # fixed arguments; `model.*` parameters override


@dataclass(frozen=True, slots=True)
class EarlyTerminate:
    """Stops poor trials between rungs; the keys of a W&B sweep file."""

    type: Literal["hyperband", "median", "successive_halving"]
    min_iter: int = 1  # epochs before the first rung
    eta: int = 3  # reduction factor


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Who asks, how often, and from which seed."""

    engine: str = "optuna"
    sampler: str = "tpe"
    trials: int = 64  # in total
    seed: int = 42


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """One sweep, as its space file says it."""

    name: str  # the file's stem, unless --name says otherwise
    folder: Path  # where the file is: `python:` modules and relative paths start here
    text: str  # the file as it was read, after `--set`
    data: DataSpec
    model: ModelSpec
    loss: str
    metrics: tuple[str, ...]
    objective: Objective
    space: SearchSpace
    search: SearchSettings
    early_terminate: EarlyTerminate | None = None
    warnings: tuple[str, ...] = ()  # what does not stop a sweep but is likely a slip

    @property
    def take_best(self) -> bool:
        """Whether each trial's best epoch is scored instead of its last."""
        return self.objective.take_best
