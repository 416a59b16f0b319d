"""The checked, frozen content of a space file. All other modules read it, and never the file.

Each section is defined once, here. The reader, its messages and the JSON Schema use its fields and bounds.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field
from pydantic.dataclasses import dataclass

from keras_sweep.space.data_spec import STRICT, DataSpec, Seed, TargetScale, find_source
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Objective, SearchSpace


@dataclasses.dataclass(frozen=True, slots=True)
class ModelSpec:
    """The model of a trial: the dense model, or the result of a user's function or HyperModel."""

    kind: Literal["dense", "python"] = "dense"
    source: str = "dense"  # or "module:function"
    arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)  # fixed; `model.*` parameters override


MODE = "whether less or more of it is better; `auto` knows of Keras's metrics"


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyStopping:
    """A trial ends where a metric no longer improves; the arguments of `keras.callbacks.EarlyStopping`."""

    monitor: str = Field(default="val_loss", description="a recorded metric")
    patience: int = Field(default=0, ge=0, description="epochs without an improvement, then the trial ends")
    min_delta: float = Field(default=0.0, ge=0, description="the least change that is an improvement")
    mode: Literal["auto", "min", "max"] = Field(default="auto", description=MODE)
    baseline: float | None = Field(default=None, description="a value that is to be reached first")
    start_from_epoch: int = Field(default=0, ge=0, description="epochs that are passed over at the start")
    restore_best_weights: bool = Field(
        default=False, description="the trial has the weights of its best epoch by this metric, and is scored by them"
    )


@dataclass(config=STRICT, frozen=True, slots=True)
class ReduceLROnPlateau:
    """The learning rate falls where a metric no longer improves; as `keras.callbacks.ReduceLROnPlateau`."""

    monitor: str = Field(default="val_loss", description="a recorded metric")
    factor: float = Field(default=0.1, gt=0, lt=1, description="what the rate is multiplied by")
    patience: int = Field(default=10, ge=0, description="epochs without an improvement, then it falls")
    min_delta: float = Field(default=1e-4, ge=0, description="the least change that is an improvement")
    mode: Literal["auto", "min", "max"] = Field(default="auto", description=MODE)
    cooldown: int = Field(default=0, ge=0, description="epochs after a fall in which nothing is counted")
    min_lr: float = Field(default=0.0, ge=0, description="it falls no further")


WATCHING = {"early_stopping": EarlyStopping, "reduce_lr_on_plateau": ReduceLROnPlateau}  # sections of `training`
SCHEDULE = frozenset({"schedule", "warmup"})  # parameters that move the learning rate from step to step
MODEL_PREFIX = "model."  # of arguments of the model as parameters
LOSS_PREFIX = "loss."  # of arguments of the loss as parameters
DEFAULT_OPTIMIZER = "rmsprop"  # as `keras.Model.compile`
TRAINING_PREFIX = "training."  # of its arguments as parameters


def is_user_function(loss: str) -> bool:
    """Return whether a loss is a user's function, "module:function"."""
    return ":" in loss


@dataclass(config=STRICT, frozen=True, slots=True)
class UserCallback:
    """A callback of yours, which trains by `fit`."""

    python: str = Field(description="module:function, which returns a new keras.callbacks.Callback")


ClassWeight: TypeAlias = Mapping[int | str, float] | Literal["balanced"] | None


@dataclass(config=STRICT, frozen=True, slots=True)
class Training:
    """What `fit` does beside the optimizer. Its arguments may be parameters: `training.early_stopping.patience`."""

    early_stopping: EarlyStopping | None = None
    reduce_lr_on_plateau: ReduceLROnPlateau | None = None
    class_weight: ClassWeight = Field(
        default=None, description="`balanced`, or class: weight; what a row of the class counts in the loss"
    )
    callbacks: Sequence[UserCallback] = ()
    adapt: bool = Field(default=False, description="layers such as TextVectorization first learn from training rows")

    @property
    def is_watched(self) -> bool:
        """Does a metric decide how long a trial trains, or its learning rate?"""
        return self.early_stopping is not None or self.reduce_lr_on_plateau is not None


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyTerminate:
    """Stops poor trials between rungs; the keys of a W&B sweep file."""

    type: str  # the pruning rule: "hyperband", "median", "successive_halving", ...
    min_iter: int = Field(default=1, ge=1, description="epochs before the first rung")
    eta: int = Field(default=3, ge=2, description="the reduction factor: of so many trials one goes on")
    first: int = Field(default=0, ge=0, description="of `halving`: trials of a first generation, drawn at random")


