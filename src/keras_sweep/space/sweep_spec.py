"""The checked content of a space file, which all other modules read. Messages and JSON Schema use these sections."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field
from pydantic.dataclasses import dataclass

from keras_sweep.space.data_spec import STRICT, DataSpec, Seed, TargetScale, default, find_source
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Objective, SearchSpace


@dataclasses.dataclass(frozen=True, slots=True)
class ModelSpec:
    """The model of a trial: the built-in dense model, or the result of a user's function or KerasTuner HyperModel.
    With `objective`, a user's function in its place, which returns a trial's value."""

    kind: Literal["dense", "python", "function"] = "dense"
    source: str = "dense"  # or "module:function"
    arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)  # fixed; `model.*` parameters override


MONITOR, DELTA = "the recorded metric to watch", "the smallest change that counts as an improvement"
MODE = "`min` if less is better, `max` if more is better; `auto` knows Keras's metrics"


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyStopping:
    """End a trial when a metric no longer improves. The keys are arguments of `keras.callbacks.EarlyStopping`."""

    monitor: str = default("val_loss", MONITOR)
    patience: int = default(0, "epochs without an improvement before the trial ends", ge=0)
    min_delta: float = default(0.0, DELTA, ge=0)
    mode: Literal["auto", "min", "max"] = default("auto", MODE)
    baseline: float | None = default(None, "only values better than this count as improvements")
    start_from_epoch: int = default(0, "epochs at the start before early stopping watches the metric", ge=0)
    restore_best_weights: bool = default(False, "keep and score the weights of the trial's best epoch by this metric")


@dataclass(config=STRICT, frozen=True, slots=True)
class ReduceLROnPlateau:
    """Lower the learning rate when a metric no longer improves, as `keras.callbacks.ReduceLROnPlateau` does."""

    monitor: str = default("val_loss", MONITOR)
    factor: float = default(0.1, "what the learning rate is multiplied by", gt=0, lt=1)
    patience: int = default(10, "epochs without an improvement before the rate falls", ge=0)
    min_delta: float = default(1e-4, DELTA, ge=0)
    mode: Literal["auto", "min", "max"] = default("auto", MODE)
    cooldown: int = default(0, "epochs after a fall before `patience` counts again", ge=0)
    min_lr: float = default(0.0, "the lowest learning rate", ge=0)


WATCHING = {"early_stopping": EarlyStopping, "reduce_lr_on_plateau": ReduceLROnPlateau}  # sections of `training`
SCHEDULE = frozenset({"schedule", "warmup"})  # parameters that move the learning rate from step to step
MODEL_PREFIX = "model."  # parameters with this prefix are arguments of the model
LOSS_PREFIX = "loss."  # parameters with this prefix are arguments of the loss
DEFAULT_OPTIMIZER = "rmsprop"  # the default of `keras.Model.compile`
TRAINING_PREFIX = "training."  # parameters with this prefix are keys of `training`


def is_user_function(loss: str) -> bool:
    """Return whether `loss` names a user's function ("module:function"), not a loss of Keras."""
    return ":" in loss


@dataclass(config=STRICT, frozen=True, slots=True)
class UserCallback:
    """Your own callback. Trials with callbacks train with `fit`."""

    python: str = Field(description="`module:function` that returns a new `keras.callbacks.Callback`; may take `trial`")


ClassWeight: TypeAlias = Mapping[int | str, float] | Literal["balanced"] | None


@dataclass(config=STRICT, frozen=True, slots=True)
class Training:
    """How a trial trains, apart from the optimizer. Keys can be parameters: `training.early_stopping.patience`."""

    early_stopping: EarlyStopping | None = default(None, "end trials that no longer improve")
    reduce_lr_on_plateau: ReduceLROnPlateau | None = default(None, "lower the learning rate on a plateau")
    class_weight: ClassWeight = default(None, "`balanced`, or a map from classes to weights of their rows in the loss")
    callbacks: Sequence[UserCallback] = default((), "your own callbacks; trials then train with `fit`")
    seconds: float | None = default(None, "end a trial after the epoch in which its training takes this long", gt=0)
    adapt: bool = default(False, "call `adapt` of the model's layers with the training rows first")

    @property
    def is_watched(self) -> bool:
        """Whether a metric can end a training early or change its learning rate."""
        return self.early_stopping is not None or self.reduce_lr_on_plateau is not None


@dataclass(config=STRICT, frozen=True, slots=True)
class EarlyTerminate:
    """Stop poor trials early. The keys are as in a W&B sweep file."""

    type: str = Field(description="the pruning rule: hyperband, successive_halving, halving or median")
    min_iter: int = default(1, "epochs before trials are compared for the first time", ge=1)
    eta: int = default(3, "the reduction factor: the best 1/`eta` of the trials continue", ge=2)
    first: int = default(0, "for `halving`: number of random trials at the start; 0 means 32", ge=0)


