"""A trial from suggestion to result. Frozen records: search and training share these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from operator import add
from typing import TYPE_CHECKING, TypeAlias

from keras_sweep.space.search_space import Params
from keras_sweep.trial.row_scores import RowScores, arrays_digest

if TYPE_CHECKING:  # numpy takes longer to import than a leaderboard takes to show
    import numpy as np
    import numpy.typing as npt

Curve: TypeAlias = Mapping[str, tuple[float, ...]]  # metric name -> [E], one value an epoch, as `fit` logs it
Weights: TypeAlias = "tuple[npt.NDArray[np.generic], ...]"  # in the order of `keras.Model.get_weights`

DIVERGED = "diverged"  # the reason of a trial whose loss or metrics left the finite numbers


class TrialState(StrEnum):
    """How a trial ended. The names are Optuna's; an unfinished trial has none, because it is nowhere on disk."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an engine asks a runner to train."""

    number: int  # counted from 0 within the sweep
    params: Params  # constants included, inactive parameters left out
    generation: int = 0  # the batch that it was asked in, counted from 0
    continues: int | None = None  # the trial whose training it takes up (a promoted one), same params but epochs
    recipe: int | None = None  # of a finalist, the trial of the search whose params it has, but for the seed
    sampler_seconds: float = 0.0  # its share of the time that asking took


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall time of one trial; where many share a program, its share of each part."""

    sampler: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    validate: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(*map(add, astuple(self), astuple(other)))

    @property
    def training(self) -> float:
        """What its epochs took: equal work has equal figures, whoever was the first to need a program."""
        return self.train + self.validate

    @property
    def total(self) -> float:
        """All parts together."""
        return self.sampler + self.compile + self.train + self.validate


@dataclass(frozen=True, slots=True)
class Result:
    """How a suggestion turned out. A failed trial is a result too."""

    suggestion: Suggestion
    state: TrialState
    value: float | None  # the objective; None without one (always None for FAIL)
    curve: Curve = field(default_factory=dict)  # every logged metric, up to the last epoch trained
    epoch: int | None = None  # the epoch that `value` and `weights` are of, counted from 1
    seconds: Seconds = field(default_factory=Seconds)
    reason: str | None = None  # why it ended, where it did not run to its end: "diverged", "pruned at epoch 3"
    traceback: str | None = None
    weights: Weights | None = None  # exactly those that earned `value`; None for FAIL and when read from the record
    scores: RowScores | None = None  # of each validation row, as in `value`; None as for `weights`, or without a form
    scores_digest: str | None = None  # of those scores, where they were written
    weights_digest: str | None = None  # of those weights; None for FAIL
    engine: str = ""  # "optuna/tpe"
    runner: str = ""  # "compiled/jax"
    stderr: float | None = None  # standard error of `value` over the validation rows; None where there is no formula
    rows_value: float | None = None  # the metric by the model's outputs on those rows, where that is not `value`
    reads_epochs: bool = False  # its parameter `epochs` is `epoch`: it trained on, as far as rungs let it
    is_transient: bool = False  # a FAIL by a fault of the machine, which another try may escape; not in the record
    rows: str | None = None  # digest of its validation labels and weights, where trials differ in their data
    measured: Mapping[str, float] = field(default_factory=dict)  # of its model, for further goals: "parameters"
    finalists: tuple[Result, ...] = ()  # the same recipe trained with other seeds, in the order in which that was done
    final: bool = False  # whether those decide: all that were to be trained with other seeds have been

    @property
    def number(self) -> int:
        """The suggestion's number."""
        return self.suggestion.number

    @property
    def params(self) -> Params:
        """The suggestion's values, but for what is read off the curve."""
        asked = self.suggestion.params
        return {**asked, "epochs": self.epoch} if self.reads_epochs and self.epoch is not None else asked

    @property
    def is_whole(self) -> bool:
        """Whether it trained all the epochs that its parameters say."""
        return self.state is TrialState.COMPLETE or (self.reads_epochs and self.state is not TrialState.FAIL)

    @property
    def recipe(self) -> int:
        """The trial of the search whose recipe it is: its own number, but for a finalist."""
        return self.suggestion.number if self.suggestion.recipe is None else self.suggestion.recipe

    @property
    def name(self) -> str:
        """What it is called: `trial 36`; `trial 36 with seed 43` of a finalist."""
        seed = self.finalist_seed
        return f"trial {self.recipe}" + ("" if seed is None else f" with seed {seed}")

    @property
    def finalist_seed(self) -> int | None:
        """The seed that a finalist was trained with; None for a trial of the search."""
        seed, suggestion = self.params.get("seed"), self.suggestion
        return seed if suggestion.recipe is not None and isinstance(seed, int) else None

    def light(self) -> Result:
        """Without weights and scores, of which memory would not hold thousands; their digests stay."""
        weights = self.weights_digest if self.weights is None else arrays_digest(self.weights)
        scores = self.scores_digest if self.scores is None else self.scores.digest
        return replace(self, weights=None, weights_digest=weights, scores=None, scores_digest=scores)

    @property
    def metrics(self) -> dict[str, float]:
        """Every logged metric at the epoch that was scored; empty before the first epoch."""
        if self.epoch is None:
            return {}
        return {name: values[self.epoch - 1] for name, values in self.curve.items() if len(values) >= self.epoch}

    def goal(self, name: str) -> float | None:
        """What it comes to in a further goal: a metric at the scored epoch, or what was measured; None without it."""
        if name == "train_seconds":
            return self.seconds.training
        return self.measured.get(name, self.metrics.get(name))

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return max((len(values) for values in self.curve.values()), default=0)
