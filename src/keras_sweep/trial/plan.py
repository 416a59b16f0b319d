"""The training plan of a trial: its parameters, sorted into arguments of model, optimizer and `fit`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import (
    DEFAULT_OPTIMIZER,
    LOSS_PREFIX,
    MODEL_PREFIX,
    SCHEDULE,
    TRAINING_PREFIX,
    WATCHING,
    SweepSpec,
    Training,
)
from keras_sweep.space.variants import DATA_PREFIX
from keras_sweep.trial.result import Suggestion

FIT_PARAMETERS = ("optimizer", "learning_rate", *SCHEDULE, "epochs", "batch_size", "seed")
DEFAULT_EPOCHS = 5
FUNCTION_EPOCHS = 100  # until which rungs compare the values that an objective function reports
DEFAULT_BATCH_SIZE = 32  # the default of `keras.Model.fit`


@dataclass(frozen=True, slots=True)
class CallbackTrial:
    """The training that a callback is for. The user's function of a callback gets it as its argument `trial`."""

    number: int  # in the search; a finalist or a refit has the number of the trial that it repeats
    params: Params  # read-only
    name: str  # for files: "trial-3", "trial-3-seed-43" (a finalist), "trial-3-fold-2", "trial-3-all-rows" (a refit)

    @classmethod
    def from_suggestion(cls, suggestion: Suggestion, part: str = "") -> Self:
        number, params = suggestion.recipe, MappingProxyType(suggestion.params)
        if number is None:
            return cls(suggestion.number, params, f"trial-{suggestion.number}{part}")
        return cls(number, params, f"trial-{number}-seed-{params['seed']}{part}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule of a trial's learning rate over its steps."""

    epochs: int
    batch_size: int
    schedule: Any = "constant"
    warmup: Any = 0.0

    def over(self, rows: int) -> tuple[str, int, float]:
        """Return the arguments of `keras_schedule` for `rows` training rows: (schedule, number of steps, warmup)."""
        return self.schedule, math.ceil(rows / self.batch_size) * self.epochs, self.warmup


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """All settings of a trial's training: arguments of its model, optimizer, loss and `fit`."""

    model_arguments: Mapping[str, Value]
    optimizer: str  # a name that `keras.optimizers.get` knows
    optimizer_arguments: Mapping[str, Value] = field(default_factory=dict)  # with `learning_rate`, if it is set
    epochs: int = DEFAULT_EPOCHS
    batch_size: int = DEFAULT_BATCH_SIZE
    seed: int = 0  # for `keras.utils.set_random_seed`, which draws initial weights and data order
    loss_arguments: Mapping[str, Value] = field(default_factory=dict)
    training: Training = field(default_factory=Training)  # with this trial's arguments
    schedule: Schedule | None = None  # None: the learning rate is constant


def training_plan(spec: SweepSpec, params: Params) -> TrainingPlan:
    """Return the settings for training with `params`. A name without a known prefix or meaning is for the optimizer."""
    model = dict(spec.model.arguments)
    if spec.function:
        epochs, seed = _whole(params.get("epochs", FUNCTION_EPOCHS)), _whole(params.get("seed", spec.search.seed))
        return TrainingPlan({**model, **params}, "", epochs=epochs, seed=seed)
    optimizer: dict[str, Value] = {}
    loss, training = dict(spec.loss_arguments), spec.training
    for name, value in params.items():
        if name.startswith(MODEL_PREFIX):
            model[name.removeprefix(MODEL_PREFIX)] = value
        elif name.startswith(LOSS_PREFIX):
            loss[name.removeprefix(LOSS_PREFIX)] = value
        elif name.startswith(TRAINING_PREFIX):
            section, _, argument = name.removeprefix(TRAINING_PREFIX).partition(".")
            setting: Any = value
            if argument:  # the argument of a section: "early_stopping.patience"
                setting = replace(getattr(training, section) or WATCHING[section](), **{argument: value})
            training = replace(training, **{section: setting})
        elif name == "learning_rate" or (name not in FIT_PARAMETERS and not name.startswith(DATA_PREFIX)):
            optimizer[name] = value
    epochs = _whole(params.get("epochs", DEFAULT_EPOCHS))
    batch_size = _whole(params.get("batch_size", DEFAULT_BATCH_SIZE))
    schedule_params = {name: params[name] for name in SCHEDULE & params.keys()}
    return TrainingPlan(
        model_arguments=model,
        optimizer=str(params.get("optimizer", DEFAULT_OPTIMIZER)),
        optimizer_arguments=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        seed=_whole(params.get("seed", spec.search.seed)),
        loss_arguments=loss,
        training=training,
        schedule=Schedule(spec.schedule_epochs or epochs, batch_size, **schedule_params) if schedule_params else None,
    )


def watches(spec: SweepSpec) -> bool:
    """Check whether a metric can end trials early or change learning rates, by keys or parameters of `training`."""
    arguments = tuple(f"{TRAINING_PREFIX}{section}." for section in WATCHING)
    return spec.training.is_watched or any(name.startswith(arguments) for name in spec.space.names)


def _whole(value: Value) -> int:
    assert isinstance(value, int), value
    return value