@dataclass(config=STRICT, frozen=True, slots=True)
class Stop:
    """End the search early: when a trial is good enough, or when no better trial comes. At least one key is needed."""

    value: float | None = default(None, "the search ends when a trial reaches this value of the metric")
    patience: int | None = default(None, "the search ends when no better trial came in this number of trials", ge=1)


GENERATION = 16  # default number of trials that are suggested together, if they train together


@dataclass(config=STRICT, frozen=True, slots=True)
class SearchSettings:
    """How trials are suggested, how many, and from which seed."""

    engine: str = default("optuna", "the library that suggests trials")
    sampler: str = "tpe"
    trials: int = default(64, "number of trials in total", ge=1, le=1_000_000)
    seed: Seed = default(42, "seed of the sampler, and of trials without a parameter `seed`")
    seeds: int = default(1, "seeds of every trial: `seed`, + 1, ...; the mean of the metric ranks", ge=1, le=100)
    generation: int = default(
        0,
        f"number of trials that are suggested together; 0 means {GENERATION} by `compiled` and 1 by `fit`",
        ge=0,
        le=10_000,
    )
    pace: int = default(
        0,
        "epochs of training after which the next generation begins, beside trials that train longer; 0: it waits",
        ge=0,
        le=10_000,
    )
    start: Sequence[Any] = default(
        (),
        "configurations to try first, or `defaults` of a KerasTuner model; missing values are filled in",
        examples=[[{"optimizer": "adam", "learning_rate": 0.001}]],
        json_schema_extra={"items": {"anyOf": [{"type": "object"}, {"const": "defaults"}]}},
    )
    stop: Stop | None = default(None, "end the search early, when a trial is good enough or no better trial comes")
    options: Mapping[str, int | float] | None = default(
        None,
        "of a sampler of KerasTuner: `num_initial_points`, `alpha`, `beta` of `bayesian`, `factor` of `hyperband`",
        examples=[{"beta": 4.0}],
    )
    learn_from: str = default(
        "", "name or folder of a sweep of these rows and this metric that the sampler learns from"
    )

    @property
    def engine_name(self) -> str:
        """The engine and the sampler as a record names them: "optuna/tpe"."""
        return f"{self.engine}/{self.sampler}"


@dataclass(config=STRICT, frozen=True, slots=True)
class Finalists:
    """The best configurations, which are trained again with new seeds after the search."""

    top: int = default(5, "number of configurations: the best of the search", ge=2, le=1000)
    seeds: int = default(3, "number of new seeds: the search seed + 1, + 2, ...", ge=1, le=1000)