@dataclass(config=STRICT, frozen=True, slots=True)
class Stop:
    """When a search is good enough."""

    value: float = Field(description="of the metric: with the generation that has it, or better, the search ends")


GENERATION = 16  # the default number of trials that are suggested together, if they train together


@dataclass(config=STRICT, frozen=True, slots=True)
class SearchSettings:
    """Who asks for trials, how often, and from which seed."""

    engine: str = "optuna"
    sampler: str = "tpe"
    trials: int = Field(default=64, ge=1, le=1_000_000, description="trials in total")
    seed: Seed = Field(default=42, description="of the sampler, and of every trial that has no parameter `seed`")
    generation: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="trials that are asked at once, before the value of any is known; 0 leaves it to the runner: "
        f"{GENERATION} as lanes, 1 by `fit`",
    )
    start: Sequence[Any] = Field(
        default=(),
        description="points that are tried first, or `defaults` of a KerasTuner model; the sampler fills one up",
        examples=[[{"optimizer": "adam", "learning_rate": 0.001}]],
        json_schema_extra={"items": {"anyOf": [{"type": "object"}, {"const": "defaults"}]}},
    )
    stop: Stop | None = Field(default=None, description="end the search early, where it is good enough")
    learn_from: str = Field(
        default="",
        description="name or folder of an earlier sweep of these rows and this metric, whose trials guide the sampler",
    )

    @property
    def engine_name(self) -> str:
        """The engine and its sampler in a record: "optuna/tpe"."""
        return f"{self.engine}/{self.sampler}"


@dataclass(config=STRICT, frozen=True, slots=True)
class Finalists:
    """The best configurations are trained again with new seeds: how many, and with how many seeds."""

    top: int = Field(
        default=5, ge=2, le=1000, description="configurations: the trials that lead when the search has ended"
    )
    seeds: int = Field(default=3, ge=1, le=1000, description="new seeds: the search seed + 1, + 2, ...")


