"""A trial from suggestion to result. Search and training exchange only these frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from operator import add
from typing import TYPE_CHECKING, TypeAlias

from keras_sweep.space.search_space import Params
from keras_sweep.trial.row_scores import RowScores, arrays_digest

if TYPE_CHECKING:  # importing NumPy takes longer than showing a leaderboard
    import numpy as np
    import numpy.typing as npt

Curve: TypeAlias = Mapping[str, tuple[float, ...]]  # metric name -> [E], a value per epoch, as `fit` logs it
Weights: TypeAlias = "tuple[npt.NDArray[np.generic], ...]"  # in the order of `keras.Model.get_weights`

DIVERGED = "diverged"  # the reason of a trial whose loss or metrics became NaN or infinite
OUT_OF_MEMORY = "out of memory"  # how the reason of a trial begins that needs more memory than there is


class TrialState(StrEnum):
    """How a trial ended, by Optuna's names. Unfinished trials have no state: a record has only finished trials."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A trial that an engine asks a runner to train."""

    number: int  # counted from 0 within the sweep
    params: Params  # with constants, without inactive parameters
    generation: int = 0  # counted from 0
    continues: int | None = None  # the trial whose training a promoted trial resumes: equal params, but more epochs
    recipe: int | None = None  # for a finalist: the trial of the search with equal params, but for the seed
    sampler_seconds: float = 0.0  # the trial's share of the sampler's time


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall time of a trial, in seconds. Each lane of a compiled program counts a share of the program's time."""

    sampler: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    validate: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(*map(add, astuple(self), astuple(other)))

    @property
    def training(self) -> float:
        """The seconds of training and validation, without compiling, so that equal work has equal times."""
        return self.train + self.validate

    @property
    def total(self) -> float:
        return self.sampler + self.compile + self.train + self.validate


@dataclass(frozen=True, slots=True)
class Result:
    """The result of training a suggestion, with scores and weights. A failed trial has a result, too."""

    suggestion: Suggestion
    state: TrialState
    value: float | None  # of the objective; None if it has none, and for FAIL
    curve: Curve = field(default_factory=dict)  # every logged metric, up to the last epoch trained
    epoch: int | None = None  # the scored epoch, of `value` and `weights`, counted from 1
    seconds: Seconds = field(default_factory=Seconds)
    reason: str | None = None  # why the trial did not run to its end: "diverged", "pruned at epoch 3"
    traceback: str | None = None
    weights: Weights | None = None  # of the scored epoch; None for FAIL and when read from the record
    scores: RowScores | None = None  # per validation row, as in `value`; None as for `weights`, or without a formula
    scores_digest: str | None = None  # of the scores, if they were written
    weights_digest: str | None = None  # of the weights; None for FAIL
    engine: str = ""  # "optuna/tpe"
    runner: str = ""  # "compiled/jax"
    stderr: float | None = None  # standard error of `value` over the validation rows; None without a formula
    rows_value: float | None = None  # the metric computed from the model's outputs, if it differs from `value`
    reads_epochs: bool = False  # whether the parameter `epochs` is `epoch`: training continued until a rung stopped it
    is_transient: bool = False  # whether a fault of the machine caused a FAIL, so a retry may help; not in the record
    rows: str | None = None  # digest of the validation labels and weights, if trials differ in their data
    measured: Mapping[str, float] = field(default_factory=dict)  # of the model, for further goals: "parameters"
    finalists: tuple[Result, ...] = ()  # trainings of the same configuration with other seeds, in order of training
    final: bool = False  # whether the finalists decide: every training with another seed was recorded

    @property
    def number(self) -> int:
        return self.suggestion.number

    @property
    def params(self) -> Params:
        """The values of all parameters. If `reads_epochs`, the value of `epochs` is the scored epoch."""
        params = self.suggestion.params
        return {**params, "epochs": self.epoch} if self.reads_epochs and self.epoch is not None else params

    @property
    def is_out_of_memory(self) -> bool:
        return self.state is TrialState.FAIL and (self.reason or "").startswith(OUT_OF_MEMORY)

    @property
    def is_whole(self) -> bool:
        return self.state is TrialState.COMPLETE or (self.reads_epochs and self.state is not TrialState.FAIL)

    @property
    def recipe(self) -> int:
        """The number of the search's trial with this configuration: this trial's number, except for a finalist."""
        return self.suggestion.number if self.suggestion.recipe is None else self.suggestion.recipe

    @property
    def name(self) -> str:
        """The name for messages: `trial 36`, or for a finalist `trial 36 with seed 43`."""
        seed = self.finalist_seed
        return f"trial {self.recipe}" + ("" if seed is None else f" with seed {seed}")

    @property
    def finalist_seed(self) -> int | None:
        """The seed of a finalist; None for a trial of the search."""
        seed, suggestion = self.params.get("seed"), self.suggestion
        return seed if suggestion.recipe is not None and isinstance(seed, int) else None

    def light(self) -> Result:
        """Return the result without weights and scores, to save memory. The digests stay."""
        weights = self.weights_digest if self.weights is None else arrays_digest(self.weights)
        scores = self.scores_digest if self.scores is None else self.scores.digest
        return replace(self, weights=None, weights_digest=weights, scores=None, scores_digest=scores)

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> value at the scored epoch, for all logged metrics; {} before the first epoch."""
        if self.epoch is None:
            return {}
        return {name: values[self.epoch - 1] for name, values in self.curve.items() if len(values) >= self.epoch}

    def goal(self, name: str) -> float | None:
        """Return the value of the goal `name`, a metric at the scored epoch or a measure like "flops"; else None."""
        return self.seconds.training if name == "train_seconds" else self.measured.get(name, self.metrics.get(name))

    @property
    def epochs(self) -> int:
        return max(map(len, self.curve.values()), default=0)
