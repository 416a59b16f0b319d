"""Which trials may share a program: those that differ in their learning rate, and in what else may differ per lane."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import LOSS_PREFIX, MODEL_PREFIX, TRAINING_PREFIX, SweepSpec
from keras_sweep.trial.plan import FIT_PARAMETERS, TrainingPlan, training_plan

LEARNING_RATE = "learning_rate"  # the argument that every Keras optimizer holds as a variable
PLACEHOLDER = 0.5  # where an optimizer is built before the lanes' values are known; any valid number but zero
MOST_VARIANTS = 4  # every lane pays for all of them: 3 for sgd, rmsprop and adam cost 14 % more than adam alone

# Of keras.optimizers: each element's update reads that element alone.
OPTIMIZERS = frozenset({"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adadelta", "Adagrad", "Nadam", "Ftrl", "Lion"})
_DECAY = frozenset({"weight_decay"})
_ADAM = _DECAY | {"beta_1", "beta_2", "epsilon"}
# Of the optimizers that work element by element: the arguments that only enter sums and products.
_PER_LANE: Mapping[str, frozenset[str]] = {
    "sgd": _DECAY | {"momentum"},
    "rmsprop": _DECAY | {"rho", "momentum", "epsilon"},
    "adam": _ADAM,
    "adamw": _ADAM,
    "adamax": _ADAM,
    "adadelta": _DECAY | {"rho", "epsilon"},
    "adagrad": _DECAY | {"epsilon"},
    "lion": _DECAY | {"beta_1", "beta_2"},
}
PER_LANE = frozenset().union(*_PER_LANE.values())
_NOT_CONSTANTS = frozenset(FIT_PARAMETERS) - {"optimizer"} | {LEARNING_RATE}

ClassWeights: TypeAlias = tuple[tuple[int | str, float], ...] | str | None
Arguments: TypeAlias = tuple[tuple[str, str, Value], ...]  # (name, type, value), so that 1, 1.0 and True differ


@dataclass(frozen=True, slots=True)
class OptimizerVariant:
    """An optimizer with the arguments that are compiled into a program, and those that differ per lane."""

    optimizer: str
    constants: Arguments = ()
    per_lane: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything a program is compiled for, beside the number of lanes. Data, loss and metrics are the runner's."""

    model: Arguments
    variants: tuple[OptimizerVariant, ...]  # each lane uses one of them
    batch_size: int
    seed: int  # initial weights and data order: lanes share every batch
    structure: str = ""  # of models that share a program though they differ; `model` is then empty
    loss: Arguments = ()  # the arguments of the loss
    class_weight: ClassWeights = None  # what rows count in the loss
    scheduled: bool = False  # each step has learning rates of its own
    masked: bool = False  # `batch_size` is the most rows a step, of which a trial's own first ones count

    @property
    def per_lane(self) -> tuple[str, ...]:
        """The arguments whose value differs per lane, F in all."""
        return tuple(sorted({name for variant in self.variants for name in variant.per_lane}))


def freeze_arguments(values: Mapping[str, Value]) -> Arguments:
    """A mapping as a hashable key."""
    return tuple((name, type(value).__name__, value) for name, value in sorted(values.items()))


def thaw_arguments(given: Arguments) -> dict[str, Value]:
    """What `freeze_arguments` made a key of."""
    return {name: value for name, _, value in given}


def is_elementwise(optimizer: Any) -> bool:
    """Whether each element's update depends on that element's past alone."""
    name = type(optimizer).__name__
    if name not in OPTIMIZERS or type(optimizer) is not getattr(keras.optimizers, name, None):
        return False
    if not isinstance(optimizer.learning_rate, keras.Variable):  # a schedule
        return False
    by_norm = optimizer.clipnorm or optimizer.global_clipnorm
    scales = optimizer.loss_scale_factor is not None  # one factor scales the loss of all lanes
    return not (by_norm or scales or optimizer.use_ema or optimizer.gradient_accumulation_steps)


def can_vary_per_lane(optimizer: str, name: str, value: Value) -> bool:
    """Whether each lane can have its own value of this argument."""
    return _is_nonzero_number(value) and name in _PER_LANE.get(optimizer.lower(), ())


def make_variant(plan: TrainingPlan, varying: Collection[str] = ()) -> OptimizerVariant:
    """The plan's optimizer without its learning rate. Of `varying` arguments each lane has its own where it can."""
    given = {name: value for name, value in plan.optimizer_arguments.items() if name != LEARNING_RATE}
    per_lane = sorted(
        name for name, value in given.items() if name in varying and can_vary_per_lane(plan.optimizer, name, value)
    )
    constants = {name: value for name, value in given.items() if name not in per_lane}
    return OptimizerVariant(plan.optimizer, freeze_arguments(constants), tuple(per_lane))


def make_signature(
    plan: TrainingPlan, variants: tuple[OptimizerVariant, ...] | None = None, structure: str = ""
) -> Signature:
    """The plan's signature; `variants` are those that its program offers to lanes (by default the plan's alone)."""
    model = () if structure else freeze_arguments(plan.model_arguments)
    given = plan.training.class_weight
    weights = tuple(given.items()) if isinstance(given, Mapping) else given
    loss, chosen = freeze_arguments(plan.loss_arguments), variants or (make_variant(plan),)
    return Signature(model, chosen, plan.batch_size, plan.seed, structure, loss, weights, plan.schedule is not None)


def list_optimizer_variants(spec: SweepSpec) -> tuple[OptimizerVariant, ...]:
    """All optimizers with their constants that trials of this space may have; () where they are too many.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    parameters = [
        one
        for one in spec.space.parameters
        if one.name not in _NOT_CONSTANTS and not one.name.startswith((MODEL_PREFIX, TRAINING_PREFIX, LOSS_PREFIX))
    ]
    chosen = {parameter.name for parameter in parameters}
    conditions = {condition.parameter for parameter in parameters for condition in parameter.when}
    if not conditions <= chosen | set(spec.space.constants):
        return ()
    shared = chosen & PER_LANE - conditions
    kinds = (
        replace(parameter, distribution=_merge_per_lane_values(parameter.distribution))
        if parameter.name in shared
        else parameter
        for parameter in parameters
    )
    space = SearchSpace(tuple(kinds), spec.space.constants)
    if space.size > MOST_VARIANTS:
        return ()
    variants = tuple(dict.fromkeys(make_variant(training_plan(spec, point), shared) for point in space.points()))
    made_up = any(
        name in shared and value == PLACEHOLDER for variant in variants for name, _, value in variant.constants
    )
    return () if made_up else variants


def _is_nonzero_number(value: Value) -> bool:
    """Whether the value may differ per lane. Zero may not: Keras makes no momentum slot for 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def _merge_per_lane_values(distribution: Distribution) -> Distribution:
    """One value for all that may differ per lane; what is compiled in stays as it is."""
    if isinstance(distribution, Categorical):
        fixed = tuple(choice for choice in distribution.choices if not _is_nonzero_number(choice))
        return Categorical(fixed if len(fixed) == len(distribution.choices) else (*fixed, PLACEHOLDER))
    zero = 0.0 if isinstance(distribution, Float) else 0
    reached = distribution.size < math.inf and distribution.contains(zero)
    return Categorical((zero, PLACEHOLDER) if reached else (PLACEHOLDER,))