@dataclass(config=STRICT, frozen=True, slots=True)
class Finish:
    """What happens to the winner before it is tested and exported."""

    refit: bool = default(False, "train the winner again on training and validation rows")
    choose: Mapping[str, str] | None = default(
        None, "the winner's condition, as in {where: parameters <= 40000}: the best trial that meets it wins"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """An output of a model with several outputs: its loss and metrics."""

    loss: str
    loss_arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    metrics: tuple[str, ...] = ()  # "mae"; the record adds the output's name: "price_mae"
    metric_arguments: Mapping[str, Mapping[str, Value]] = dataclasses.field(default_factory=dict)
    weight: float | None = None  # of this loss in the sum of all losses; None: 1
    own: bool = False  # whether the model compiles itself with the loss; it then gets unchanged labels


def list_recorded_names(outputs: Mapping[str, Output]) -> tuple[str, ...]:
    """Return the names by which losses and metrics of all outputs are recorded: "price_loss", "price_mae"."""
    return tuple(f"{name}_{metric}" for name, output in outputs.items() for metric in ("loss", *output.metrics))


FUNCTION_LACKS = "no lanes, no expected score, no sealed test and no export"  # of a sweep of an objective function
LOSS_OF_OUTPUTS = "that of each output"  # the name of `loss` in messages, if each output has its own loss


@dataclasses.dataclass(frozen=True, slots=True)
class SweepSpec:
    """A sweep, as its space file defines it."""

    name: str  # the file's stem, or `--name`
    folder: Path  # of the file: `python:` modules and relative paths start here
    data: DataSpec
    loss: str  # Keras's name, or "module:function"; "" until a model that compiles itself is built
    objective: Objective
    text: str = ""  # the file as it was read, after `--set`
    model: ModelSpec = dataclasses.field(default_factory=ModelSpec)
    metrics: tuple[str, ...] = ()  # the names under which metrics are recorded
    space: SearchSpace = dataclasses.field(default_factory=lambda: SearchSpace(()))
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    loss_arguments: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    # Metric -> arguments. "python" is the "module:function" of a user's metric.
    metric_arguments: Mapping[str, Mapping[str, Value]] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, Output] = dataclasses.field(default_factory=dict)  # by name, if `loss` is a map of outputs
    own: tuple[str, ...] = ()  # "loss", "metrics": left to the `compile` of the user's model
    training: Training = dataclasses.field(default_factory=Training)
    early_terminate: EarlyTerminate | None = None
    finalists: Finalists | None = dataclasses.field(default_factory=Finalists)  # None: none are trained
    finalists_asked: bool = False  # whether the file has `finalists`: no limit of a quarter of the search's epochs
    finish: Finish = dataclasses.field(default_factory=Finish)
    scale: TargetScale | None = None  # of a transformed target; known once the rows are read
    schedule_epochs: int = 0  # the epochs of a learning-rate schedule; 0: the trial's `epochs`
    file: str = dataclasses.field(default="space file", compare=False)  # for messages: the path, or `Spec`
    warnings: tuple[str, ...] = ()  # likely mistakes that do not stop a sweep

    @property
    def function(self) -> str:
        """The objective function, "module:function". If "", the sweep trains models on rows."""
        return self.model.source if self.model.kind == "function" else ""

    @property
    def code(self) -> tuple[str, ...]:
        """All functions of the user, for data, model, losses, metrics and callbacks, each "module:function"."""
        return (*self.data_code, *self.training_code)

    @property
    def data_code(self) -> tuple[str, ...]:
        """The function in `code` that returns the data's rows, if there is one."""
        return (self.data.source,) if find_source(self.data.kind).names == "function" else ()

    @property
    def training_code(self) -> tuple[str, ...]:
        """The functions in `code` without the function that returns the data's rows."""
        model = (self.model.source,) if self.model.kind != "dense" else ()
        losses = [self.loss, *(output.loss for output in self.outputs.values())]
        user_losses = [loss for loss in losses if is_user_function(loss)]
        of_metrics = [self.metric_arguments, *(output.metric_arguments for output in self.outputs.values())]
        metrics = [str(values["python"]) for group in of_metrics for values in group.values() if "python" in values]
        return (*model, *user_losses, *metrics, *(callback.python for callback in self.training.callbacks))

    def output(self, name: str) -> "SweepSpec":
        """Return this spec with the loss and metrics of the output `name`, as if the model had no other output."""
        only = self.outputs[name]
        of_metrics: Any = {"metrics": only.metrics, "metric_arguments": only.metric_arguments}
        return dataclasses.replace(self, loss=only.loss, loss_arguments=only.loss_arguments, outputs={}, **of_metrics)

    def part(self, of_all: Any, name: str) -> Any:
        """Return the item of the output `name` in `of_all`, a dict by output or a tuple in the order of `outputs`."""
        return of_all[list(self.outputs).index(name)] if isinstance(of_all, tuple) else of_all[name]

    def find_output(self, metric: str) -> tuple[str, str] | None:
        """Split "val_price_mae" into its output and metric: ("price", "val_mae"). None if no output has the metric."""
        before, bare = ("val_" if metric.startswith("val_") else ""), metric.removeprefix("val_")
        for name, output in self.outputs.items():
            if bare.removeprefix(f"{name}_") in ("loss", *output.metrics) and bare.startswith(f"{name}_"):
                return name, before + bare.removeprefix(f"{name}_")
        return None

    @property
    def needs_user_code(self) -> bool:
        """Whether models are compiled with a user's loss or metric, or with metrics of a transformed target."""
        parts = [self, *map(self.output, self.outputs)]
        own_metric = any("python" in values for part in parts for values in part.metric_arguments.values())
        return self.scale is not None or any(is_user_function(part.loss) for part in parts) or own_metric

    @property
    def sampler_space(self) -> SearchSpace:
        """The space that engines draw from. If `objective.epochs_from` is set, all trials get the largest `epochs`."""
        if not self.objective.epochs_from:
            return self.space
        _, longest = self.space.get_bounds("epochs", 0)
        others = tuple(parameter for parameter in self.space.parameters if parameter.name != "epochs")
        return dataclasses.replace(self.space, parameters=others, constants={**self.space.constants, "epochs": longest})

    @property
    def needs_refit(self) -> bool:
        """Whether the winner is trained again on training and validation rows.
        With folds this is always so, since a trial then has a model per fold."""
        return self.finish.refit or self.data.split.folds > 0