@dataclass(config=STRICT, frozen=True, slots=True)
class Finish:
    """What becomes of the winner before it is tested and exported."""

    refit: bool = Field(default=False, description="train it once more, on all rows of training and validation")
    choose: Mapping[str, str] | None = Field(
        default=None,
        description="which trial wins: {where: parameters <= 40000} says what its goals must meet, and `maximize` or "
        "`minimize` may name the first goal, by which trials rank",
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """One of several outputs of a model, with its loss and metrics."""

    loss: str
    loss_arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    metrics: tuple[str, ...] = ()  # each is recorded with the output's name before it: "price_mae"
    metric_arguments: Mapping[str, Mapping[str, Value]] = dataclasses.field(default_factory=dict)
    weight: float | None = None  # of its loss in the sum of all; None: 1
    own: bool = False  # the model compiles itself with the loss, and takes the labels as they are


def list_recorded_names(outputs: Mapping[str, Output]) -> tuple[str, ...]:
    """List the recorded names of losses and metrics of outputs: "price_loss", "price_mae"."""
    return tuple(f"{name}_{metric}" for name, output in outputs.items() for metric in ("loss", *output.metrics))


LOSS_OF_OUTPUTS = "that of each output"  # the word for a loss in messages, where there are several


@dataclasses.dataclass(frozen=True, slots=True)
class SweepSpec:
    """A sweep, as its space file defines it."""

    name: str  # the file's stem, or `--name`
    folder: Path  # of the file: `python:` modules and relative paths start here
    data: DataSpec
    # Keras's name, or a user's "module:function". For a model that compiles itself "" until it is built.
    loss: str
    objective: Objective
    text: str = ""  # the file as it was read, after `--set`
    model: ModelSpec = dataclasses.field(default_factory=ModelSpec)
    metrics: tuple[str, ...] = ()  # the names by which they are recorded
    space: SearchSpace = dataclasses.field(default_factory=lambda: SearchSpace(()))
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    loss_arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    # of some metrics; "python" among them is the "module:function" of one of the user's
    metric_arguments: Mapping[str, Mapping[str, Value]] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Output] = dataclasses.field(default_factory=dict)  # by name, where `loss` is a map of them
    own: tuple[str, ...] = ()  # "loss" and "metrics" where the file names none, and the model's own are used
    training: Training = dataclasses.field(default_factory=Training)
    early_terminate: EarlyTerminate | None = None
    finalists: Finalists | None = dataclasses.field(default_factory=Finalists)  # None: none are trained
    finalists_asked: bool = False  # the file asks for them: they may take more than a quarter of the search's epochs
    finish: Finish = dataclasses.field(default_factory=Finish)
    scale: TargetScale | None = None  # of a target that is transformed; known once the rows are read
    schedule_epochs: int = 0  # over which schedules of learning rates go; 0: over the trial's own
    file: str = dataclasses.field(default="space file", compare=False)  # in messages: its path, or `Spec`
    warnings: tuple[str, ...] = ()  # what does not stop a sweep but is likely a slip

    @property
    def code(self) -> tuple[str, ...]:
        """The user's functions, each "module:function"."""
        of_data = (self.data.source,) if find_source(self.data.kind).names == "function" else ()
        return (*of_data, *self.training_code)

    @property
    def training_code(self) -> tuple[str, ...]:
        """The user's functions without the function that returns rows."""
        model = (self.model.source,) if self.model.kind == "python" else ()
        losses = [self.loss, *(output.loss for output in self.outputs.values())]
        user_losses = [loss for loss in losses if is_user_function(loss)]
        of_metrics = [self.metric_arguments, *(output.metric_arguments for output in self.outputs.values())]
        metrics = [str(values["python"]) for group in of_metrics for values in group.values() if "python" in values]
        return (*model, *user_losses, *metrics, *(callback.python for callback in self.training.callbacks))

    def output(self, name: str) -> "SweepSpec":
        """Return the sweep as if the model had this output alone."""
        only = self.outputs[name]
        of_metrics: Any = {"metrics": only.metrics, "metric_arguments": only.metric_arguments}
        return dataclasses.replace(self, loss=only.loss, loss_arguments=only.loss_arguments, outputs={}, **of_metrics)

    def part(self, of_all: Any, name: str) -> Any:
        """Return an output's item of a dict by name, or of a tuple by position."""
        return of_all[list(self.outputs).index(name)] if isinstance(of_all, tuple) else of_all[name]

    def find_output(self, metric: str) -> tuple[str, str] | None:
        """Split "val_price_mae" into output and metric, ("price", "val_mae"); None if no output has the metric."""
        before, bare = ("val_" if metric.startswith("val_") else ""), metric.removeprefix("val_")
        for name, output in self.outputs.items():
            if bare.removeprefix(f"{name}_") in ("loss", *output.metrics) and bare.startswith(f"{name}_"):
                return name, before + bare.removeprefix(f"{name}_")
        return None

    @property
    def needs_user_code(self) -> bool:
        """Are models compiled with a loss or a metric that plain Keras does not know?"""
        parts = [self, *map(self.output, self.outputs)]
        own_metric = any("python" in values for part in parts for values in part.metric_arguments.values())
        return self.scale is not None or any(is_user_function(part.loss) for part in parts) or own_metric

    @property
    def sampler_space(self) -> SearchSpace:
        """The space that engines draw from. If `epochs` is read off the curve, it is fixed to its maximum."""
        if not self.objective.epochs_from:
            return self.space
        _, longest = self.space.get_bounds("epochs", 0)
        others = tuple(parameter for parameter in self.space.parameters if parameter.name != "epochs")
        return dataclasses.replace(self.space, parameters=others, constants={**self.space.constants, "epochs": longest})

    @property
    def needs_refit(self) -> bool:
        """Is the winner trained again on all rows? Always with folds, where a trial has several models."""
        return self.finish.refit or self.data.split.folds > 0
